import numpy as np
import pytest

from lib.ignoring.suspects import count_kinds, in_words, known_labels
from tests.factories.suspects import suspects_of

NAMES = ("left_knee", "right_wrist")


@pytest.mark.parametrize(
    ("kind", "partner", "expected"),
    [
        ("exchanged", 1, "exchanged with right wrist"),
        ("limb sides", 1, "left and right of the limb"),
        ("person sides", 1, "left and right of the person"),
        ("moved", -1, "moved"),
        ("other instance", -1, "of another instance"),
        ("surplus", -1, "no such joint to be seen"),
        ("right", -1, ""),
        ("missing", -1, ""),
        ("", -1, ""),
    ],
)
def test_what_is_wrong_in_words(kind, partner, expected):
    suspects = suspects_of(
        np.array([[0.968, 0.0]]), kind=np.array([[kind, ""]]), partner=np.array([[partner, -1]])
    )
    assert suspects.reason(0, 0, NAMES) == expected
    assert suspects.verdict(0, 0) == "wrong 97 %"


def test_kinds_are_counted_most_frequent_first():
    kinds = np.array(["moved", "right", "exchanged", "moved", "exchanged", "moved"])
    assert in_words(count_kinds(kinds)) == "3 moved, 2 exchanged, 1 rather right"
    assert count_kinds(kinds[:0]) == {}


def test_what_is_known():
    labelled, seen = np.array([[True, True, False, True]]), np.array([[0, 2, 2, 2]])
    assert known_labels(labelled, seen, None).tolist() == [[False, True, False, True]]
    # Every label that could be read was judged, whether a batch contained it or not.
    suspects = suspects_of(np.zeros((1, 4)), kind=np.array([["right", "moved", "missing", ""]]))
    assert known_labels(labelled, seen, suspects).tolist() == [[True, True, False, False]]
