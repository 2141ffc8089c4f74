"""The category, joints, pairs and limbs that a checkpoint describes."""

import numpy as np
import pytest
import torch

from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.models.category import Category, category_of
from lib.utils.errors import InputError

# Names that do not tell which joints belong together.
JOINTS = ("snout", "fin_a", "fin_b", "tail")
FISH = Category(
    (7,), "fish", Skeleton(JOINTS, (("fin_a", "fin_b"),), (("snout", "tail"), ("fin_a", "snout")))
)


def test_an_entry_gives_back_the_category():
    assert category_of({"category": FISH.entry()}, 4, "a.pth") == FISH
    assert FISH.skeleton.flip_indices == (0, 2, 1, 3) and FISH.skeleton.limbs == [(0, 3), (1, 0)]
    assert FISH.number == 7 and FISH.noun == "fish" and "7" in str(FISH)


def test_several_categories_with_the_same_joints():
    both = Category((3, 5), "cat, dog", FISH.skeleton)
    assert category_of({"category": both.entry()}, 4, "a.pth") == both
    assert both.number == 3 and both.noun == "object"


@pytest.mark.parametrize("names", [SHARED_KEYPOINTS, MPII_KEYPOINTS, COCO_KEYPOINTS])
def test_the_fixed_lists_are_people(names):
    for content in ({}, {"joints": list(names)}):
        category = category_of(content, len(names), "a.pth")
        assert (category.number, category.name, category.skeleton) == (1, "person", Skeleton.of(names))


def test_other_joints_without_a_description_are_of_unknown_category():
    category = category_of({"joints": ["left_a", "right_a", "b"]}, 3, "a.pth")
    assert category.ids == () and category.skeleton.flip_indices == (1, 0, 2)
    assert "unknown" in str(category) and category.number == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.pop("ids"),
        lambda entry: entry.update(ids=["7"]),
        lambda entry: entry.update(name=7),
        lambda entry: entry.update(keypoints=["snout", "fin_a", "fin_b"]),
        lambda entry: entry.update(keypoints=["snout", "fin_a", "fin_b", "fin_b"]),
        lambda entry: entry.update(skeleton=[["snout", "ear"]]),
        lambda entry: entry.update(skeleton=[["snout", "snout"]]),
        lambda entry: entry.update(skeleton=[["snout"]]),
        lambda entry: entry.update(skeleton=torch.zeros(2, 2)),
        lambda entry: entry.update(flip_pairs=[["fin_a", "fin_b"], ["tail", "fin_a"]]),
        lambda entry: entry.update(flip_pairs=[[[], {}]]),
    ],
    ids=range(11),
)
def test_a_damaged_entry_is_one_line(change):
    entry = FISH.entry()
    change(entry)
    with pytest.raises(InputError, match="^a.pth: 'category' should have .* 4 different keypoints") as error:
        category_of({"category": entry}, 4, "a.pth")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("entry", [3, [], "fish", torch.zeros(2, 2)], ids=range(4))
def test_an_entry_that_is_none(entry):
    with pytest.raises(InputError, match="^a.pth: 'category'"):
        category_of({"category": entry}, 4, "a.pth")


def mmpose_meta(**changes):
    """As mmpose 1.x keeps its data set in a checkpoint; colors are arrays there."""
    return {
        "epoch": 210,
        "dataset_meta": {
            "dataset_name": "ap10k",
            "keypoint_id2name": dict(enumerate(("L_Eye", "R_Eye", "Nose"))),
            "flip_indices": [1, 0, 2],
            "skeleton_links": [(0, 2), (1, 2)],
            "sigmas": np.ones(3, np.float32),
        }
        | changes,
    }


def test_joints_of_mmpose():
    category = category_of({"meta": mmpose_meta()}, 3, "a.pth")
    assert category.ids == () and category.name == "ap10k"
    assert category.skeleton == Skeleton(
        ("L_Eye", "R_Eye", "Nose"), (("L_Eye", "R_Eye"),), (("L_Eye", "Nose"), ("R_Eye", "Nose"))
    )
    named = {0: "a", 1: "b", 2: "c"}  # names that tell no side
    assert category_of({"meta": mmpose_meta(keypoint_id2name=named)}, 3, "a.pth").skeleton.flip_indices == (
        1,
        0,
        2,
    )
    coco = mmpose_meta(
        keypoint_id2name=dict(enumerate(COCO_KEYPOINTS)),
        flip_indices=list(Skeleton.of(COCO_KEYPOINTS).flip_indices),
    )
    assert category_of({"meta": coco}, 17, "a.pth").name == "person"


@pytest.mark.parametrize(
    "meta",
    [
        None,
        3,
        {},
        mmpose_meta(keypoint_id2name={0: "a"}),
        mmpose_meta(flip_indices=[1]),
        mmpose_meta(skeleton_links=4),
    ],
    ids=range(6),
)
def test_a_description_of_mmpose_that_does_not_fit_is_not_used(meta):
    assert category_of({"meta": meta, "joints": ["a", "b", "c"]}, 3, "a.pth").skeleton.names == (
        "a",
        "b",
        "c",
    )
