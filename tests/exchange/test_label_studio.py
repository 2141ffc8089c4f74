"""Label Studio's tasks and configuration, read by hand, and what its annotators do."""

import json
import xml.etree.ElementTree as ET

import pytest

from lib.exchange.label_studio import read, write
from tests.factories.exchanges import JOINTS, RE, SIZE, L, R, exchange_of, found_with_image, give, take
from tests.factories.tool_edits import edit_label_studio

OTHER = 60.0  # percent


@pytest.fixture
def exchange(tmp_path):
    return exchange_of(found_with_image(tmp_path), "label_studio")


@pytest.fixture
def tasks(exchange, tmp_path):
    write(exchange, tmp_path / "out")
    return json.loads((tmp_path / "out/tasks.json").read_text())


def answer(exchange, tmp_path, tasks, results):
    """What is read of the first task with annotations of these ``results``."""
    tasks[0]["annotations"] = [{"id": k, "result": result} for k, result in enumerate(results)]
    path = tmp_path / "back.json"
    path.write_text(json.dumps(tasks))
    return read(path, exchange)


def regions(tasks, version="labels"):
    """{id: region} of a pre-annotation."""
    (made,) = [each["result"] for each in tasks[0]["predictions"] if each["model_version"] == version]
    return {region["id"]: region for region in made}


def test_labels_are_a_pre_annotation_and_proposals_another(tasks):
    labels, proposed = regions(tasks), regions(tasks, "proposed")
    left = labels[f"7:{L}"]
    assert (left["value"]["x"], left["value"]["y"]) == (20, 37.5) and left["score"] == 0.9
    assert left["value"]["keypointlabels"] == [L] and left["parentID"] == "7"
    assert (left["original_width"], left["original_height"]) == SIZE
    assert labels["7"]["value"] | {"rotation": 0} == {
        "x": 0, "y": 0, "width": 80, "height": 75, "rotation": 0, "rectanglelabels": ["person"]
    }  # fmt: skip
    assert f"3:{RE}" not in labels
    moved = {name for name in labels if labels[name]["value"] != proposed[name]["value"]}
    assert moved == {f"7:{L}", f"7:{R}"}  # the suspects alone
    assert (proposed[f"7:{L}"]["value"]["x"], proposed[f"7:{L}"]["value"]["y"]) == (40, 37.5)
    assert tasks[0]["data"]["suspects"] == 2 and tasks[0]["data"]["probability"] == 0.9


def test_the_configuration_has_the_joints_and_the_tags_of_the_regions(tasks, tmp_path):
    view = ET.parse(tmp_path / "out/labeling.xml").getroot()
    points, boxes = view.find("KeyPointLabels"), view.find("RectangleLabels")
    assert [label.get("value") for label in points] == list(JOINTS)
    assert {region["from_name"] for region in regions(tasks).values()} == {
        points.get("name"),
        boxes.get("name"),
    }


def test_images_are_called_as_label_studio_serves_them(tmp_path):
    found = found_with_image(tmp_path)
    (task,) = json.loads((give(found, "label_studio") / "tasks.json").read_text())
    assert task["data"]["image"] == "/data/local-files/?d=a/5.jpg"
    (found.folder / "out").rename(tmp_path / "first")
    flags = ("--image-prefix", "https://host/")
    (task,) = json.loads((give(found, "label_studio", *flags) / "tasks.json").read_text())
    assert task["data"]["image"] == "https://host/a/5.jpg" and task["data"]["name"] == "a/5.jpg"


def test_who_starts_with_the_proposals_takes_them(tmp_path):
    """EDITS move the left wrist elsewhere; the right wrist stays where it was proposed."""
    found = found_with_image(tmp_path)
    path = edit_label_studio(give(found, "label_studio", "--suspects", 2), version="proposed")
    assert (7, R, "moved", (20, 30), None) in take(found, "label_studio", path)


def test_a_label_with_another_name_is_exchanged(tmp_path):
    found = found_with_image(tmp_path)
    tasks = json.loads((give(found, "label_studio") / "tasks.json").read_text())
    own = regions(tasks)
    own[f"7:{L}"]["value"]["keypointlabels"], own[f"7:{R}"]["value"]["keypointlabels"] = [R], [L]
    tasks[0]["annotations"] = [{"id": 1, "result": list(own.values())}]
    (tmp_path / "back.json").write_text(json.dumps(tasks))
    decisions = take(found, "label_studio", tmp_path / "back.json")
    assert decisions == [(7, L, "exchanged", None, R)]


def test_tasks_that_nobody_annotated_or_that_were_skipped_are_untouched(exchange, tmp_path, tasks):
    assert answer(exchange, tmp_path, tasks, []).untouched == ["a/5.jpg"]
    tasks[0]["annotations"] = [{"id": 1, "was_cancelled": True, "result": []}]
    (tmp_path / "back.json").write_text(json.dumps(tasks))
    assert read(tmp_path / "back.json", exchange).untouched == ["a/5.jpg"]


def test_two_annotations_of_a_task_are_never_merged(exchange, tmp_path, tasks):
    result = list(regions(tasks).values())
    instances = answer(exchange, tmp_path, tasks, [result, result]).images["a/5.jpg"]
    assert [each.number for each in instances] == [7, 3]
    assert all("twice" in each.problem for each in instances)


def drawn(joint, x, y):
    """A point of no instance."""
    value = {"x": 100 * x / SIZE[0], "y": 100 * y / SIZE[1], "keypointlabels": [joint]}
    return {
        "id": "aB3_x", "type": "keypointlabels", "value": value,
        "original_width": SIZE[0], "original_height": SIZE[1],
    }  # fmt: skip


def test_a_point_drawn_anew_is_of_the_instance_that_lacks_it(exchange, tmp_path, tasks):
    own = regions(tasks)
    del own[f"7:{L}"]
    seven, three = answer(exchange, tmp_path, tasks, [[*own.values(), drawn(L, 21, 31)]]).images["a/5.jpg"]
    assert seven.places[L] == pytest.approx((21, 31)) and not seven.problem and not three.problem


def test_a_point_drawn_anew_that_may_be_of_several_instances_is_told(exchange, tmp_path, tasks):
    """Both boxes hold it, and both instances lack a right elbow."""
    own = regions(tasks)
    del own[f"7:{RE}"]
    instances = answer(exchange, tmp_path, tasks, [[*own.values(), drawn(RE, 21, 31)]]).images["a/5.jpg"]
    assert all("drawn anew" in each.problem for each in instances)


def test_an_instance_without_any_point_left_is_still_there(exchange, tmp_path, tasks):
    own = [region for name, region in regions(tasks).items() if not name.startswith("7:")]
    seven, _ = answer(exchange, tmp_path, tasks, [own]).images["a/5.jpg"]
    assert (seven.number, seven.places) == (7, {})
