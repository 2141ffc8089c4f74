"""Joints of source and target, over all pairs of layouts; and combinations that are refused."""

import json

import pytest

from lib.config.loader import load_config
from lib.dataset.joints import joints_of_network, mapping_of, notes_on_joints, sides_without_pairs
from lib.dataset.keypoints import SHARED_KEYPOINTS, map_by_name
from lib.dataset.layouts import ImageSet, training_set
from lib.dataset.skeleton import Skeleton
from lib.training.data import build_data
from lib.utils.errors import InputError

NAMES = ["nose", "left_wrist", "right_wrist", "tail"]


@pytest.fixture
def config_of(tmp_path):
    """A function {dotted setting: value} -> configuration; a.json names NAMES, b.json others."""
    for file, names in (("a", NAMES), ("b", ["snout", "left_wrist", "horn"]), ("c", ["x"])):
        tree = {"images": [], "annotations": [], "categories": [{"id": 1, "name": file, "keypoints": names}]}
        (tmp_path / f"{file}.json").write_text(json.dumps(tree))
    (tmp_path / "empty.yaml").write_text("")

    def make(source, target, joints, given=None):
        values = {"MODEL.NUM_JOINTS": joints, "DATASET_SRC.JOINTS": given or {}}
        for group, layout in (("DATASET_SRC", source), ("DATASET_TARGET", target)):
            if layout.endswith(".json"):
                values |= {f"{group}.ROOT": str(tmp_path), f"{group}.TRAIN_SET": layout}
                layout = "coco_format"
            values[f"{group}.DATASET"] = layout
        return load_config(tmp_path / "empty.yaml", values)

    return make


def source_mapping(config):
    return mapping_of(config, training_set(config.dataset_src))


@pytest.mark.parametrize(
    ("source", "target", "joints", "given", "native"),
    [
        ("b.json", "a.json", 4, {"nose": "snout"}, ("snout", "left_wrist", None, None)),
        ("b.json", "a.json", 4, {}, (None, "left_wrist", None, None)),
        ("coco", "a.json", 4, {}, ("nose", "left_wrist", "right_wrist", None)),
        ("mpii", "a.json", 4, {"nose": "head_top"}, ("head_top", "left_wrist", "right_wrist", None)),
        ("coco", "b.json", 3, {"horn": "left_ear"}, (None, "left_wrist", "left_ear")),
        ("a.json", "mpii", 13, {"head": "nose"},
         (None,) * 6 + ("nose", "right_wrist", None, None, None, None, "left_wrist")),
        ("coco", "mpii", 13, {"head": "left_ear"}, ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee",
         "left_ankle", "left_ear", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist")),
    ],
)  # fmt: skip
def test_what_the_source_is_read_as(config_of, source, target, joints, given, native):
    assert source_mapping(config_of(source, target, joints, given)).native == native


def test_the_networks_joints_are_the_targets(config_of):
    config = config_of("coco", "a.json", 4)
    target = mapping_of(config, ImageSet(config.dataset_target, "a.json"))
    assert target.names == target.native == tuple(NAMES)
    assert source_mapping(config).names == tuple(NAMES)
    assert joints_of_network(config.model.num_joints, config.dataset_target) == tuple(NAMES)
    assert source_mapping(config_of("coco", "mpii", 13)).names == SHARED_KEYPOINTS


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("b.json", "a.json", 13), "MODEL.NUM_JOINTS is 13, but 'a' of .*a.json has 4 keypoints, so it must be 4: nose, left"),
        (("b.json", "mpii", 14), "MODEL.NUM_JOINTS is one of 13, 16, 17 with mpii; found 14"),
        (("c.json", "a.json", 4), "share no joint.*The target's are nose, .*the source's x"),
        (("b.json", "a.json", 4, {"nos": "snout"}), "DATASET_SRC.JOINTS: .*'nos', the nearest is 'nose'"),
        (("b.json", "a.json", 4, {"nose": "snot"}), "DATASET_SRC.JOINTS: .*'snot', the nearest is 'snout'"),
        (("coco", "mpii", 16), "MODEL.NUM_JOINTS is 16, but coco has no label for 'pelvis'"),
        (("mpii", "mpii", 17), "MODEL.NUM_JOINTS is 17, but mpii has no label for 'nose'"),
        (("gone.json", "a.json", 4), "gone.json: cannot be read"),
    ],
)  # fmt: skip
def test_what_is_refused(config_of, arguments, says):
    with pytest.raises(InputError, match=says):
        source_mapping(config_of(*arguments))


def test_all_sets_of_the_target_have_the_same_keypoints(config_of):
    config = config_of("b.json", "a.json", 4)
    with pytest.raises(InputError, match="b.json has the keypoints snout.* but a.json has nose"):
        mapping_of(config, ImageSet(config.dataset_target, "b.json"))


def test_a_target_in_cocos_own_layout_is_refused(config_of):
    config = config_of("coco", "coco", 17)
    with pytest.raises(InputError, match="must be mpii or coco_format"):
        build_data(config, True)


def test_notes_name_shifted_missing_and_unused_joints():
    target = map_by_name("mpii", ("head_top", "left_hip", "tail"), Skeleton.of(("head", "left_hip", "tail")))
    source = map_by_name(
        "coco_format", ("nose", "ear", "hip"), target.skeleton, {"head": "nose", "left_hip": "hip"}
    )
    notes = notes_on_joints(source, target, {"left_hip": "hip"})
    assert len(notes) == 4
    for note, words in zip(notes, (("head", "nose", "head_top"), ("left_hip", "hip"), ("tail",), ("ear",))):
        assert all(word in note for word in words)
    assert notes_on_joints(target, target, {}) == []


def test_a_warning_where_mirroring_would_mix_up_sides():
    def warning(*names, flips=True):
        return sides_without_pairs(Skeleton.of(names), flips)

    assert warning("left_eye", "right_eye", "nose") == warning("1", "2", flips=False) == warning("tip") == ""
    assert "left_eye, right_hand" in warning("left_eye", "nose", "right_hand", "l_ear", "r_ear")
    assert "MODEL.FLIP_PAIRS" in warning("1", "2")
    # The user may say that there are no sides: the joints of a fish that is seen from the side.
    assert "'{mouth: mouth}'" in warning("mouth", "tail")
    assert sides_without_pairs(Skeleton.of(("mouth", "tail"), {"mouth": "mouth"}), True) == ""
    assert "left_fin" in sides_without_pairs(Skeleton.of(("mouth", "left_fin"), {"mouth": "mouth"}), True)
    assert sides_without_pairs(Skeleton.of(("mouth", "left_fin"), {"left_fin": "left_fin"}), True) == ""
