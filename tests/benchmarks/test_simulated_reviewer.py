"""The reviewer who sees the truth, on labels made wrong by hand."""

import numpy as np
import pytest

from benchmarks.simulated_reviewer import expected_gain, review, true_gain
from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import JointMapping
from lib.dataset.skeleton import Skeleton
from lib.ignoring.suspects import Suspects
from lib.label_noise.truth import Truth
from lib.review.apply import read_reviewed
from lib.review.decisions import Verdict, append_decision, decisions_path
from lib.review.reviewed import reviewed_labels
from tests.factories.reviews import judge

JOINTS = ("left_wrist", "right_wrist", "left_elbow", "right_elbow", "head", "left_ear", "right_ear")
LEFT_WRIST, RIGHT_WRIST, LEFT_ELBOW, RIGHT_ELBOW, HEAD, LEFT_EAR, RIGHT_EAR = range(
    7
)  # no line leads to the ears
PLACES = np.array([[10, 40], [90, 40], [20, 20], [80, 20], [50, 0], [45, 5], [55, 5]], np.float32)


def case(*people: dict[int, tuple | None], unseen: int | None = None) -> tuple[Annotations, Truth]:
    """Instances whose labels are those of PLACES but for the given ones (None: no label); ``unseen`` has no true place."""
    joints = np.stack([PLACES] * len(people))
    visible = np.ones(joints.shape[:2], np.float32)
    clean = joints.astype(float)
    if unseen is not None:
        clean[:, unseen], visible[:, unseen] = np.nan, 0
    for i, labels in enumerate(people):
        for j, place in labels.items():
            visible[i, j] = place is not None
            joints[i, j] = place or (0, 0)
    moved = (visible > 0) & (joints != clean).any(axis=2)
    wrong = ((visible > 0) != np.isfinite(clean[..., 0])) | moved
    annotations = Annotations(
        mapping=JointMapping("coco_format", Skeleton.of(JOINTS), JOINTS, JOINTS),
        ids=np.arange(len(people)),
        image_paths=["1.jpg"],
        image_index=np.zeros(len(people), int),
        joints=joints,
        visible=visible,
        centers=np.zeros((len(people), 2)),
        sizes=np.ones((len(people), 2)),
    )
    return annotations, Truth(clean, wrong)


def place(joint: int) -> tuple:
    return tuple(PLACES[joint].tolist())


WRISTS = {LEFT_WRIST: place(RIGHT_WRIST), RIGHT_WRIST: place(LEFT_WRIST)}
ARMS = WRISTS | {LEFT_ELBOW: place(RIGHT_ELBOW), RIGHT_ELBOW: place(LEFT_ELBOW)}
SIDES = ARMS | {LEFT_EAR: place(RIGHT_EAR), RIGHT_EAR: place(LEFT_EAR)}
ARM = {LEFT_WRIST: place(LEFT_ELBOW), LEFT_ELBOW: place(LEFT_WRIST)}


@pytest.mark.parametrize(
    ("labels", "verdict", "settled"),
    [
        ({}, Verdict.RIGHT, [LEFT_WRIST]),
        ({LEFT_WRIST: (11, 40)}, Verdict.MOVED, [LEFT_WRIST]),
        (WRISTS, Verdict.EXCHANGED, [LEFT_WRIST, RIGHT_WRIST]),
        (ARM, Verdict.EXCHANGED, [LEFT_WRIST, LEFT_ELBOW]),
        (ARMS, Verdict.LIMB, [LEFT_WRIST, RIGHT_WRIST, LEFT_ELBOW, RIGHT_ELBOW]),
        (SIDES, Verdict.SIDES, [LEFT_WRIST, RIGHT_WRIST, LEFT_ELBOW, RIGHT_ELBOW, LEFT_EAR, RIGHT_EAR]),
        # One is wrong in another way, too: it is still to be looked at after the exchange of the sides.
        (ARMS | {RIGHT_ELBOW: (3, 3)}, Verdict.LIMB, [LEFT_WRIST, RIGHT_WRIST, RIGHT_ELBOW]),
        (
            SIDES | {RIGHT_ELBOW: (3, 3)},
            Verdict.SIDES,
            [LEFT_WRIST, RIGHT_WRIST, RIGHT_ELBOW, LEFT_EAR, RIGHT_EAR],
        ),
        # To exchange the sides would wrong the elbows.
        (
            SIDES | {LEFT_ELBOW: place(LEFT_ELBOW), RIGHT_ELBOW: place(RIGHT_ELBOW)},
            Verdict.EXCHANGED,
            [LEFT_WRIST, RIGHT_WRIST],
        ),
        # To exchange these would wrong the one that is right.
        ({LEFT_WRIST: place(RIGHT_WRIST)}, Verdict.MOVED, [LEFT_WRIST]),
        (WRISTS | {RIGHT_WRIST: (3, 3)}, Verdict.MOVED, [LEFT_WRIST]),
    ],
)
def test_first_decision(labels, verdict, settled):
    annotations, truth = case(labels)
    done = review(annotations, truth, [LEFT_WRIST], 1)
    assert done.verdicts == (verdict,)
    assert np.flatnonzero(done.settled[0]).tolist() == settled
    assert done.left == truth.corrupted.sum() - truth.corrupted[0, settled].sum()
    assert (done.annotations.joints[0, settled] == PLACES[settled]).all()


def test_a_label_without_a_true_place_is_hidden():
    annotations, truth = case({HEAD: (1, 2)}, unseen=HEAD)
    done = review(annotations, truth, [HEAD], 5)
    assert (done.verdicts, done.left) == ((Verdict.WRONG,), 0)
    assert done.annotations.visible[0].tolist() == [1, 1, 1, 1, 0, 1, 1]


def test_a_place_is_given_back_to_the_joint_that_lost_its_label():
    annotations, truth = case({LEFT_WRIST: place(LEFT_ELBOW), LEFT_ELBOW: None}, unseen=LEFT_WRIST)
    done = review(annotations, truth, [LEFT_WRIST], 1)
    assert (done.verdicts, done.left) == ((Verdict.EXCHANGED,), 0)
    assert done.annotations.visible[0].tolist() == [0, 1, 1, 1, 1, 1, 1]
    assert done.annotations.joints[0, LEFT_ELBOW].tolist() == PLACES[LEFT_ELBOW].tolist()


def test_everything_is_right_in_the_end_and_what_is_settled_is_skipped():
    people = (SIDES | {HEAD: (3, 3)}, {}, WRISTS, ARMS)
    annotations, truth = case(*people)
    before = annotations.joints.copy()
    done = review(annotations, truth, range(28), 100)
    assert done.left == 0 and done.settled.all()
    assert (done.annotations.joints == PLACES).all() and (annotations.joints == before).all()
    right, moved, sides, exchanged = Verdict.RIGHT, Verdict.MOVED, Verdict.SIDES, Verdict.EXCHANGED
    assert done.verdicts == (sides, moved, *[right] * 7, exchanged, *[right] * 5, Verdict.LIMB, *[right] * 3)


def test_reviews_are_in_the_order_given_and_so_many():
    annotations, truth = case(WRISTS, {HEAD: (1, 1)}, {LEFT_ELBOW: (2, 2)})
    order = [7 + LEFT_WRIST, 14 + LEFT_ELBOW, LEFT_WRIST, 7 + HEAD]
    left = [review(annotations, truth, order, count).left for count in range(6)]
    assert left == [4, 4, 3, 1, 0, 0]
    assert len(review(annotations, truth, order, 5).decisions) == 4


def test_decisions_are_about_the_labels_of_the_file():
    """Left and right are exchanged, and of the left arm wrist and elbow, too: after the one, not the other any more."""
    labels = SIDES | {LEFT_WRIST: place(RIGHT_ELBOW), LEFT_ELBOW: place(RIGHT_WRIST)}
    annotations, truth = case(labels)
    done = review(annotations, truth, range(4), 9)  # the ears, too, by the exchange of the sides
    exchanged = [(d.joint, d.partner) for d in done.decisions if d.verdict is Verdict.EXCHANGED]
    assert exchanged == [] and done.verdicts == (Verdict.SIDES, Verdict.MOVED, Verdict.MOVED)
    assert (done.annotations.joints == PLACES).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_applied_is_what_the_reviewer_left(tmp_path, seed):
    """Labels made wrong in many ways at once, reviewed, and the decisions applied by what apply_corrections.py uses."""
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(60):
        labels = {
            j: place(k) for j, k in zip(range(7), rng.permutation(7) if rng.random() < 0.5 else range(7))
        }
        labels |= (ARMS, SIDES, {}, {})[rng.integers(4)]
        labels |= {int(j): (3, 3) for j in np.flatnonzero(rng.random(7) < 0.15)}
        labels |= {int(j): None for j in np.flatnonzero(rng.random(7) < 0.15)}
        people.append(labels)
    annotations, truth = case(*people, unseen=HEAD if seed else None)
    done = review(annotations, truth, rng.permutation(np.flatnonzero(annotations.visible)), 120)
    path = tmp_path / "labels.json"
    path.write_text("{}")
    found = judge(tmp_path, path, annotations)
    for decision in done.decisions:
        append_decision(decisions_path(tmp_path, "ann"), found.file, decision)
    known = reviewed_labels(annotations, found.file, [read_reviewed(tmp_path)])
    expected = {Verdict.LIMB, Verdict.SIDES, Verdict.EXCHANGED, Verdict.MOVED, Verdict.RIGHT}
    assert expected <= set(done.verdicts)
    assert known.disagreed == 0 and (known.settled >= done.settled).all()
    np.testing.assert_array_equal(
        known.annotations.visible[done.settled], done.annotations.visible[done.settled]
    )
    seen = done.settled & (done.annotations.visible > 0)
    np.testing.assert_array_equal(known.annotations.joints[seen], done.annotations.joints[seen])


def test_what_a_decision_settles():
    annotations, truth = case(SIDES | {HEAD: (3, 3)}, {}, WRISTS, ARMS, {LEFT_ELBOW: None})
    assert true_gain(annotations, truth)[:4].tolist() == [
        [6, 6, 6, 6, 1, 6, 6],
        [0] * 7,
        [2, 2, *[0] * 5],
        [4, 4, 4, 4, *[0] * 3],
    ]
    kind = np.full((5, 7), "right", "<U12")
    kind[0, :2], kind[1, 0], kind[2, :2] = "person sides", "moved", ("exchanged", "limb sides")
    kind[3, [LEFT_ELBOW, LEFT_EAR]], kind[4, RIGHT_WRIST] = "limb sides", "limb sides"
    nothing = np.zeros((5, 7))
    suspects = Suspects(np.full((5, 7), 0.5), kind, nothing, nothing, nothing)
    assert expected_gain(annotations, suspects).tolist() == [
        [3, 3, *[0.5] * 5],
        [0.5] * 7,
        [1, 2, *[0.5] * 5],
        [0.5, 0.5, 2, 0.5, 0.5, 1, 0.5],  # an ear has no limb
        [0.5, 1.5, *[0.5] * 5],  # three labels of the arms
    ]
