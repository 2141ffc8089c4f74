"""Label noise against labels exchanged and moved by hand."""

import numpy as np
import pytest
from pycocotools.cocoeval import Params

from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS
from lib.label_noise.corruptions import (
    NOISE_KINDS,
    Labels,
    corrupt,
    corrupt_in_turn,
    labels_differ,
    parse_noise,
    parse_noises,
)
from lib.utils.errors import InputError

SIZE, WIDTH, HEIGHT = 100.0, 640, 480
HEAD = {"nose", "left_eye", "right_eye", "left_ear", "right_ear", "head"}
SHUFFLED = tuple(np.random.default_rng(1).permutation(SHARED_KEYPOINTS))
ORDERS = pytest.mark.parametrize("names", [SHARED_KEYPOINTS, COCO_KEYPOINTS, SHUFFLED])


def clean_labels(names, count=40, seed=0):
    """Joints [N, J, 2] far from the border, and visible [N, J], all 1."""
    rng = np.random.default_rng(seed)
    return rng.uniform(150, 300, (count, len(names), 2)), np.ones((count, len(names)), int)


def run(joints, visible, names, kind, share=1.0, seed=0, keep_labelled=False, **changed):
    """``corrupt`` on instances of SIZE pixels, two to an image."""
    count = len(joints)
    arrays = {"sizes": np.full(count, SIZE), "image_index": np.arange(count) // 2}
    arrays |= {"bounds": np.tile([WIDTH, HEIGHT], (count, 1))} | changed
    labels = Labels(joints, visible, tuple(names), **arrays)
    return corrupt(labels, kind, share, np.random.default_rng(seed), keep_labelled)


def renamed(joints, names, new_name):
    """The joints after ``name`` got the position of joint ``new_name(name)``."""
    return np.stack([joints[:, names.index(new_name(name))] for name in names], axis=1)


def neighbor_on_limb(name):
    neighbor = {"wrist": "elbow", "elbow": "wrist", "knee": "ankle", "ankle": "knee"}
    side, _, part = name.partition("_")
    return f"{side}_{neighbor[part]}" if part in neighbor else name


def other_side(name):
    if name.startswith("left"):
        return name.replace("left", "right")
    return name.replace("right", "left")


def test_none_changes_nothing():
    joints, visible = clean_labels(SHARED_KEYPOINTS)
    after = run(joints, visible, SHARED_KEYPOINTS, "none")
    assert np.array_equal(after.joints, joints) and np.array_equal(after.visible, visible)
    assert not after.corrupted.any()


@ORDERS
def test_exchange_renames_neighbors_of_a_limb(names):
    joints, visible = clean_labels(names)
    after = run(joints, visible, names, "exchange")
    np.testing.assert_array_equal(after.joints, renamed(joints, names, neighbor_on_limb))
    assert {name for name, corrupted in zip(names, after.corrupted.all(0)) if corrupted} == {
        name for name in names if neighbor_on_limb(name) != name
    }


def test_exchange_is_drawn_for_each_limb():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 4000)
    corrupted = run(joints, visible, SHARED_KEYPOINTS, "exchange", 0.3).corrupted
    ends = [SHARED_KEYPOINTS.index(f"{s}_{p}") for s in ("left", "right") for p in ("wrist", "ankle")]
    assert abs(corrupted[:, ends].mean(0) - 0.3).max() < 0.03
    assert abs(np.corrcoef(corrupted[:, ends].T) - np.eye(4)).max() < 0.06


@ORDERS
def test_swaps_of_sides_leave_the_head_alone(names):
    joints, visible = clean_labels(names)
    swapped = renamed(joints, names, lambda name: name if name in HEAD else other_side(name))
    for kind in ("person_swap", "limb_swap"):
        after = run(joints, visible, names, kind)
        np.testing.assert_array_equal(after.joints, swapped)
        assert (after.corrupted == [name not in HEAD for name in names]).all()


def test_limb_swap_takes_arms_or_legs_and_person_swap_both():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 200)
    arms = [i for i, n in enumerate(SHARED_KEYPOINTS) if n.endswith(("shoulder", "elbow", "wrist"))]
    legs = [i for i, n in enumerate(SHARED_KEYPOINTS) if n.endswith(("hip", "knee", "ankle"))]
    limb = run(joints, visible, SHARED_KEYPOINTS, "limb_swap", 0.5).corrupted
    whole = run(joints, visible, SHARED_KEYPOINTS, "person_swap", 0.5).corrupted
    for corrupted in (limb, whole):
        for group in (arms, legs):
            assert (corrupted[:, group].all(1) == corrupted[:, group].any(1)).all()
            assert 0.4 < corrupted[:, group].mean() < 0.6
    assert (limb[:, arms[0]] != limb[:, legs[0]]).any()
    assert (whole[:, arms[0]] == whole[:, legs[0]]).all()


def test_offset_moves_every_joint_by_13_percent_of_the_size():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 2)
    after = run(joints, visible, SHARED_KEYPOINTS, "offset", sizes=np.array([100.0, 50.0]))
    np.testing.assert_allclose(after.joints - joints, np.broadcast_to([[[13.0]], [[6.5]]], joints.shape))
    assert after.corrupted.all()


def test_jitter_moves_joints_by_20_to_50_percent_of_the_size_in_every_direction():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 1000)
    sizes = np.random.default_rng(1).uniform(20, 200, 1000)
    after = run(joints, visible, SHARED_KEYPOINTS, "jitter", sizes=sizes)
    step = (after.joints - joints) / sizes[:, None, None]
    distance = np.hypot(step[..., 0], step[..., 1]).ravel()
    # 13,000 uniform draws: the extremes are within 0.001 of the range's ends, the quarters are equally full.
    assert 0.2 - 1e-9 <= distance.min() < 0.201 and 0.499 < distance.max() <= 0.5 + 1e-9
    counts, _ = np.histogram(distance, 4, (0.2, 0.5))
    np.testing.assert_allclose(counts / len(distance), 0.25, atol=0.02)
    counts, _ = np.histogram(np.arctan2(step[..., 1], step[..., 0]), 8, (-np.pi, np.pi))
    np.testing.assert_allclose(counts / len(distance), 1 / 8, atol=0.015)


def test_jitter_moves_a_share_of_the_joints():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 500)
    after = run(joints, visible, SHARED_KEYPOINTS, "jitter", 0.4)
    assert abs(after.corrupted.mean() - 0.4) < 0.03
    assert np.array_equal(after.joints[~after.corrupted], joints[~after.corrupted])


# A standing person of 40 x 100 pixels that fills half of its box, and COCO's sigmas of its joints.
POSE = {
    "nose": (20, 8), "left_shoulder": (30, 20), "right_shoulder": (10, 20), "left_elbow": (36, 36),
    "right_elbow": (4, 36), "left_wrist": (40, 50), "right_wrist": (0, 50), "left_hip": (26, 52),
    "right_hip": (14, 52), "left_knee": (28, 76), "right_knee": (12, 76), "left_ankle": (29, 100),
    "right_ankle": (11, 100),
}  # fmt: skip
AREA = 40 * 100 / 2
SIGMAS = dict(zip(COCO_KEYPOINTS, Params("keypoints").kpt_oks_sigmas))


def similarity(point, joint, position):
    """COCO's keypoint similarity, a term of OKS."""
    squared = (point[0] - position[0]) ** 2 + (point[1] - position[1]) ** 2
    return np.exp(-squared / (2 * AREA * (2 * SIGMAS[joint]) ** 2))


def error_class(point, joint, own, other):
    """Ronchi & Perona's class of a label of ``joint``; own, other: the true joints of the two persons."""
    best = {
        "own": similarity(point, joint, own[joint]),
        "inversion": max(similarity(point, name, own[name]) for name in own if name != joint),
        "swap": similarity(point, joint, other[joint]),
    }
    nearest = max(best, key=best.get)
    if best[nearest] < 0.5:
        return "miss"
    return nearest if nearest != "own" else "good" if best["own"] >= 0.85 else "jitter"


@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        ("exchange", {"inversion"}),
        ("limb_swap", {"inversion"}),
        ("person_swap", {"inversion"}),
        ("wrong_person", {"swap"}),
        ("offset", {"miss", "inversion"}),  # an inversion where it happens to hit another joint
        ("jitter", {"miss", "inversion"}),
    ],
)
def test_kinds_are_errors_of_their_class_in_cocos_taxonomy(kind, classes):
    left, right = ({name: (x + shift, y + 200) for name, (x, y) in POSE.items()} for shift in (100, 400))
    joints = np.array([list(left.values()), list(right.values())] * 100, float)
    after = run(joints, np.ones(joints.shape[:2]), tuple(POSE), kind)
    seen = []
    for i, j in np.argwhere(after.corrupted):
        own, other = (left, right) if i % 2 == 0 else (right, left)
        seen.append(error_class(after.joints[i, j], tuple(POSE)[j], own, other))
    assert set(seen) == classes and seen.count("miss") >= ("miss" in classes) * len(seen) / 2


def test_moved_labels_stay_in_the_image():
    joints = np.array([[[639.0, 479.0], [635.0, 10.0]]])
    after = run(joints, np.ones((1, 2)), ("left_hip", "right_hip"), "offset")
    np.testing.assert_allclose(after.joints, [[[639, 479], [639, 23]]])
    assert after.corrupted.tolist() == [[False, True]]  # the first is in the corner already and cannot move


def test_clean_labels_outside_the_image_stay_there_and_are_not_corrupted():
    """Only what noise moves is clipped: here the left hip and knee, which are exchanged with the right ones."""
    names = ("left_hip", "right_hip", "head")
    joints = np.array([[[-5.0, 20.0], [30.0, 500.0], [700.0, -3.0]]])
    after = run(joints, np.ones((1, 3)), names, "person_swap")
    assert after.joints.tolist() == [[[30, 479], [0, 20], [700, -3]]]
    assert after.corrupted.tolist() == [[True, True, False]]


def test_wrong_person_copies_labels_of_the_other_person_in_the_image():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 401)  # two an image, the last one alone
    after = run(joints, visible, SHARED_KEYPOINTS, "wrong_person")
    assert not after.corrupted[-1].any()
    other = np.arange(400) ^ 1
    corrupted = after.corrupted[:400]
    np.testing.assert_array_equal(after.joints[:400][corrupted], joints[other][corrupted])
    assert set(corrupted.sum(1)) == {3, 13} and 0.35 < (corrupted.sum(1) == 3).mean() < 0.65
    for row in corrupted[corrupted.sum(1) == 3]:
        limb = [SHARED_KEYPOINTS[i].split("_") for i in np.flatnonzero(row)]
        assert len({side for side, _ in limb}) == 1
        assert {part for _, part in limb} in ({"shoulder", "elbow", "wrist"}, {"hip", "knee", "ankle"})


def test_wrong_person_copies_no_label_that_the_other_lacks():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 2)
    visible[1, 4] = 0
    runs = [run(joints, visible, SHARED_KEYPOINTS, "wrong_person", seed=seed) for seed in range(20)]
    corrupted = np.any([after.corrupted for after in runs], axis=0)
    assert not corrupted[:, 4].any() and np.delete(corrupted, 4, axis=1).all()


def test_missing_removes_labels():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 500)
    visible[:, 3] = 0
    after = run(joints, visible, SHARED_KEYPOINTS, "missing", 0.25)
    assert np.array_equal(after.corrupted, (after.visible == 0) & (visible == 1))
    assert abs(after.corrupted[:, 4:].mean() - 0.25) < 0.03 and not after.visible[:, 3].any()


def test_visibility_adds_labels_inside_the_box_of_the_others():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 60)
    visible[:30, 2] = 0
    joints[:30, 2] = 0
    after = run(joints, visible, SHARED_KEYPOINTS, "visibility")
    assert after.visible.all()
    assert after.corrupted[:30, 2].all() and after.corrupted.sum() == 30
    for person in range(30):
        others, added = np.delete(joints[person], 2, axis=0), after.joints[person, 2]
        assert (added >= others.min(0)).all() and (added <= others.max(0)).all()


def test_visibility_adds_nothing_to_instances_without_labels():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 2)
    after = run(joints, 0 * visible, SHARED_KEYPOINTS, "visibility")
    assert not after.visible.any() and not after.corrupted.any()


@pytest.mark.parametrize(("names", "head"), [(SHARED_KEYPOINTS, "head"), (COCO_KEYPOINTS, "nose")])
def test_convention_moves_the_head_alone(names, head):
    joints, visible = clean_labels(names, 300)
    other = joints[:, names.index(head)] + [3.0, -9.0]
    after = run(joints, visible, names, "convention", 0.5, other_convention={head: other})
    chosen = after.corrupted[:, names.index(head)]
    assert 0.4 < chosen.mean() < 0.6 and after.corrupted.sum() == chosen.sum()
    np.testing.assert_array_equal(after.joints[chosen, names.index(head)], other[chosen])
    with pytest.raises(InputError, match="convention"):
        run(joints, visible, names, "convention")


def test_mixed_draws_one_kind_for_each_person():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 1000)
    after = run(joints, visible, SHARED_KEYPOINTS, "mixed")
    step = np.hypot(*(after.joints - joints).transpose(2, 0, 1))
    exchanged, swapped = (
        (after.joints == renamed(joints, SHARED_KEYPOINTS, new_name)).all((1, 2))
        for new_name in (neighbor_on_limb, other_side)
    )
    offset = np.isclose(after.joints - joints, 13).all((1, 2))
    jittered = ((step >= 20 - 1e-9) & (step <= 50 + 1e-9)).all(1)
    assert (exchanged.astype(int) + swapped + offset + jittered == 1).all()
    shares = [kind.mean() for kind in (exchanged, swapped, offset, jittered)]
    np.testing.assert_allclose(shares, [0.2, 0.4, 0.2, 0.2], atol=0.05)


def test_a_label_is_exchanged_with_an_unlabelled_joint_unless_labelled_joints_are_kept():
    names = ("left_hip", "right_hip", "left_knee", "right_knee")
    joints = np.array([[[10.0, 20], [30, 20], [0, 0], [0, 0]]])
    after = run(joints, np.array([[1, 0, 0, 0]]), names, "person_swap")
    assert after.visible.tolist() == [[0, 1, 0, 0]]
    assert after.corrupted.tolist() == [[True, True, False, False]]
    assert after.joints[0, 1].tolist() == [10, 20]
    after = run(joints, np.array([[1, 0, 0, 0]]), names, "person_swap", keep_labelled=True)
    assert after.visible.tolist() == [[1, 0, 0, 0]] and not after.corrupted.any()
    assert after.joints.tolist() == joints.tolist()


@pytest.mark.parametrize(("kind", "visible"), [("missing", [[0, 0]]), ("visibility", [[1, 1]])])
def test_missing_and_visibility_change_which_joints_are_labelled_in_any_case(kind, visible):
    after = run(np.full((1, 2, 2), 5.0), np.array([[1, 0]]), ("a", "b"), kind, keep_labelled=True)
    assert after.visible.tolist() == visible


def test_kinds_are_applied_in_turn_and_may_undo_each_other():
    joints, visible = clean_labels(SHARED_KEYPOINTS, 4)
    bounds = np.tile([WIDTH, HEIGHT], (4, 1))
    labels = Labels(joints, visible, SHARED_KEYPOINTS, np.full(4, SIZE), np.arange(4), bounds)
    twice = corrupt_in_turn(labels, parse_noises("person_swap:1+person_swap:1"), np.random.default_rng(0))
    np.testing.assert_array_equal(twice.joints, joints)
    assert not twice.corrupted.any()
    both = corrupt_in_turn(labels, parse_noises("person_swap:1+offset:1"), np.random.default_rng(0))
    np.testing.assert_allclose(both.joints, renamed(joints, SHARED_KEYPOINTS, other_side) + 13)
    assert both.corrupted.all()


def test_labels_differ_where_one_is_absent_or_both_are_elsewhere():
    joints = np.zeros((1, 5, 2))
    moved = joints + [[[0, 0], [0, 1], [1, 0], [1, 1], [1, 1]]]
    differ = labels_differ(joints, [[1, 1, 1, 1, 0]], moved, [[2, 1, 1, 0, 0]])
    assert differ.tolist() == [[False, True, True, True, False]]


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_every_kind_marks_exactly_what_changed(kind):
    joints, visible = clean_labels(COCO_KEYPOINTS, 200)
    visible = (np.random.default_rng(5).random(visible.shape) < 0.7).astype(int)
    before = joints.copy(), visible.copy()
    convention = {"nose": joints[:, 0] + 5}
    after = run(joints, visible, COCO_KEYPOINTS, kind, 0.5, other_convention=convention)
    again = run(joints, visible, COCO_KEYPOINTS, kind, 0.5, other_convention=convention)
    nothing = run(joints, visible, COCO_KEYPOINTS, kind, 0.0, other_convention=convention)
    assert np.array_equal(joints, before[0]) and np.array_equal(visible, before[1])
    assert all(np.array_equal(a, b) for a, b in zip(after, again))
    assert not nothing.corrupted.any() and np.array_equal(nothing.joints, joints)
    assert after.corrupted.any() == (kind != "none")
    for person, joint in np.ndindex(*visible.shape):
        had, has = visible[person, joint], after.visible[person, joint]
        moved = (after.joints[person, joint] != joints[person, joint]).any()
        assert after.corrupted[person, joint] == (had != has or bool(had and moved))


def test_parse_noise():
    assert parse_noise("jitter:0.6") == ("jitter", 0.6)
    assert parse_noise("mixed:1") == ("mixed", 1.0)
    assert parse_noise("none") == ("none", 0.0)
    assert parse_noises("jitter:0.5+missing:0.1") == [("jitter", 0.5), ("missing", 0.1)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jiter:0.5", "'jiter'.*'jitter'"),
        ("persn_swap:0.5", "'persn_swap'.*'person_swap'"),
        ("", "kind ''"),
        ("jitter", r"\[0, 1\]"),
        ("jitter:1.5", "'1.5'"),
        ("jitter:-0.1", "'-0.1'"),
        ("jitter:nan", "'nan'"),
        ("jitter:half", "'half'"),
    ],
)
def test_parse_noise_names_what_it_cannot_use(text, says):
    with pytest.raises(InputError, match=says):
        parse_noise(text)


@pytest.mark.parametrize("kind", ["exchange", "limb_swap", "person_swap", "wrong_person", "mixed"])
def test_noise_on_limbs_needs_limbs(kind):
    names = ("hinge", "left_track", "right_track")
    joints, visible = clean_labels(names, 3)
    with pytest.raises(InputError, match=f"'{kind}'.*hinge, left_track, right_track.*offset, jitter"):
        run(joints, visible, names, kind)


@pytest.mark.parametrize("kind", ["none", "offset", "jitter", "missing", "visibility"])
def test_other_noise_works_on_any_joints(kind):
    names = ("hinge", "left_track", "right_track")
    joints, visible = clean_labels(names, 30)
    visible[::2, 0] = 0
    assert run(joints, visible, names, kind).corrupted.any() == (kind != "none")
