"""What reviews say together, against outcomes written down by hand."""

from dataclasses import replace

import pytest

from lib.review.corrections import corrections_of
from lib.review.decisions import read_reviews
from lib.utils.errors import InputError
from tests.factories.reviews import decide, with_eyes

L, R, LE, RE = "left_wrist", "right_wrist", "left_elbow", "right_elbow"
LEFT_EYE, RIGHT_EYE = "left_eye", "right_eye"
ARMS = {L: R, R: L, LE: RE, RE: LE}
EYES = {LEFT_EYE: RIGHT_EYE, RIGHT_EYE: LEFT_EYE}
PLACE = {"x": 1.5, "y": 2}
HIDE_R = (7, R, "wrong")


def exchanged(joint, partner, annotation_id=7):
    return annotation_id, joint, "exchanged", {"partner": partner}


def outcomes(found, preferred=None, **said):
    """{joint: joint whose label it gets, place, or None}, and the joints that are disagreed on, of annotation 7."""
    for reviewer, decisions in said.items():
        decide(found.folder, found.file, reviewer, *decisions)
    corrections = corrections_of(read_reviews(found.folder, found.file), found.file, preferred)
    assert {number for number, _ in corrections.outcomes} <= {7}
    return (
        {joint: outcome.label_of or outcome.place for (_, joint), outcome in corrections.outcomes.items()},
        {disagreement.joint for disagreement in corrections.disagreements},
    )


@pytest.mark.parametrize(
    "said, expected",
    [
        ([(7, L, "right"), (7, R, "wrong")], {L: L, R: None}),
        ([(7, L, "moved", PLACE), (7, LE, "skipped")], {L: (1.5, 2)}),
        ([exchanged(L, R)], {L: R, R: L}),
        ([exchanged(L, R), exchanged(L, R)], {L: R, R: L}),  # twice is once
        ([exchanged(L, R), exchanged(R, L)], {L: R, R: L}),
        ([exchanged(L, R), exchanged(L, LE)], {L: LE, LE: L}),  # the right wrist cannot get it, too
        ([exchanged(L, R), exchanged(LE, RE)], {L: R, R: L, LE: RE, RE: LE}),
        ([exchanged(L, R), (7, L, "moved", PLACE)], {L: (1.5, 2), R: L}),
        ([exchanged(L, R), (7, R, "wrong")], {L: R, R: None}),
        ([exchanged(L, R), (7, L, "right")], {L: L}),
        ([(7, L, "right"), exchanged(L, R)], {L: R, R: L}),
        ([(7, R, "right"), (7, L, "sides")], {L: R, R: L, LE: RE, RE: LE}),
        ([(7, L, "sides"), (7, L, "moved", PLACE)], {L: (1.5, 2), R: L, LE: RE, RE: LE}),
        ([(7, L, "sides"), (7, RE, "right")], {L: R, R: L, RE: RE}),
        ([(7, L, "sides"), exchanged(L, LE)], {L: LE, LE: L}),
        ([(7, L, "moved", PLACE), (7, LE, "sides")], {L: R, R: L, LE: RE, RE: LE}),
        ([exchanged(L, R), (7, L, "undo", {"undoes": 1})], {}),
        ([exchanged(L, R), (7, L, "right"), (7, L, "undo", {"undoes": 2})], {L: R, R: L}),
    ],
)
def test_one_reviewer(found, said, expected):
    assert outcomes(found, ann=said) == (expected, set())


@pytest.mark.parametrize(
    "ann, bo, expected, disputed",
    [
        ([(7, L, "right")], [(7, R, "wrong")], {L: L, R: None}, set()),
        ([(7, L, "right")], [(7, L, "right")], {L: L}, set()),
        ([(7, L, "moved", PLACE)], [(7, L, "moved", PLACE)], {L: (1.5, 2)}, set()),
        ([exchanged(L, R)], [(7, L, "sides")], {L: R, R: L, LE: RE, RE: LE}, set()),
        ([(7, L, "right")], [(7, L, "wrong")], {}, {L}),
        ([(7, L, "moved", PLACE)], [(7, L, "moved", {"x": 1.5, "y": 3})], {}, {L}),
        ([exchanged(L, R)], [(7, L, "right"), (7, LE, "right")], {LE: LE}, {L, R}),  # not half an exchange
        ([(7, L, "sides")], [(7, R, "wrong")], {LE: RE, RE: LE}, {L, R}),
        ([exchanged(L, R)], [exchanged(R, LE)], {}, {L, R, LE}),
        ([exchanged(L, R), HIDE_R], [exchanged(LE, R), HIDE_R], {R: None}, {L, LE}),  # two get the same label
        ([exchanged(L, R)], [(7, L, "skipped")], {L: R, R: L}, set()),
    ],
)
def test_two_reviewers(found, ann, bo, expected, disputed):
    assert outcomes(found, ann=ann, bo=bo) == (expected, disputed)


@pytest.mark.parametrize(
    "ann, bo, expected",
    [
        ([(7, L, "right")], [(7, L, "wrong"), (7, R, "wrong")], {L: L, R: None}),
        ([exchanged(L, R)], [(7, L, "right"), (7, LE, "right")], {L: R, R: L, LE: LE}),
        ([(7, L, "right")], [exchanged(L, R), (7, LE, "wrong")], {L: L, LE: None}),
        ([exchanged(L, R)], [exchanged(R, LE)], {L: R, R: L}),
    ],
)
def test_a_preferred_reviewer_is_right(found, ann, bo, expected):
    assert outcomes(found, "ann", ann=ann, bo=bo) == (expected, set())


@pytest.mark.parametrize(
    "ann, bo, expected, disputed",
    [
        ([(7, L, "limb")], [(7, RE, "limb")], ARMS, set()),
        ([(7, L, "limb")], [(7, LEFT_EYE, "sides")], ARMS | EYES, set()),
        ([(7, LEFT_EYE, "sides"), (7, L, "limb")], [], ARMS | EYES, set()),
        ([(7, L, "limb"), (7, L, "moved", PLACE)], [], ARMS | {L: (1.5, 2)}, set()),
        ([(7, L, "limb")], [exchanged(L, R), (7, LEFT_EYE, "right")], ARMS | {LEFT_EYE: LEFT_EYE}, set()),
        ([(7, L, "limb")], [(7, RE, "right")], {L: R, R: L}, {LE, RE}),
    ],
)
def test_exchanged_limbs(found, ann, bo, expected, disputed):
    assert outcomes(replace(found, file=with_eyes(found.file)), ann=ann, bo=bo) == (expected, disputed)


def test_others_still_disagree_beside_the_preferred_reviewer(found):
    said = {"ann": [(7, L, "right")], "bo": [(7, R, "right")], "cy": [(7, R, "wrong"), (7, L, "wrong")]}
    assert outcomes(found, "ann", **said) == ({L: L}, {R})


def test_who_says_what(found):
    decide(found.folder, found.file, "ann", exchanged(L, R), (3, L, "moved", PLACE))
    decide(found.folder, found.file, "bo", (7, L, "right"), (3, L, "wrong"), (3, R, "right"))
    decide(found.folder, found.file, "cy", (3, R, "right"))
    corrections = corrections_of(read_reviews(found.folder, found.file), found.file)
    assert sorted(map(str, corrections.disagreements)) == [
        "annotation 3, left_wrist: ann: moved to (1.5, 2); bo: wrong",
        "annotation 7, left_wrist: ann: exchanged with right_wrist; bo: right",
        "annotation 7, right_wrist: ann: exchanged with left_wrist; "
        "ann: left_wrist exchanged with right_wrist; bo: left_wrist right",
    ]
    (outcome,) = corrections.outcomes.values()
    assert outcome.reviewers == ("bo", "cy") and outcome.verdict == "right"


def test_an_exchanged_limb_in_words(found):
    decide(found.folder, found.file, "ann", (7, L, "limb"))
    decide(found.folder, found.file, "bo", (7, RE, "right"))
    corrections = corrections_of(read_reviews(found.folder, found.file), found.file)
    assert "annotation 7, right_elbow: ann: left and right of the limb exchanged; bo: right" in map(
        str, corrections.disagreements
    )


def test_nobody_of_the_preferred_name(found):
    decide(found.folder, found.file, "ann", (7, L, "right"))
    with pytest.raises(InputError, match="--prefer bo: has no decisions here, expected one of ann"):
        outcomes(found, "bo")
