import numpy as np
import pytest

from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.wrong_labels.renamings import Kind, Renamings


def kinds_of(skeleton, *pairs):
    """{kind: names} of the renaming that exchanges just these pairs of names."""
    wanted = list(range(len(skeleton.names)))
    for a, b in pairs:
        i, j = skeleton.names.index(a), skeleton.names.index(b)
        wanted[i], wanted[j] = wanted[j], wanted[i]
    renamings = Renamings.of(skeleton)
    row = renamings.permutations.tolist().index(wanted)
    kinds = renamings.kinds[row]
    assert ((kinds != Kind.RIGHT) == renamings.renamed[row]).all()
    return {
        Kind(kind): {name for name, of in zip(skeleton.names, kinds) if of == kind}
        for kind in set(kinds.tolist())
    }


def both(*parts):
    return [(f"left_{part}", f"right_{part}") for part in parts]


ARMS, LEGS = both("shoulder", "elbow", "wrist"), both("hip", "knee", "ankle")


def names(pairs):
    return {name for pair in pairs for name in pair}


@pytest.mark.parametrize(
    "pairs, kind",
    [
        ([("left_wrist", "left_elbow")], Kind.EXCHANGED),
        ([("right_knee", "right_ankle")], Kind.EXCHANGED),
        (ARMS, Kind.LIMB_SIDES),
        (LEGS, Kind.LIMB_SIDES),
        (ARMS + LEGS, Kind.PERSON_SIDES),
    ],
)
def test_people_have_one_kind_for_each_way_of_taking_one_joint_for_another(pairs, kind):
    skeleton = Skeleton.of(MPII_KEYPOINTS)
    assert kinds_of(skeleton, *pairs) == {
        kind: names(pairs),
        Kind.RIGHT: set(skeleton.names) - names(pairs),
    }


def test_a_whole_person_of_coco_has_a_face():
    face = both("eye", "ear")
    found = kinds_of(Skeleton.of(COCO_KEYPOINTS), *ARMS, *LEGS, *face)
    assert found == {Kind.PERSON_SIDES: names(ARMS + LEGS + face), Kind.RIGHT: {"nose"}}
    assert Kind.LIMB_SIDES in kinds_of(Skeleton.of(COCO_KEYPOINTS), *ARMS, *LEGS)


def test_mistakes_together_keep_their_kinds():
    found = kinds_of(Skeleton.of(MPII_KEYPOINTS), *LEGS, ("left_wrist", "left_elbow"))
    assert found[Kind.LIMB_SIDES] == names(LEGS)
    assert found[Kind.EXCHANGED] == {"left_wrist", "left_elbow"}


def test_without_pairs_joints_are_exchanged_and_have_no_sides():
    skeleton = Skeleton.of(("tip", "middle", "base"), lines=(("tip", "middle"), ("middle", "base")))
    renamings = Renamings.of(skeleton)
    assert set(np.unique(renamings.kinds)) == {Kind.RIGHT, Kind.EXCHANGED}
    assert kinds_of(skeleton, ("tip", "middle"))[Kind.EXCHANGED] == {"tip", "middle"}


def test_two_joints_that_mirror_each_other_are_the_whole():
    assert kinds_of(Skeleton.of(("left_eye", "right_eye")), ("left_eye", "right_eye")) == {
        Kind.PERSON_SIDES: {"left_eye", "right_eye"}
    }


@pytest.mark.parametrize("skeleton", [Skeleton.of(("a",)), Skeleton.of(("tip", "middle", "base"))])
def test_without_limbs_and_pairs_names_cannot_be_wrong(skeleton):
    renamings = Renamings.of(skeleton)
    assert renamings.permutations.tolist() == [list(range(len(skeleton.names)))]
    assert (renamings.kinds == Kind.RIGHT).all() and not renamings.renamed.any()


def test_kinds_have_names_for_people():
    assert [kind.text for kind in Kind] == [
        "right", "exchanged", "limb sides", "person sides", "moved", "other instance", "surplus", "missing",
    ]  # fmt: skip
