from dataclasses import replace

import numpy as np
import pytest

from lib.review.table import Filter, Table
from tests.factories.found_labels import JOINTS


@pytest.fixture
def table(found):
    return Table(found.file, found.labels)


def named(table, rows):
    return [(int(table.labels.annotation_id[row]), str(table.labels.joint[row])) for row in rows]


def test_every_label_is_found_by_annotation_and_joint(table):
    for row, (annotation_id, joint) in enumerate(named(table, range(len(table)))):
        assert table.row(annotation_id, joint) == row


@pytest.mark.parametrize("unknown", [(7, "nose"), (4, "left_wrist"), (8, "left_wrist"), (0, "right_wrist")])
def test_what_the_table_does_not_have_is_not_found(table, unknown):
    assert table.row(*unknown) is None


def test_an_instance_has_its_labels_in_the_order_of_the_joints(table):
    for number in (3, 7):
        assert named(table, table.rows_of_person(number)) == [(number, joint) for joint in JOINTS]
    assert len(table.rows_of_person(5)) == 0


def test_labels_of_an_annotator(found):
    table = Table(found.file, found.labels, {7: "ann", 4: "bob"})
    wanted = Filter(annotator="ann", reviewed="any")
    chosen = table.matching(wanted, np.zeros(len(table), bool))
    assert {number for number, _ in named(table, chosen)} == {7} and len(chosen) == 4
    assert table.annotator[table.row(3, "left_wrist")] == ""
    assert not len(Table(found.file, found.labels).matching(wanted, np.zeros(len(table), bool)))


def test_the_order_by_the_labels_that_a_decision_is_expected_to_right(found):
    """Wrists and elbows are a limb each; a person has four labels, person 3 no right elbow."""
    number, joint = found.labels.annotation_id, found.labels.joint
    kind = np.full(8, "right", "<U16")
    kind[(number == 3) & (joint == "left_wrist")] = "person sides"
    kind[(number == 7) & (joint == "left_elbow")] = "exchanged"
    kind[(number == 7) & (joint == "right_elbow")] = "limb sides"
    probability = np.where(kind == "right", 0.4, 0.3)
    probability[(number == 3) & (joint == "right_wrist")] = np.nan
    table = Table(found.file, replace(found.labels, kind=kind, probability=probability))
    rows = table.matching(Filter(order="gain", reviewed="any"), np.zeros(8, bool))
    assert named(table, rows)[:3] == [(7, "right_elbow"), (3, "left_wrist"), (7, "left_elbow")]
    assert table.gain[rows].tolist() == pytest.approx([0.3 * 4, 0.3 * 3, 0.3 * 2, 0.4, 0.4, 0.4, 0.4, 0])
    plain = table.matching(Filter(reviewed="any"), np.zeros(8, bool))
    assert rows[3:7].tolist() == [row for row in plain if row in rows[3:7]]


REVIEWED = np.arange(8) < 3


@pytest.mark.parametrize(
    "wanted, expected",
    [
        (Filter(), lambda row: not REVIEWED[row["at"]]),
        (Filter(reviewed="yes"), lambda row: REVIEWED[row["at"]]),
        (Filter(reviewed="any"), lambda row: True),
        (Filter(kind="exchanged", reviewed="any"), lambda row: row["kind"] == "exchanged"),
        (Filter(kind="missing", reviewed="any"), lambda row: row["kind"] == "missing"),
        (Filter(joint="left_elbow", reviewed="any"), lambda row: row["joint"] == "left_elbow"),
        (Filter(low=0, high=2.5, reviewed="any"), lambda row: 0 <= row["score"] <= 2.5),
        (
            Filter(high=2.5, kind="right"),
            lambda row: not REVIEWED[row["at"]] and row["kind"] == "right" and row["score"] <= 2.5,
        ),  # fmt: skip
        (Filter(image="A/5", reviewed="any"), lambda row: True),
        (Filter(image="6.jpg", reviewed="any"), lambda row: False),
    ],
)
def test_filters(table, wanted, expected):
    rows = [
        {"at": at, "kind": table.labels.kind[at], "joint": table.labels.joint[at], "score": table.labels.score[at]}
        for at in range(len(table))
    ]  # fmt: skip
    assert table.matching(wanted, REVIEWED).tolist() == [row["at"] for row in rows if expected(row)]
