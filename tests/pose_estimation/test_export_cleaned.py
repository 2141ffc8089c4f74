"""Cleaned annotation files, against plain loops over the table and the source's own file."""

import csv
import json
import os

import pytest
from pycocotools.coco import COCO

from lib.config.loader import dump_config, load_config
from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS
from lib.ignoring.weight_table import write_weight_table
from lib.label_noise.source import INJECTED_TRUTH, read_source
from lib.label_noise.truth import write_truth_of
from pose_estimation.export_cleaned import main
from tests.factories.data_sets import coco_image, coco_person, read_coco, write_coco
from tests.factories.small_run import make_data

NATIVE = {name: name for name in SHARED_KEYPOINTS} | {"head": "nose"}
NOT_SHARED = [k for k, name in enumerate(COCO_KEYPOINTS) if name not in NATIVE.values()]


@pytest.fixture
def root(tmp_path):
    """A source with a crowd, a person without labels, and fields that the project does not read."""
    persons = [coco_person(number, 1 + number % 2, score="kept") for number in (9, 4, 12)]
    persons.append(coco_person(5, 1, keypoints=[0] * 51, num_keypoints=0))
    persons.append(coco_person(6, 2, iscrowd=1, segmentation={"counts": [1], "size": [2, 2]}))
    path = write_coco(tmp_path / "coco", persons, [coco_image(1), coco_image(2, license=3)])
    more = {"info": {"year": 2017}, "licenses": [{"id": 3, "name": "ä"}],
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_KEYPOINTS)}]}  # fmt: skip
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    return tmp_path / "coco"


@pytest.fixture
def finished(tmp_path, root):
    """Function that writes the files of a run on ``root`` that the export reads; returns the folder."""

    def make(weight=lambda i, j: ((7 * i + 3 * j) % 11) / 10, noise=""):
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        (tmp_path / "some.yaml").write_text("")
        config = load_config(
            tmp_path / "some.yaml", {"DATASET_SRC.ROOT": str(root), "LBI.INJECT_NOISE": noise}
        )
        (folder / "config.yaml").write_text(dump_config(config))
        annotations, truth = read_source(config)
        visible = annotations.visible
        weights = [[weight(i, j) for j in range(13)] for i in range(len(annotations))]
        for name, table in (("ignoring_weights.csv", visible * 0 + weights), ("other.csv", visible * 0)):
            write_weight_table(folder / name, annotations, table, visible.astype(int))
        if noise:
            write_truth_of(folder / INJECTED_TRUTH, noise, 0, annotations, truth)
        return folder

    return make


def original(root):
    return json.loads(annotation_file(root, "train2017").read_text())


def rows_of(folder, name="ignoring_weights.csv"):
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


def cleaned_by_hand(tree, rows, threshold):
    """The file with every labelled keypoint whose row has a weight below the threshold set to zeros."""
    for row in rows:
        for annotation in tree["annotations"]:
            k = COCO_KEYPOINTS.index(NATIVE[row["joint"]])
            labelled = annotation["keypoints"][3 * k + 2] > 0
            if (
                annotation["id"] == int(row["annotation_id"])
                and labelled
                and float(row["weight"]) < threshold
            ):
                annotation["keypoints"][3 * k : 3 * k + 3] = [0, 0, 0]
                annotation["num_keypoints"] -= 1
    return tree


@pytest.mark.parametrize("threshold", [0.5, 0.0, 1.0])
def test_what_is_dropped_is_what_the_table_says(tmp_path, root, finished, capsys, threshold):
    before, folder, output = annotation_file(root, "train2017").read_bytes(), finished(), tmp_path / "c.json"
    assert main([str(folder), "--threshold", str(threshold), "--output", str(output)]) == 0
    assert annotation_file(root, "train2017").read_bytes() == before
    rows = [row for row in rows_of(folder) if row["target_weight"] == "1"]
    below = [row for row in rows if float(row["weight"]) < threshold]
    assert json.loads(output.read_text()) == cleaned_by_hand(original(root), rows, threshold)
    assert (len(below) == 0) == (threshold == 0)

    printed = capsys.readouterr().out
    assert f"dropped {len(below)} of {len(rows)} labelled keypoints of 3 " in printed
    heads = [row for row in rows if row["joint"] == "head"]
    line = next(line for line in printed.splitlines() if line.startswith("  head (nose)"))
    assert line.split()[2:] == [str(sum(row in below for row in heads)), "of", str(len(heads))]
    assert printed.splitlines()[-1] == str(output)


def test_other_readers_read_it(tmp_path, root, finished):
    output = root / "annotations" / "person_keypoints_cleaned.json"
    (root / "images" / "cleaned").symlink_to(root / "images" / "train2017")
    assert main([str(folder := finished()), "--output", str(output)]) == 0
    api = COCO(str(output))
    annotations = read_coco(root, "cleaned", SHARED_KEYPOINTS, 0.75)
    weights = {(int(row["annotation_id"]), row["joint"]): row for row in rows_of(folder)}
    for i, number in enumerate(annotations.ids.tolist()):
        (annotation,) = api.loadAnns([number])
        assert annotation["num_keypoints"] == sum(v > 0 for v in annotation["keypoints"][2::3])
        for j, name in enumerate(SHARED_KEYPOINTS):
            row = weights[number, name]
            kept = row["target_weight"] == "1" and float(row["weight"]) >= 0.5
            assert annotations.visible[i, j] == kept
            assert (annotation["keypoints"][3 * COCO_KEYPOINTS.index(NATIVE[name]) + 2] > 0) == kept


def test_another_table_of_the_run(tmp_path, finished, capsys):
    folder = finished()
    assert main([str(folder), "--weights", "other.csv", "--output", str(tmp_path / "c.json")]) == 0
    exported = json.loads((tmp_path / "c.json").read_text())["annotations"][:3]
    for annotation in exported:
        assert {k for k in range(17) if annotation["keypoints"][3 * k + 2]} <= set(NOT_SHARED)


def test_a_run_on_injected_noise_exports_the_labels_it_was_trained_on(tmp_path, root, finished, capsys):
    noise = "jitter:0.6+missing:0.2+visibility:0.5"
    folder = finished(noise=noise)
    config = load_config(folder / "config.yaml")
    trained_on, truth = read_source(config)
    assert main([str(folder), "--output", str(tmp_path / "c.json")]) == 0
    assert noise in capsys.readouterr().out
    exported = {a["id"]: a for a in json.loads((tmp_path / "c.json").read_text())["annotations"]}
    disk = {a["id"]: a for a in original(root)["annotations"]}
    kinds = set()
    for row in rows_of(folder):
        number, name = int(row["annotation_id"]), row["joint"]
        i, j = trained_on.ids.tolist().index(number), SHARED_KEYPOINTS.index(name)
        place = slice(3 * (k := COCO_KEYPOINTS.index(NATIVE[name])), 3 * k + 3)
        label, before = exported[number]["keypoints"][place], disk[number]["keypoints"][place]
        if not trained_on.visible[i, j] and not before[2]:
            assert label == before
        elif not trained_on.visible[i, j] or float(row["weight"]) < 0.5:
            assert label == [0, 0, 0]
        elif truth.corrupted[i, j]:
            assert label == pytest.approx([*trained_on.joints[i, j], before[2] or 2], abs=0.006)
            kinds.add("moved" if before[2] else "added")
        else:
            assert label == before
            kinds.add("as on disk")
    assert kinds == {"moved", "added", "as on disk"}
    for number in (5, 6):
        assert exported[number] == disk[number]


def test_without_dropped_labels_the_file_is_unchanged(tmp_path):
    """With no label dropped, annotations of the built-in people (non-integer coordinates) are unchanged."""
    root = make_data(tmp_path) / "coco"
    (tmp_path / "config.yaml").write_text(f"DATASET_SRC: {{ROOT: {root}}}")
    config = load_config(tmp_path / "config.yaml")
    annotations, _ = read_source(config)
    visible = annotations.visible
    write_weight_table(tmp_path / "ignoring_weights.csv", annotations, visible * 0 + 1, visible.astype(int))
    assert main([str(tmp_path), "--output", str(tmp_path / "c.json")]) == 0
    assert json.loads((tmp_path / "c.json").read_text()) == original(root)


@pytest.mark.parametrize("linked", [False, True])
def test_the_source_is_not_overwritten(tmp_path, root, finished, capsys, linked):
    path, folder = annotation_file(root, "train2017"), finished()
    before, output = path.read_bytes(), path
    if linked:
        output = tmp_path / "link.json"
        os.symlink(path, output)
    assert main([str(folder), "--output", str(output)]) == 2
    assert "the source's own annotation file" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--threshold", "1.5"], "--threshold is 1.5"),
        (["--threshold", "nan"], "--threshold is nan"),
        (["--weights", "none.csv"], "none.csv: cannot read"),
    ],
)
def test_what_cannot_be_exported(tmp_path, finished, capsys, flags, expected):
    assert main([str(finished()), "--output", str(tmp_path / "c.json"), *flags]) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()


def test_noise_that_cannot_be_reproduced_is_an_error(tmp_path, root, finished, capsys):
    folder = finished(noise="jitter:0.5")
    tree = original(root)
    tree["annotations"].reverse()  # the same annotations, other random numbers for each
    annotation_file(root, "train2017").write_text(json.dumps(tree))
    assert main([str(folder), "--output", str(tmp_path / "c.json")]) == 2
    error = capsys.readouterr().err
    assert f"{INJECTED_TRUTH}: " in error and "LBI.INJECT_NOISE jitter:0.5" in error


def test_an_id_given_twice_is_an_error(tmp_path, root, finished, capsys):
    tree = original(root)
    tree["annotations"][1]["id"] = 9
    annotation_file(root, "train2017").write_text(json.dumps(tree))
    assert main([str(finished()), "--output", str(tmp_path / "c.json")]) == 2
    assert "annotation 9: id given twice" in capsys.readouterr().err
