"""Which labels the export of cleaned annotations takes."""

import json

import pytest

from lib.dataset.coco_file import annotation_file
from pose_estimation.export_cleaned import main
from tests.factories.exports import (
    ALL,
    as_labels,
    exported,
    labels_missing,
    original,
    rows_of,
    run_writer,
    write_source,
)


@pytest.fixture
def root(tmp_path):
    return write_source(tmp_path)


@pytest.fixture
def finished(tmp_path, root):
    return run_writer(tmp_path, root)


@pytest.mark.parametrize(
    ("flags", "count"), [(["--count", "4"], 4), (["--share", "0.15"], 4), (["--share", "0"], 0)]
)
def test_the_first_rows_of_the_table_are_deleted(tmp_path, root, finished, flags, count):
    """Of 27 labels; a share of them is rounded."""
    folder = finished()
    found = labels_missing(root, exported(folder, tmp_path / "c.json", *flags, *ALL))
    assert found == as_labels(rows_of(folder)[:count]) and len(found) == count


@pytest.mark.parametrize(("flags", "limit"), [([], 0.5), (["--probability", "0.75"], 0.75)])
def test_labels_that_are_probably_wrong_are_deleted(tmp_path, root, finished, capsys, flags, limit):
    """Whatever their weights, which are all high."""
    folder = finished(weight=lambda i, j: 0.9, probability=lambda i, j: ((5 * i + 3 * j) % 13) / 13)
    rows = [row for row in rows_of(folder) if row["rank"] and float(row["probability"]) > limit]
    found = labels_missing(root, exported(folder, tmp_path / "c.json", *flags, *ALL))
    assert found == as_labels(rows) and 0 < len(found) < 27
    printed = capsys.readouterr().out
    assert f"delete: {len(found)} of 27 labelled keypoints of 3 instances" in printed
    assert f"(probability of being wrong above {limit:g})" in printed
    share = sum(float(row["probability"]) for row in rows) / len(rows)
    assert f"of these {len(rows)} are wrong ({100 * share:.0f} %)" in printed
    assert f"; {len(rows)} moved\n" in printed


def test_low_weights_are_deleted_if_asked_for(tmp_path, root, finished):
    folder = finished(probability=lambda i, j: 0.99)
    rows = [row for row in rows_of(folder) if row["rank"] and float(row["weight"]) < 0.3]
    found = labels_missing(root, exported(folder, tmp_path / "c.json", "--threshold", "0.3", *ALL))
    assert found == as_labels(rows) and 0 < len(found) < 27


def test_equal_weights_are_not_taken_in_the_order_of_the_file(tmp_path, root, finished):
    """All weights are 0; the labels that go are the same ones for another order of the annotations."""
    folder = finished(weight=lambda i, j: 0)
    before = labels_missing(root, exported(folder, tmp_path / "c.json", "--count", "8"))
    assert len({number for number, _ in before}) == 3  # of the first one alone in the file's order
    tree = original(root)
    tree["annotations"].reverse()
    annotation_file(root, "train2017").write_text(json.dumps(tree))
    folder = finished(weight=lambda i, j: 0)
    assert labels_missing(root, exported(folder, tmp_path / "c.json", "--count", "8")) == before


def test_a_file_without_ids_is_exported_as_it_was_read(tmp_path, root, finished):
    """Reading numbers its annotations from 1; crowds and people without labels count as well."""
    tree = original(root)
    for annotation in tree["annotations"]:
        del annotation["id"]
    annotation_file(root, "train2017").write_text(json.dumps(tree))
    folder = finished()
    assert main([str(folder), "--output", str(tmp_path / "c.json"), "--count", "5", *ALL]) == 0
    found = {
        (position, k)
        for position, annotation in enumerate(json.loads((tmp_path / "c.json").read_text())["annotations"], 1)
        for k in range(17)
        if tree["annotations"][position - 1]["keypoints"][3 * k + 2]
        and not annotation["keypoints"][3 * k + 2]
    }
    assert found == as_labels(rows_of(folder)[:5])
