import csv
from dataclasses import fields, replace

import numpy as np
import pytest

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import joint_mapping
from lib.ignoring.suspects import Suspects
from lib.ignoring.weight_table import WeightTable, index_by_id, read_weight_table, write_weight_table
from lib.utils.errors import InputError

ANNOTATIONS = Annotations(
    mapping=joint_mapping("coco", ("left_knee", "head")),
    ids=np.array([40, 7, 12]),
    image_paths=("images/b/a.jpg", "images/c/a.jpg"),
    image_names=("b/a.jpg", "c/a.jpg"),
    image_index=np.array([0, 1, 0]),
    joints=np.zeros((3, 2, 2)),
    visible=np.array([[1, 1], [0, 1], [1, 0]]),
    centers=np.zeros((3, 2)),
    sizes=np.ones((3, 2)),
)
WEIGHTS = np.array([[0.5, 0.25], [0.0, 0.75], [0.25, 0.125]])
SEEN = np.array([[3, 1], [0, 2], [5, 0]])
SCORES = np.array([[0.0, 1.5], [6.0, -1.25], [2.5, 2.0]])  # they tell the two weights 0.25 apart


@pytest.fixture
def path(tmp_path):
    write_weight_table(tmp_path / "weights.csv", ANNOTATIONS, WeightTable(WEIGHTS, SEEN, SCORES))
    return tmp_path / "weights.csv"


def test_labelled_keypoints_are_ranked_and_the_others_follow(path):
    assert path.read_text().splitlines() == [
        "rank,annotation_id,image,joint,weight,score,times_seen,target_weight",
        "1,12,b/a.jpg,left_knee,0.25,2.5,5,1",
        "2,40,b/a.jpg,head,0.25,1.5,1,1",
        "3,40,b/a.jpg,left_knee,0.5,0.0,3,1",
        "4,7,c/a.jpg,head,0.75,-1.25,2,1",
        ",7,c/a.jpg,left_knee,0.0,6.0,0,0",
        ",12,b/a.jpg,head,0.125,2.0,0,0",
    ]


def many(count, rows=slice(None)):
    """``count`` fully labelled annotations with the ids 100, 101, ...; ``rows``: their order in the file."""
    ids = np.arange(100, 100 + count)[rows]
    return replace(
        ANNOTATIONS,
        ids=ids,
        image_index=np.zeros(count, int),
        joints=np.zeros((count, 2, 2)),
        visible=np.ones((count, 2)),
        centers=np.zeros((count, 2)),
        sizes=np.ones((count, 2)),
    )


def ranked_labels(path):
    return [(row["annotation_id"], row["joint"]) for row in csv.DictReader(path.open()) if row["rank"]]


@pytest.mark.parametrize("rows", [slice(None, None, -1), np.random.default_rng(0).permutation(200)])
def test_precision_at_the_top_does_not_depend_on_the_order_of_the_file(tmp_path, rows):
    """Equal weights, and only the first 40 of 200 people are wrong: sorted by position, precision would be 1 or 0."""
    count, seen = 200, np.ones((200, 2), int)
    for name, annotations in (("as_it_is", many(count)), ("other", many(count, rows))):
        write_weight_table(
            tmp_path / f"{name}.csv", annotations, WeightTable(np.full((count, 2), 0.0025), seen)
        )
    top = ranked_labels(tmp_path / "as_it_is.csv")[:100]
    precision = np.mean([int(number) < 140 for number, _ in top])
    assert 0.08 < precision < 0.32  # 0.2 within four standard deviations of chance
    assert ranked_labels(tmp_path / "other.csv")[:100] == top


def test_all_digits_are_written(tmp_path):
    weights = np.array([[1 / 3, 0.1 + 0.2], [np.float32(0.3), 1e-9], [1 - 1e-15, 5e-324]])
    scores = np.array([[1 / 7, 1e300], [-np.pi, 1e-300], [0.1, 2 / 3]])
    write_weight_table(tmp_path / "w.csv", ANNOTATIONS, WeightTable(weights, SEEN, scores))
    table = read_weight_table(tmp_path / "w.csv", ANNOTATIONS)
    assert (table.weights == weights).all() and (table.scores == scores).all()


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_an_image_name_is_no_formula_for_a_spreadsheet(tmp_path, start):
    annotations = replace(ANNOTATIONS, image_names=(f"{start}1.jpg", "b=1.jpg"))
    write_weight_table(tmp_path / "w.csv", annotations, WeightTable(WEIGHTS, SEEN))
    names = {row["image"] for row in csv.DictReader((tmp_path / "w.csv").open())}
    assert names == {f"'{start}1.jpg", "b=1.jpg"}


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_what_was_written_is_read(path, suffix):
    table = read_weight_table(path.with_suffix(suffix), ANNOTATIONS)
    assert (table.weights == WEIGHTS).all() and (table.seen == SEEN).all()
    assert (table.scores == SCORES).all()


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_rows_go_by_id(path, suffix):
    order = np.array([2, 0, 1])
    table = read_weight_table(path.with_suffix(suffix), ANNOTATIONS.subset(order))
    for found, written in ((table.weights, WEIGHTS), (table.seen, SEEN), (table.scores, SCORES)):
        assert (found == written[order]).all()
    assert table.suspects is None


def test_tables_of_earlier_versions_have_no_scores(path):
    """A rounded weight, and neither a column nor an array of scores."""
    rows = list(csv.DictReader(path.open()))
    with path.open("w") as file:
        table = csv.DictWriter(file, [name for name in rows[0] if name != "score"], extrasaction="ignore")
        table.writeheader()
        table.writerows(row | {"weight": f"{float(row['weight']):.6f}"} for row in rows)
    arrays = dict(np.load(path.with_suffix(".npz")))
    del arrays["scores"]
    np.savez(path.with_suffix(".npz"), **arrays)
    for suffix in (".csv", ".npz"):
        table = read_weight_table(path.with_suffix(suffix), ANNOTATIONS)
        assert (table.weights == WEIGHTS).all() and (table.scores == 1 - WEIGHTS).all()


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
        ("1,12,b/a.jpg,left_knee,0.25", "1,12,b/a.jpg,left_knee,nan"),
        ("1,12,b/a.jpg,left_knee,0.25", "1,12,b/a.jpg,left_knee,1.5"),
        ("1,12,b/a.jpg,left_knee,0.25", "1,12,b/a.jpg,left_knee,"),
        ("left_knee,0.25,2.5", "left_knee,0.25,nan"),
        ("left_knee,0.25,2.5", "left_knee,0.25,inf"),
        ("left_knee,0.25,2.5", "left_knee,0.25,"),
        ("1,12,b/a.jpg,left_knee", "1,40,b/a.jpg,left_knee"),
        ("1,12,b/a.jpg,left_knee,0.25,2.5,5,1\n", ""),
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


NAN = np.nan
SUSPECTS = Suspects(
    probability=np.array([[0.9, 0.25], [0.0, 0.0625], [0.5, 0.0]]),
    kind=np.array([["exchanged", "right"], ["missing", "right"], ["other instance", ""]]),
    partner=np.array([[1, -1], [-1, -1], [-1, -1]]),
    proposed=np.array([[[3.5, 4.25], [NAN, NAN]], [[7, 8], [0, 0]], [[NAN, NAN], [NAN, NAN]]]),
    sureness=np.array([[0.75, 0.5], [1.0, 0.0], [0.125, 0.0]]),
)
JUDGED = WeightTable(WEIGHTS, SEEN, SCORES, SUSPECTS)


@pytest.fixture
def judged(tmp_path):
    write_weight_table(tmp_path / "judged.csv", ANNOTATIONS, JUDGED)
    return tmp_path / "judged.csv"


def test_what_is_held_of_a_label_stands_beside_it(judged):
    header, *rows = judged.read_text().splitlines()
    assert header.endswith("target_weight,probability,kind,partner,sureness,x,y,proposed_x,proposed_y")
    ends = {(row[1], row[3]): row[8:] for row in csv.reader(rows)}
    assert ends == {
        ("40", "left_knee"): ["0.9", "exchanged", "head", "0.75", "0.0", "0.0", "3.5", "4.25"],
        ("40", "head"): ["0.25", "right", "", "0.5", "0.0", "0.0", "", ""],
        ("7", "left_knee"): ["0.0", "missing", "", "1.0", "", "", "7.0", "8.0"],  # there is no label
        ("7", "head"): ["0.0625", "right", "", "0.0", "0.0", "0.0", "0.0", "0.0"],
        ("12", "left_knee"): ["0.5", "other instance", "", "0.125", "0.0", "0.0", "", ""],
        ("12", "head"): ["0.0", "", "", "0.0", "", "", "", ""],
    }


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_what_is_held_of_labels_is_read_by_id(judged, suffix, order):
    table = read_weight_table(judged.with_suffix(suffix), ANNOTATIONS.subset(np.array(order)))
    for field in fields(Suspects):
        found, written = getattr(table.suspects, field.name), getattr(SUSPECTS, field.name)[order]
        np.testing.assert_array_equal(found, written, field.name)
        assert found.dtype.kind == written.dtype.kind
    assert (table.weights == WEIGHTS[order]).all() and (table.scores == SCORES[order]).all()


def test_positions_and_probabilities_of_the_table_are_rounded_and_those_of_the_arrays_are_not(tmp_path):
    exact = replace(SUSPECTS, probability=np.full((3, 2), 1 / 3), proposed=np.full((3, 2, 2), 200 / 3))
    write_weight_table(tmp_path / "w.csv", ANNOTATIONS, replace(JUDGED, suspects=exact))
    rounded, arrays = (
        read_weight_table(tmp_path / f"w{end}", ANNOTATIONS).suspects for end in (".csv", ".npz")
    )
    assert (rounded.probability == 0.3333).all() and (rounded.proposed == 66.67).all()
    assert (arrays.probability == 1 / 3).all() and (arrays.proposed == 200 / 3).all()


@pytest.mark.parametrize(
    "old, new",
    [
        (",0.9,exchanged", ",1.5,exchanged"),
        (",0.9,exchanged", ",nan,exchanged"),
        (",0.9,exchanged", ",,exchanged"),
        ("exchanged,head", "exchanged,tail"),
        ("head,0.75", "head,-1"),
        ("3.5,4.25", "3.5,inf"),
        ("3.5,4.25", "3.5,left"),
    ],
)
def test_a_damaged_judgement_in_a_table_is_refused(judged, old, new):
    assert old in judged.read_text()
    judged.write_text(judged.read_text().replace(old, new))
    refused(judged)


@pytest.mark.parametrize(
    "changed",
    [
        {"probability": np.full((3, 2), 2.0)},
        {"probability": np.full((2, 2), 0.5)},
        {"probability": np.full((3, 2), "0.5")},
        {"kind": np.zeros((3, 2))},
        {"partner": np.full((3, 2), 2)},
        {"proposed": np.zeros((3, 2))},
        {"proposed": np.full((3, 2, 2), np.inf)},
        {"sureness": np.full((3, 2), -0.5)},
        {"sureness": None},
    ],
)
def test_damaged_arrays_of_a_judgement_are_refused(judged, changed):
    file = judged.with_suffix(".npz")
    arrays = dict(np.load(file)) | changed
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    refused(file)
