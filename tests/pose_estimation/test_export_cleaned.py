"""Cleaned annotation files, against plain loops over the table and the source's own file."""

import json
import os

import pytest
from pycocotools.coco import COCO

from lib.config.loader import load_config
from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS
from lib.ignoring.weight_table import WeightTable, write_weight_table
from lib.label_noise.source import INJECTED_TRUTH, read_recorded_source, read_source
from lib.label_noise.source_record import SOURCE_RECORD, write_source_record
from pose_estimation.export_cleaned import main
from tests.factories.data_sets import read_coco
from tests.factories.exports import (
    ALL,
    NATIVE,
    NOT_SHARED,
    as_labels,
    exported,
    labels_missing,
    original,
    rows_of,
    run_writer,
    write_source,
)
from tests.factories.small_run import make_data


@pytest.fixture
def root(tmp_path):
    return write_source(tmp_path)


@pytest.fixture
def finished(tmp_path, root):
    return run_writer(tmp_path, root)


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


RESULTS = {"mode": "ours1", "seed": 0, "test": {"PCKh": {"Mean": 1.0}}, "output": "o", "log": "l"}


@pytest.mark.parametrize("threshold", [0.5, 0.0, 1.0])
def test_what_is_dropped_is_what_the_table_says(tmp_path, root, finished, capsys, threshold):
    before, folder, output = annotation_file(root, "train2017").read_bytes(), finished(), tmp_path / "c.json"
    assert main([str(folder), "--threshold", str(threshold), "--output", str(output), *ALL]) == 0
    assert annotation_file(root, "train2017").read_bytes() == before
    rows = [row for row in rows_of(folder) if row["target_weight"] == "1"]
    below = [row for row in rows if float(row["weight"]) < threshold]
    assert json.loads(output.read_text()) == cleaned_by_hand(original(root), rows, threshold)
    assert (len(below) == 0) == (threshold == 0)

    printed = capsys.readouterr().out
    assert f"delete: {len(below)} of {len(rows)} labelled keypoints of 3 " in printed
    heads = [row for row in rows if row["joint"] == "head"]
    line = next(line for line in printed.splitlines() if line.startswith("  head (nose)"))
    assert line.split(",")[0].split()[2:] == [str(sum(row in below for row in heads)), "of", str(len(heads))]
    assert printed.splitlines()[-1] == str(output)


def test_other_readers_read_it(tmp_path, root, finished):
    output = root / "annotations" / "person_keypoints_cleaned.json"
    (root / "images" / "cleaned").symlink_to(root / "images" / "train2017")
    assert main([str(folder := finished()), "--output", str(output), *ALL]) == 0
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
    assert main([str(folder), "--weights", "other.csv", "--output", str(tmp_path / "c.json"), *ALL]) == 0
    exported = json.loads((tmp_path / "c.json").read_text())["annotations"][:3]
    for annotation in exported:
        assert {k for k in range(17) if annotation["keypoints"][3 * k + 2]} <= set(NOT_SHARED)


def test_a_run_on_injected_noise_exports_the_labels_it_was_trained_on(tmp_path, root, finished, capsys):
    noise = "jitter:0.6+missing:0.2+visibility:0.5"
    folder = finished(noise=noise)
    config = load_config(folder / "config.yaml")
    trained_on, truth = read_source(config)
    assert main([str(folder), "--output", str(tmp_path / "c.json"), *ALL]) == 0
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
    write_weight_table(
        tmp_path / "ignoring_weights.csv", annotations, WeightTable(visible * 0 + 1, visible.astype(int))
    )
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
        (["--probability", "1.5"], "--probability is 1.5"),
        (["--probability", "0.5"], "no probabilities"),
        (["--action", "weight", "--probability", "0.5"], "--probability: has no effect"),
        (["--share", "1.01"], "--share is 1.01"),
        (["--share", "nan"], "--share is nan"),
        (["--count", "-1"], "--count is -1"),
        (["--allow-share", "-0.1"], "--allow-share is -0.1"),
        (["--action", "weight", "--count", "3"], "--count"),
        (["--weights", "none.csv"], "none.csv: cannot read"),
    ],
)
def test_what_cannot_be_exported(tmp_path, finished, capsys, flags, expected):
    assert main([str(finished()), "--output", str(tmp_path / "c.json"), *flags]) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()


def test_hidden_labels_are_read_as_missing(tmp_path, root, finished):
    folder = finished()
    hidden = exported(folder, tmp_path / "h.json", "--action", "hide", "--count", "5")
    deleted = exported(folder, tmp_path / "d.json", "--count", "5")
    assert labels_missing(root, hidden) == labels_missing(root, deleted) != set()
    for annotation in original(root)["annotations"]:
        found = hidden[annotation["id"]]
        for k in range(17):
            assert found["keypoints"][3 * k : 3 * k + 2] == annotation["keypoints"][3 * k : 3 * k + 2]
        assert found["num_keypoints"] == deleted[annotation["id"]]["num_keypoints"]
    os.replace(tmp_path / "h.json", root / "annotations" / "person_keypoints_hidden.json")
    (root / "images" / "hidden").symlink_to(root / "images" / "train2017")
    assert read_coco(root, "hidden", SHARED_KEYPOINTS, 0.75).visible.sum() == 27 - 5


def test_weights_stand_beside_all_labels(tmp_path, root, finished, capsys):
    """Even where every weight is low: nothing is taken away."""
    folder = finished(weight=lambda i, j: (7 * i + j) / 1000)
    weighted = exported(folder, tmp_path / "w.json", "--action", "weight")
    assert not labels_missing(root, weighted)
    rows = [row for row in rows_of(folder) if row["rank"]]
    for row in rows:
        k = COCO_KEYPOINTS.index(NATIVE[row["joint"]])
        assert weighted[int(row["annotation_id"])]["keypoint_weights"][k] == pytest.approx(
            float(row["weight"])
        )
    for annotation in weighted.values():
        assert len(annotation["keypoint_weights"]) == 17
        assert all(annotation["keypoint_weights"][k] == 1 for k in NOT_SHARED)
    assert len(read_coco(root, "train2017", SHARED_KEYPOINTS, 0.75)) == 3


@pytest.mark.parametrize("action", ["delete", "hide"])
def test_a_run_that_trusts_nothing_is_not_exported(tmp_path, finished, capsys, action):
    folder, output = finished(weight=lambda i, j: 0.01), tmp_path / "c.json"
    assert main([str(folder), "--output", str(output), "--action", action]) == 2
    printed = capsys.readouterr()
    assert (
        "27 of 27 labelled keypoints" in printed.out and "head (nose)" in printed.out
    )  # the counts come first
    assert str(folder) in printed.err and "100.0 %" in printed.err and "--allow-share" in printed.err
    assert not output.exists()
    assert main([str(folder), "--output", str(output), "--allow-share", "0.99"]) == 2 and not output.exists()
    assert main([str(folder), "--output", str(output), *ALL]) == 0 and output.exists()


def test_weights_that_say_nothing_are_exported_with_a_warning(tmp_path, finished, capsys):
    """The run's own warnings, or what the weights tell."""

    def warnings(folder):
        assert main([str(folder), "--dry-run", "--count", "3"]) == 0
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]

    assert warnings(finished()) == []
    (warning,) = warnings(folder := finished(weight=lambda i, j: 0.5))
    assert "0.50" in warning
    results = RESULTS | {"weights": {"B": {}}, "warnings": ["of 3 instances", "noise"]}
    (folder / "results.json").write_text(json.dumps(results))
    assert warnings(folder) == ["warning: of 3 instances", "warning: noise"]


def test_a_dry_run_writes_nothing(tmp_path, finished, capsys):
    folder = finished()
    for flags in ([], ["--output", str(tmp_path / "c.json")]):
        assert main([str(folder), "--dry-run", "--count", "3", *flags]) == 0
        assert "3 of 27 labelled keypoints" in capsys.readouterr().out and not (tmp_path / "c.json").exists()
    assert main([str(folder), "--dry-run", "--threshold", "1"]) == 2  # as without it
    assert main([str(folder), "--count", "3"]) == 2
    assert "--output is missing" in capsys.readouterr().err


def test_only_one_way_to_choose(tmp_path, finished, capsys):
    with pytest.raises(SystemExit) as error:
        main([str(finished()), "--output", str(tmp_path / "c.json"), "--count", "3", "--share", "0.1"])
    assert error.value.code == 2 and "--count" in capsys.readouterr().err


def test_labels_of_no_batch_are_kept_and_counted(tmp_path, root, finished, capsys):
    folder = finished(weight=lambda i, j: 0.1)
    rows = rows_of(folder)
    text = (folder / "ignoring_weights.csv").read_text()
    row = next(row for row in rows if row["rank"])
    line = next(line for line in text.splitlines() if line.startswith(f"{row['rank']},"))
    (folder / "ignoring_weights.csv").write_text(text.replace(line, line.removesuffix(",1,1") + ",0,1"))
    found = labels_missing(root, exported(folder, tmp_path / "c.json", *ALL))
    assert found == as_labels([other for other in rows if other["rank"]]) - as_labels([row])
    assert "1 labels occurred in no batch" in capsys.readouterr().out


def test_annotations_of_another_file_are_refused(tmp_path, root, finished, capsys):
    """As a tool numbers them that was used after the run: ids and labels are there, but not of one another."""
    folder = finished()
    settings = load_config(folder / "config.yaml")
    write_source_record(folder, read_recorded_source(settings).record)
    output = tmp_path / "c.json"
    assert main([str(folder), "--output", str(output), *ALL]) == 0
    output.unlink()
    tree = original(root)
    for annotation, number in zip(tree["annotations"][:3], (4, 9, 12)):
        annotation["id"] = number
    annotation_file(root, "train2017").write_text(json.dumps(tree))
    assert main([str(folder), "--output", str(output), *ALL]) == 2
    error = capsys.readouterr().err
    assert str(annotation_file(root, "train2017")) in error and SOURCE_RECORD in error
    assert not output.exists()


def test_a_baseline_has_nothing_to_export(tmp_path, finished, capsys):
    folder = finished()
    (folder / "results.json").write_text(json.dumps(RESULTS | {"mode": "baseline2"}))
    assert main([str(folder), "--output", str(tmp_path / "c.json")]) == 2
    error = capsys.readouterr().err
    assert str(folder) in error and "baseline2" in error


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
    assert f"{annotation_file(root, 'train2017')}: annotation 9: id given twice" in capsys.readouterr().err
