import pytest

from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.wrong_labels.name_permutations import limbs_of, name_permutations


def exchanged(names, *pairs):
    """The names after these pairs of names changed places, in turn."""
    result = list(names)
    for a, b in pairs:
        i, j = result.index(a), result.index(b)
        result[i], result[j] = b, a
    return tuple(names.index(name) for name in result)


def sides(*parts):
    return [(f"left_{part}", f"right_{part}") for part in parts]


@pytest.mark.parametrize("names", [MPII_KEYPOINTS, SHARED_KEYPOINTS])
def test_people_have_64_and_among_them_every_mistake(names):
    found = name_permutations(Skeleton.of(names))
    rows = set(map(tuple, found.tolist()))
    assert len(found) == len(rows) == 64
    assert found[0].tolist() == list(range(len(names)))
    arms, legs = sides("shoulder", "elbow", "wrist"), sides("hip", "knee", "ankle")
    for pairs in (
        [("left_wrist", "left_elbow")], [("right_knee", "right_ankle")], arms, legs, arms + legs,
        [("left_wrist", "left_elbow"), ("right_ankle", "right_knee"), *arms],
    ):  # fmt: skip
        assert exchanged(names, *pairs) in rows


def test_whole_person_of_coco_includes_the_face():
    found = name_permutations(Skeleton.of(COCO_KEYPOINTS))
    assert Skeleton.of(COCO_KEYPOINTS).flip_indices in set(map(tuple, found.tolist()))
    assert all(sorted(row) == list(range(17)) for row in found.tolist())


@pytest.mark.parametrize(
    ("names", "lines", "expected"),
    [
        (("a",), (), [(0,)]),
        (("tip", "middle", "base"), (), [(0, 1, 2)]),
        (("left_eye", "right_eye"), (), [(0, 1), (1, 0)]),
        (("tip", "middle", "base"), (("tip", "middle"), ("middle", "base")),
         [(0, 1, 2), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1)]),
    ],
)  # fmt: skip
def test_skeletons_without_limbs_or_pairs_have_fewer(names, lines, expected):
    found = name_permutations(Skeleton.of(names, lines=lines))
    assert set(map(tuple, found.tolist())) <= set(expected)
    assert tuple(found[0].tolist()) == expected[0]
    assert len(found) >= min(2, len(expected))


def limbs(skeleton):
    """{joint: names of the joints that change places}."""
    own = range(len(skeleton.names))
    return {
        skeleton.names[j]: {skeleton.names[k] for k in own if exchange[k] != k}
        for j, exchange in limbs_of(skeleton).items()
    }


@pytest.mark.parametrize("names", [MPII_KEYPOINTS, SHARED_KEYPOINTS])
def test_limbs_of_people_are_arms_and_legs(names):
    skeleton = Skeleton.of(names)
    arms = {name for pair in sides("shoulder", "elbow", "wrist") for name in pair}
    legs = {name for pair in sides("hip", "knee", "ankle") for name in pair}
    assert limbs(skeleton) == dict.fromkeys(arms, arms) | dict.fromkeys(legs, legs)
    rows = set(map(tuple, name_permutations(skeleton).tolist()))
    for j, exchange in limbs_of(skeleton).items():
        assert exchange[j] == skeleton.flip_indices[j] and tuple(exchange.tolist()) in rows


def test_joints_of_no_limb_or_of_several_have_none():
    fingers = [
        (f"{side}_{finger}", f"{side}_wrist")
        for side in ("left", "right")
        for finger in ("thumb", "index", "middle")
    ]
    names = tuple(dict.fromkeys(name for line in fingers for name in line)) + (
        "left_eye",
        "right_eye",
        "nose",
    )
    wrists, *ends = ({f"left_{part}", f"right_{part}"} for part in ("wrist", "thumb", "index", "middle"))
    assert limbs(Skeleton.of(names, lines=fingers)) == {end: pair | wrists for pair in ends for end in pair}
    assert limbs(Skeleton.of(("tip", "base"), lines=[("tip", "base")])) == limbs(Skeleton.of(("a",))) == {}
