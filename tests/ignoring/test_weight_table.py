import csv
from dataclasses import replace

import numpy as np
import pytest

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import joint_mapping
from lib.ignoring.weight_table import (
    auroc,
    average_precision,
    index_by_id,
    read_weight_table,
    write_weight_table,
)
from lib.utils.errors import InputError

ANNOTATIONS = Annotations(
    mapping=joint_mapping("coco", ("left_knee", "head")),
    ids=np.array([40, 7, 12]),
    image_paths=("images/a.jpg", "images/b.jpg"),
    image_index=np.array([0, 1, 0]),
    joints=np.zeros((3, 2, 2)),
    visible=np.array([[1, 1], [0, 1], [1, 0]]),
    centers=np.zeros((3, 2)),
    sizes=np.ones((3, 2)),
)
WEIGHTS = np.array([[0.5, 0.25], [0.0, 0.75], [0.25, 0.125]])
SEEN = np.array([[3, 1], [0, 2], [5, 0]])


@pytest.fixture
def path(tmp_path):
    write_weight_table(tmp_path / "weights.csv", ANNOTATIONS, WEIGHTS, SEEN)
    return tmp_path / "weights.csv"


def test_labelled_keypoints_are_ranked_and_the_others_follow(path):
    assert path.read_text().splitlines() == [
        "rank,annotation_id,image,joint,weight,times_seen,target_weight",
        "1,40,a.jpg,head,0.250000,1,1",
        "2,12,a.jpg,left_knee,0.250000,5,1",
        "3,40,a.jpg,left_knee,0.500000,3,1",
        "4,7,b.jpg,head,0.750000,2,1",
        ",7,b.jpg,left_knee,0.000000,0,0",
        ",12,a.jpg,head,0.125000,0,0",
    ]


def test_equal_weights_keep_the_annotation_order(tmp_path):
    """More rows than 16, the length up to which NumPy's default sort happens to be stable."""
    count = 40
    annotations = replace(
        ANNOTATIONS,
        ids=np.arange(100, 100 + count),
        image_index=np.zeros(count, int),
        joints=np.zeros((count, 2, 2)),
        visible=np.ones((count, 2)),
        centers=np.zeros((count, 2)),
        sizes=np.ones((count, 2)),
    )
    weights = np.tile([0.75, 0.25], count).reshape(count, 2)
    weights[::3] = 0.5
    write_weight_table(tmp_path / "w.csv", annotations, weights, np.ones((count, 2), int))
    rows = list(csv.DictReader((tmp_path / "w.csv").open()))
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, 2 * count + 1)]
    expected = []
    for weight in (0.25, 0.5, 0.75):  # each weight's keypoints, by annotation, then by joint
        for i in range(count):
            expected += [
                (str(100 + i), name)
                for j, name in enumerate(("left_knee", "head"))
                if weights[i, j] == weight
            ]
    assert [(row["annotation_id"], row["joint"]) for row in rows] == expected


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_an_image_name_is_no_formula_for_a_spreadsheet(tmp_path, start):
    annotations = replace(ANNOTATIONS, image_paths=(f"images/{start}1.jpg", "images/b=1.jpg"))
    write_weight_table(tmp_path / "w.csv", annotations, WEIGHTS, SEEN)
    names = {row["image"] for row in csv.DictReader((tmp_path / "w.csv").open())}
    assert names == {f"'{start}1.jpg", "b=1.jpg"}


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_what_was_written_is_read(path, suffix):
    table = read_weight_table(path.with_suffix(suffix), ANNOTATIONS)
    assert (table.weights == WEIGHTS).all() and (table.seen == SEEN).all()


def test_the_order_of_rows_does_not_matter(path):
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]))
    assert (read_weight_table(path, ANNOTATIONS).weights == WEIGHTS).all()


def test_a_table_without_ranks_is_read_as_well(path):
    rows = list(csv.DictReader(path.open()))
    with path.open("w") as file:
        table = csv.DictWriter(file, [name for name in rows[0] if name != "rank"], extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    assert (read_weight_table(path, ANNOTATIONS).weights == WEIGHTS).all()


def refused(path, annotations=ANNOTATIONS):
    with pytest.raises(InputError) as error:
        read_weight_table(path, annotations)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_a_table_of_other_annotations_is_refused(path, suffix):
    file = path.with_suffix(suffix)
    message = refused(file, replace(ANNOTATIONS, ids=np.array([40, 7, 13])))
    assert "3 instances" in message and "2 joints" in message
    refused(file, replace(ANNOTATIONS, mapping=joint_mapping("coco", ("left_knee", "left_hip"))))
    refused(file, ANNOTATIONS.subset(np.array([0, 1])))


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_a_file_that_is_no_table_is_refused(path, suffix, tmp_path):
    file = path.with_suffix(suffix)
    assert "cannot read" in refused(tmp_path / f"none{suffix}")
    for content in (b"", b"\0\xff\xfe", file.read_bytes()[:60], b"annotation_id,weight\n40,0.5\n"):
        file.write_bytes(content)
        refused(file)


@pytest.mark.parametrize(
    "old, new",
    [
        ("2,12,a.jpg,left_knee,0.250000", "2,12,a.jpg,left_knee,nan"),
        ("2,12,a.jpg,left_knee,0.250000", "2,12,a.jpg,left_knee,1.5"),
        ("2,12,a.jpg,left_knee,0.250000", "2,12,a.jpg,left_knee,"),
        ("2,12,a.jpg,left_knee", "2,40,a.jpg,left_knee"),
        ("2,12,a.jpg,left_knee,0.250000,5,1\n", ""),
    ],
)
def test_a_damaged_table_is_refused(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    refused(path)


def test_an_array_of_objects_is_refused(path):
    file = path.with_suffix(".npz")
    np.savez(file, weights=np.array([{}], object))
    refused(file)


def test_an_id_given_twice_has_no_index():
    assert index_by_id(ANNOTATIONS) == {40: 0, 7: 1, 12: 2}
    with pytest.raises(InputError, match="annotation 7:"):
        index_by_id(replace(ANNOTATIONS, ids=np.array([40, 7, 7])))


def by_pairs(weights, wrong):
    pairs = [(c, w) for c in weights[~wrong] for w in weights[wrong]]
    return np.mean([(c > w) + 0.5 * (c == w) for c, w in pairs])


def test_auroc_equals_counting_pairs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights, wrong = rng.integers(0, 6, 40) / 5, rng.random(40) < 0.3
        assert auroc(weights, wrong) == pytest.approx(by_pairs(weights, wrong))


def test_auroc_of_a_worked_example_with_ties():
    # Correct labels 0.5, 0.5, 0.9 against wrong ones 0.5, 0.1: of 6 pairs 4 are won and 2 are ties.
    weights, wrong = np.array([0.5, 0.5, 0.5, 0.9, 0.1]), np.array([0, 1, 0, 0, 1], bool)
    assert auroc(weights, wrong) == 5 / 6


def test_auroc_of_perfect_reversed_and_one_sided_weights():
    wrong = np.array([True, False, False])
    assert auroc(np.array([0.1, 0.5, 0.9]), wrong) == 1
    assert auroc(np.array([0.9, 0.5, 0.1]), wrong) == 0
    assert np.isnan(auroc(np.array([0.9, 0.5]), np.array([False, False])))


def test_average_precision_equals_counting_at_every_threshold():
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights, wrong = rng.integers(0, 9, 40) / 8, rng.random(40) < 0.3
        total, before = 0.0, 0.0
        for threshold in sorted(set(weights)):
            flagged = [bool(w) for w, value in zip(wrong, weights) if value <= threshold]
            recall = sum(flagged) / wrong.sum()
            total, before = total + (recall - before) * sum(flagged) / len(flagged), recall
        assert average_precision(weights, wrong) == pytest.approx(total)


def test_average_precision_of_worked_examples():
    wrong = np.array([True, False, True, False])
    assert average_precision(np.array([0.1, 0.2, 0.3, 0.4]), wrong) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([0.1, 0.8, 0.1, 0.9]), wrong) == 1
    assert average_precision(np.full(4, 0.5), wrong) == 0.5  # the share of wrong labels, whatever the order
    assert np.isnan(average_precision(np.array([0.9, 0.5]), np.array([False, False])))
