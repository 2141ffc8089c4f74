"""Label noise, against labels exchanged and moved by hand."""

import numpy as np
import pytest

from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS
from lib.label_noise.corruptions import NOISE_KINDS, corrupt, parse_noise
from lib.utils.errors import InputError

SIZE, WIDTH, HEIGHT = 100.0, 640, 480
HEAD = {"nose", "left_eye", "right_eye", "left_ear", "right_ear", "head"}
SHUFFLED = tuple(np.random.default_rng(1).permutation(SHARED_KEYPOINTS))
ORDERS = pytest.mark.parametrize("names", [SHARED_KEYPOINTS, COCO_KEYPOINTS, SHUFFLED])


def people(names, count=40, seed=0):
    """Right labels far from the border, all annotated: joints and visible."""
    rng = np.random.default_rng(seed)
    return rng.uniform(150, 300, (count, len(names), 2)), np.ones((count, len(names)), int)


def run(joints, visible, names, kind, share=1.0, seed=0, **changed):
    count = len(joints)
    given = {"size": np.full(count, SIZE), "image_of": np.arange(count) // 2}
    given |= {"bounds": np.tile([WIDTH, HEIGHT], (count, 1))} | changed
    return corrupt(joints, visible, names, kind, share, np.random.default_rng(seed), **given)


def renamed(joints, names, new_name):
    """The labels after joint ``name`` got the place of joint ``new_name(name)``."""
    return np.stack([joints[:, names.index(new_name(name))] for name in names], axis=1)


def neighbour_on_limb(name):
    neighbour = {"wrist": "elbow", "elbow": "wrist", "knee": "ankle", "ankle": "knee"}
    side, _, part = name.partition("_")
    return f"{side}_{neighbour[part]}" if part in neighbour else name


def other_side(name):
    if name.startswith("left"):
        return name.replace("left", "right")
    return name.replace("right", "left")


def test_none_changes_nothing():
    joints, visible = people(SHARED_KEYPOINTS)
    after = run(joints, visible, SHARED_KEYPOINTS, "none")
    assert np.array_equal(after.joints, joints) and np.array_equal(after.visible, visible)
    assert not after.wrong.any()


@ORDERS
def test_exchange_renames_neighbours_of_a_limb(names):
    joints, visible = people(names)
    after = run(joints, visible, names, "exchange")
    np.testing.assert_array_equal(after.joints, renamed(joints, names, neighbour_on_limb))
    assert {name for name, wrong in zip(names, after.wrong.all(0)) if wrong} == {
        name for name in names if neighbour_on_limb(name) != name
    }


def test_exchange_is_drawn_for_each_limb():
    joints, visible = people(SHARED_KEYPOINTS, 4000)
    wrong = run(joints, visible, SHARED_KEYPOINTS, "exchange", 0.3).wrong
    ends = [SHARED_KEYPOINTS.index(f"{s}_{p}") for s in ("left", "right") for p in ("wrist", "ankle")]
    assert abs(wrong[:, ends].mean(0) - 0.3).max() < 0.03
    assert abs(np.corrcoef(wrong[:, ends].T) - np.eye(4)).max() < 0.06


@ORDERS
def test_swaps_of_sides_leave_the_head_alone(names):
    joints, visible = people(names)
    swapped = renamed(joints, names, lambda name: name if name in HEAD else other_side(name))
    for kind in ("person_swap", "limb_swap"):
        after = run(joints, visible, names, kind)
        np.testing.assert_array_equal(after.joints, swapped)
        assert (after.wrong == [name not in HEAD for name in names]).all()


def test_limb_swap_takes_arms_or_legs_and_person_swap_both():
    joints, visible = people(SHARED_KEYPOINTS, 200)
    arms = [i for i, n in enumerate(SHARED_KEYPOINTS) if n.endswith(("shoulder", "elbow", "wrist"))]
    legs = [i for i, n in enumerate(SHARED_KEYPOINTS) if n.endswith(("hip", "knee", "ankle"))]
    limb = run(joints, visible, SHARED_KEYPOINTS, "limb_swap", 0.5).wrong
    whole = run(joints, visible, SHARED_KEYPOINTS, "person_swap", 0.5).wrong
    for wrong in (limb, whole):
        for group in (arms, legs):
            assert (wrong[:, group].all(1) == wrong[:, group].any(1)).all()
            assert 0.4 < wrong[:, group].mean() < 0.6
    assert (limb[:, arms[0]] != limb[:, legs[0]]).any()
    assert (whole[:, arms[0]] == whole[:, legs[0]]).all()


def test_offset_is_the_same_for_all_and_scales_with_the_person():
    joints, visible = people(SHARED_KEYPOINTS, 2)
    after = run(joints, visible, SHARED_KEYPOINTS, "offset", size=np.array([100.0, 50.0]))
    np.testing.assert_allclose(after.joints - joints, np.broadcast_to([[[13.0]], [[6.5]]], joints.shape))
    assert after.wrong.all()


def test_jitter_moves_a_share_of_the_joints_in_every_direction():
    joints, visible = people(SHARED_KEYPOINTS, 500)
    after = run(joints, visible, SHARED_KEYPOINTS, "jitter", 0.4)
    step = (after.joints - joints)[after.wrong]
    distance = np.hypot(*step.T)
    assert abs(after.wrong.mean() - 0.4) < 0.03
    assert distance.min() >= 0.2 * SIZE - 1e-9 and distance.max() <= 0.5 * SIZE + 1e-9
    assert abs((step / distance[:, None]).mean(0)).max() < 0.1
    assert np.array_equal(after.joints[~after.wrong], joints[~after.wrong])


def test_moved_labels_stay_in_the_image():
    joints = np.array([[[639.0, 479.0], [635.0, 10.0]]])
    after = run(joints, np.ones((1, 2)), ("left_hip", "right_hip"), "offset")
    np.testing.assert_allclose(after.joints, [[[639, 479], [639, 23]]])
    assert after.wrong.tolist() == [[False, True]]  # the first had nowhere to go, so it is still right


def test_wrong_person_is_somebody_in_the_same_image():
    joints, visible = people(SHARED_KEYPOINTS, 401)  # two an image, the last one alone
    after = run(joints, visible, SHARED_KEYPOINTS, "wrong_person")
    assert not after.wrong[-1].any()
    flip_indices = np.arange(400) ^ 1
    wrong = after.wrong[:400]
    np.testing.assert_array_equal(after.joints[:400][wrong], joints[flip_indices][wrong])
    assert set(wrong.sum(1)) == {3, 13} and 0.35 < (wrong.sum(1) == 3).mean() < 0.65
    for row in wrong[wrong.sum(1) == 3]:
        limb = [SHARED_KEYPOINTS[i].split("_") for i in np.flatnonzero(row)]
        assert len({side for side, _ in limb}) == 1
        assert {part for _, part in limb} in ({"shoulder", "elbow", "wrist"}, {"hip", "knee", "ankle"})


def test_wrong_person_takes_no_label_that_the_other_lacks():
    joints, visible = people(SHARED_KEYPOINTS, 2)
    visible[1, 4] = 0
    wrong = np.any(
        [run(joints, visible, SHARED_KEYPOINTS, "wrong_person", seed=s).wrong for s in range(20)], axis=0
    )
    assert not wrong[:, 4].any() and np.delete(wrong, 4, axis=1).all()


def test_missing_removes_labels():
    joints, visible = people(SHARED_KEYPOINTS, 500)
    visible[:, 3] = 0
    after = run(joints, visible, SHARED_KEYPOINTS, "missing", 0.25)
    assert np.array_equal(after.wrong, (after.visible == 0) & (visible == 1))
    assert abs(after.wrong[:, 4:].mean() - 0.25) < 0.03 and not after.visible[:, 3].any()


def test_visibility_makes_labels_within_the_annotated_ones():
    joints, visible = people(SHARED_KEYPOINTS, 60)
    visible[:30, 2] = 0
    joints[:30, 2] = 0
    after = run(joints, visible, SHARED_KEYPOINTS, "visibility")
    assert after.visible.all()
    assert after.wrong[:30, 2].all() and after.wrong.sum() == 30
    for person in range(30):
        seen = np.delete(joints[person], 2, axis=0)
        assert (after.joints[person, 2] >= seen.min(0)).all() and (
            after.joints[person, 2] <= seen.max(0)
        ).all()


def test_visibility_needs_somebody_to_annotate():
    joints, visible = people(SHARED_KEYPOINTS, 2)
    after = run(joints, 0 * visible, SHARED_KEYPOINTS, "visibility")
    assert not after.visible.any() and not after.wrong.any()


@pytest.mark.parametrize(("names", "head"), [(SHARED_KEYPOINTS, "head"), (COCO_KEYPOINTS, "nose")])
def test_convention_moves_the_head_alone(names, head):
    joints, visible = people(names, 300)
    other = joints[:, names.index(head)] + [3.0, -9.0]
    after = run(joints, visible, names, "convention", 0.5, elsewhere={head: other})
    chosen = after.wrong[:, names.index(head)]
    assert 0.4 < chosen.mean() < 0.6 and after.wrong.sum() == chosen.sum()
    np.testing.assert_array_equal(after.joints[chosen, names.index(head)], other[chosen])
    with pytest.raises(InputError, match="convention"):
        run(joints, visible, names, "convention")


def test_mixed_draws_one_kind_for_each_person():
    joints, visible = people(SHARED_KEYPOINTS, 1000)
    after = run(joints, visible, SHARED_KEYPOINTS, "mixed")
    step = np.hypot(*(after.joints - joints).transpose(2, 0, 1))
    exchanged, swapped = (
        (after.joints == renamed(joints, SHARED_KEYPOINTS, new_name)).all((1, 2))
        for new_name in (neighbour_on_limb, other_side)
    )
    offset = np.isclose(after.joints - joints, 13).all((1, 2))
    jittered = ((step >= 20 - 1e-9) & (step <= 50 + 1e-9)).all(1)
    assert (exchanged.astype(int) + swapped + offset + jittered == 1).all()
    shares = [kind.mean() for kind in (exchanged, swapped, offset, jittered)]
    np.testing.assert_allclose(shares, [0.2, 0.4, 0.2, 0.2], atol=0.05)


def test_a_side_without_a_label_changes_names_too():
    names = ("left_hip", "right_hip", "left_knee", "right_knee")
    joints = np.array([[[10.0, 20], [30, 20], [0, 0], [0, 0]]])
    after = run(joints, np.array([[1, 0, 0, 0]]), names, "person_swap")
    assert after.visible.tolist() == [[0, 1, 0, 0]]
    assert after.wrong.tolist() == [[True, True, False, False]]
    assert after.joints[0, 1].tolist() == [10, 20]


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_every_kind_marks_exactly_what_changed(kind):
    joints, visible = people(COCO_KEYPOINTS, 200)
    visible = (np.random.default_rng(5).random(visible.shape) < 0.7).astype(int)
    before = joints.copy(), visible.copy()
    elsewhere = {"nose": joints[:, 0] + 5}
    after = run(joints, visible, COCO_KEYPOINTS, kind, 0.5, elsewhere=elsewhere)
    again = run(joints, visible, COCO_KEYPOINTS, kind, 0.5, elsewhere=elsewhere)
    nothing = run(joints, visible, COCO_KEYPOINTS, kind, 0.0, elsewhere=elsewhere)
    assert np.array_equal(joints, before[0]) and np.array_equal(visible, before[1])
    assert all(np.array_equal(a, b) for a, b in zip(after, again))
    assert not nothing.wrong.any() and np.array_equal(nothing.joints, joints)
    assert after.wrong.any() == (kind != "none")
    for person, joint in np.ndindex(*visible.shape):
        had, has = visible[person, joint], after.visible[person, joint]
        moved = (after.joints[person, joint] != joints[person, joint]).any()
        assert after.wrong[person, joint] == (had != has or bool(had and moved))


def test_parse_noise():
    assert parse_noise("jitter:0.6") == ("jitter", 0.6)
    assert parse_noise("mixed:1") == ("mixed", 1.0)
    assert parse_noise("none") == ("none", 0.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jiter:0.5", "did you mean 'jitter'"),
        ("persn_swap:0.5", "did you mean 'person_swap'"),
        ("", "there is no kind ''"),
        ("jitter", r"\[0, 1\]"),
        ("jitter:1.5", "'1.5'"),
        ("jitter:-0.1", "'-0.1'"),
        ("jitter:nan", "'nan'"),
        ("jitter:half", "'half'"),
    ],
)
def test_parse_noise_says_what_is_wrong(text, says):
    with pytest.raises(InputError, match=says):
        parse_noise(text)


@pytest.mark.parametrize("kind", ["exchange", "limb_swap", "person_swap", "wrong_person", "mixed"])
def test_noise_of_limbs_needs_limbs(kind):
    names = ("hinge", "left_track", "right_track")
    joints, visible = people(names, 3)
    with pytest.raises(InputError, match=f"noise '{kind}' is about people's arms and legs.*offset, jitter"):
        run(joints, visible, names, kind)


@pytest.mark.parametrize("kind", ["none", "offset", "jitter", "missing", "visibility"])
def test_other_noise_is_for_any_joints(kind):
    names = ("hinge", "left_track", "right_track")
    joints, visible = people(names, 30)
    visible[::2, 0] = 0
    assert run(joints, visible, names, kind).wrong.any() == (kind != "none")
