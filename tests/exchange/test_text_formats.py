"""What is written for FiftyOne, DeepLabCut and YOLO, read by hand or by a parser of its own."""

import csv
import json
import math
from dataclasses import replace

import pytest
import yaml

from lib.exchange import deeplabcut, fiftyone, yolo
from lib.utils.errors import InputError
from tests.factories.exchanges import JOINTS, SIZE, L, R, exchange_of, found_with_image, returned


@pytest.fixture
def exchange(tmp_path):
    return exchange_of(found_with_image(tmp_path), "yolo")


def table(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def with_one_instance(exchange):
    (image,) = exchange.images
    return replace(exchange, images=(replace(image, instances=image.instances[:1]),))


def test_fiftyone_has_shares_confidences_and_proposals(exchange, tmp_path):
    fiftyone.write(exchange, tmp_path / "out")
    content = json.loads((tmp_path / "out/samples.json").read_text())
    assert content["joints"] == list(JOINTS) and sorted(content["edges"]) == [[0, 2], [1, 3]]
    (sample,) = content["samples"]
    assert sample["filepath"] == str(tmp_path / "images/a/5.jpg")
    seven, three = sample["labels"]["keypoints"]
    assert seven["points"][0] == [0.2, 0.375] and seven["confidence"] == [0.1, 0.2, 0.9, 0.95]
    assert seven["suspect"] == [True, True, False, False] and seven["tags"] == ["suspect"]
    assert all(map(math.isnan, [*three["points"][3], three["confidence"][3]])) and three["tags"] == []
    assert seven["occluded"] == [False, False, True, False] and seven["partner"][:2] == [R, L]
    assert sample["proposed"]["keypoints"][0]["points"][0] == [0.4, 0.375]


def test_deeplabcut_has_three_rows_of_names_for_one_animal(exchange, tmp_path):
    folder = tmp_path / "labeled-data/video"
    deeplabcut.write(with_one_instance(exchange), folder, scorer="me")
    rows = table(folder / "CollectedData_me.csv")
    assert rows == [
        ["scorer", "", "", *["me"] * 8],
        ["bodyparts", "", "", *(joint for joint in JOINTS for _ in "xy")],
        ["coords", "", "", *["x", "y"] * 4],
        [
            "labeled-data",
            "video",
            "a__5.jpg",
            "20.00",
            "30.00",
            "40.00",
            "30.00",
            "22.50",
            "20.00",
            "38.00",
            "20.00",
        ],
    ]
    assert (folder / "a__5.jpg").read_bytes() == (tmp_path / "images/a/5.jpg").read_bytes()


def test_deeplabcut_has_a_row_of_individuals_for_several(exchange, tmp_path):
    folder = tmp_path / "labeled-data/video"
    deeplabcut.write(exchange, folder)
    rows = table(folder / "CollectedData_lbi.csv")
    assert rows[1] == ["individuals", "", "", *["individual1"] * 8, *["individual2"] * 8]
    assert rows[4][-2:] == ["", ""] and len(rows) == 5


@pytest.mark.parametrize("index", [["labeled-data/video/a__5.jpg"], ["labeled-data\\video\\a__5.jpg"]])
def test_older_tables_of_deeplabcut_have_the_path_in_one_column(exchange, tmp_path, index):
    one = with_one_instance(exchange)
    deeplabcut.write(one, tmp_path / "out")
    path = tmp_path / "out/CollectedData_lbi.csv"
    rows = table(path)
    older = [row[:1] + row[3:] for row in rows[:3]] + [index + row[3:] for row in rows[3:]]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(older)
    assert deeplabcut.read(path, one).images == {"a/5.jpg": [returned(one, 7)]}


def test_yolo_has_shares_visibility_and_the_names_of_the_joints(exchange, tmp_path):
    yolo.write(exchange, tmp_path / "out")
    data = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert (
        data["kpt_shape"] == [4, 3]
        and data["names"] == {0: "person"}
        and data["kpt_names"] == {0: list(JOINTS)}
    )
    assert data["flip_idx"] == [1, 0, 3, 2]  # left and right
    assert (tmp_path / "out" / data["train"] / "a/5.jpg").read_bytes() == (
        tmp_path / "images/a/5.jpg"
    ).read_bytes()
    seven, three = (tmp_path / "out/labels/train/a/5.txt").read_text().splitlines()
    numbers = list(map(float, seven.split()))
    assert numbers[:5] == [0, 0.4, 0.375, 0.8, 0.75]  # class, and the center and size of the box
    assert numbers[5:] == [0.2, 0.375, 2, 0.4, 0.375, 2, 0.225, 0.25, 1, 0.38, 0.25, 2]
    assert three.endswith(" 0.000000 0.000000 0")


def test_yolo_takes_only_places_within_the_image(exchange, tmp_path):
    (image,) = exchange.images
    seven = image.instances[0]
    points = (replace(seven.points[0], place=(-7.0, 200.0)), *seven.points[1:])
    outside = replace(exchange, images=(replace(image, instances=(replace(seven, points=points),)),))
    yolo.write(outside, tmp_path / "out")
    assert (tmp_path / "out/labels/train/a/5.txt").read_text().split()[5:7] == ["0.000000", "1.000000"]
    (back,) = yolo.read(tmp_path / "out", outside).images["a/5.jpg"]
    assert back.number == 7 and back.places[L] == (0, SIZE[1])


def test_yolo_poses_are_told_apart_by_what_was_not_changed(exchange, tmp_path):
    """All of 3 is put near 7, and two labels of 7 are far away."""
    (image,) = exchange.images
    near = [point.place and (point.place[0] + 1, point.place[1] + 1) for point in image.instances[0].points]
    seven = dict(returned(exchange, 7).places) | {L: (70.0, 70.0), R: (75.0, 75.0)}
    poses = [dict(zip(JOINTS, near)), seven]
    first, second = yolo._matched(image, poses, exchange)
    assert second.number == 7 and not second.problem
    assert first.number == 3 and "all of whose places are new" in first.problem


def test_yolo_lines_without_a_mark_of_visibility(exchange, tmp_path):
    yolo.write(exchange, tmp_path / "out")
    path = tmp_path / "out/labels/train/a/5.txt"
    lines = []
    for line in path.read_text().splitlines():
        cells = line.split()
        lines.append(" ".join(cells[:5] + [cell for k, cell in enumerate(cells[5:]) if k % 3 < 2]))
    path.write_text("\n".join(lines))
    seven, three = yolo.read(tmp_path / "out", exchange).images["a/5.jpg"]
    assert set(seven.places) == set(JOINTS) and set(three.places) == set(JOINTS[:3])


def test_a_folder_of_labels_alone(exchange, tmp_path):
    yolo.write(exchange, tmp_path / "out")
    assert yolo.read(tmp_path / "out/labels/train", exchange) == yolo.read(tmp_path / "out", exchange)


def test_parts_of_deeplabcut_that_belong_to_no_individual(exchange, tmp_path):
    """Multi-animal projects have parts of which there is one, as of an individual called single."""
    deeplabcut.write(exchange, tmp_path / "out")
    path = tmp_path / "out/CollectedData_lbi.csv"
    rows = table(path)
    for row, cells in zip(rows, (("lbi",) * 2, ("single",) * 2, ("corner",) * 2, ("x", "y"), ("1", "2"))):
        row += cells
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert deeplabcut.read(path, exchange).images == {
        "a/5.jpg": [returned(exchange, 7), returned(exchange, 3)]
    }


def test_names_that_are_one_file_for_deeplabcut_are_refused(exchange, tmp_path):
    (image,) = exchange.images
    both = replace(exchange, images=(image, replace(image, name="a__5.jpg")))
    with pytest.raises(InputError, match="one file for both"):
        deeplabcut.write(both, tmp_path / "out")
