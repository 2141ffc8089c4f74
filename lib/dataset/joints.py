"""The joints of the configured network, and how they are read from source and target."""

from collections.abc import Collection

from lib.config.data_settings import DatasetConfig
from lib.config.schema import Config, ModelConfig
from lib.dataset.keypoints import (
    COCO_KEYPOINTS,
    MPII_KEYPOINTS,
    SHARED_KEYPOINTS,
    JointMapping,
    map_by_name,
    network_joints,
)
from lib.dataset.layouts import COCOFormatLayout, ImageSet, layout_of
from lib.dataset.skeleton import Skeleton
from lib.utils.errors import InputError

NAMES_PAIRS = "MODEL.FLIP_PAIRS '{LEFT: RIGHT, ...}'"  # how messages say it
JOINT_COUNTS = tuple(sorted(map(len, (SHARED_KEYPOINTS, MPII_KEYPOINTS, COCO_KEYPOINTS))))


def names_own_keypoints(mapping: JointMapping) -> bool:
    """Whether the keypoint names come from the annotation file (coco_format), not from COCO or MPII."""
    return mapping.dataset == COCOFormatLayout.name


def skeleton_of_network(model: ModelConfig, dataset_config: DatasetConfig) -> Skeleton:
    """The joints of a network, with MODEL.FLIP_PAIRS and the limbs that its data set names.

    Args:
        model: the section MODEL.
        dataset_config: section of the configuration for the network's target, or its only data set.

    Raises:
        InputError: MODEL.NUM_JOINTS or MODEL.FLIP_PAIRS does not fit the data set.
    """
    names = joints_of_network(model.num_joints, dataset_config)
    category = layout_of(dataset_config).category(dataset_config.train_set)
    lines = () if category is None else category.lines
    return Skeleton.of(names, model.flip_pairs, lines)


def joints_of_network(count: int, dataset_config: DatasetConfig) -> tuple[str, ...]:
    """Return the joints of a network, in order.

    They are the target's keypoints if it is in coco_format, else one of three fixed lists (13 joints shared
    by COCO and MPII, 16 of MPII, 17 of COCO).

    Args:
        count: MODEL.NUM_JOINTS.
        dataset_config: section of the configuration for the network's target, or its only data set.

    Raises:
        InputError: MODEL.NUM_JOINTS does not fit the data set.
    """
    layout = layout_of(dataset_config)
    image_set = dataset_config.train_set
    category = layout.category(image_set)
    if category is None:
        try:
            return network_joints(count)
        except KeyError:
            expected = ", ".join(map(str, JOINT_COUNTS))
            raise InputError(
                f"MODEL.NUM_JOINTS is one of {expected} with {layout.name}; found {count}"
            ) from None
    names = category.keypoints
    if count != len(names):
        path = layout.annotation_files(image_set)[0]
        raise InputError(
            f"MODEL.NUM_JOINTS is {count}, but '{category.name}' of {path} has {len(names)} keypoints, "
            f"so it must be {len(names)}: {', '.join(names)}"
        )
    return names


def mapping_of(config: Config, image_set: ImageSet) -> JointMapping:
    """Return which keypoint of ``image_set`` each joint of the network is read from.

    Joints may be missing only in the source, and only if it or the target is in coco_format.

    Raises:
        InputError: keypoint names do not fit together, or a joint has no label where it must have one.
    """
    if image_set.dataset_config is config.dataset_src:
        return _source_mapping(config, image_set)
    dataset_config = image_set.dataset_config
    skeleton = skeleton_of_network(config.model, dataset_config)
    own, names = image_set.layout.keypoints(image_set.name), skeleton.names
    mapping = map_by_name(image_set.layout.name, own, skeleton)
    if names_own_keypoints(mapping) and own != names:
        raise InputError(
            f"{dataset_config.root}: {image_set.name} has the keypoints {', '.join(own)}, "
            f"but {dataset_config.train_set} has {', '.join(names)}"
        )
    _expect_complete(mapping)
    return mapping


def _source_mapping(config: Config, image_set: ImageSet) -> JointMapping:
    """``mapping_of`` for the source: onto the target's joints, by name and by DATASET_SRC.JOINTS."""
    target, source = config.dataset_target, config.dataset_src
    skeleton = skeleton_of_network(config.model, target)
    own, names = image_set.layout.keypoints(image_set.name), skeleton.names
    try:
        mapping = map_by_name(image_set.layout.name, own, skeleton, dict(source.joints))
    except ValueError as error:
        raise InputError(f"DATASET_SRC.JOINTS: {error}") from None
    if not mapping.labelled:
        raise InputError(
            f"source and target share no joint; map them in DATASET_SRC.JOINTS. "
            f"The target's are {', '.join(names)}; the source's {', '.join(own)}"
        )
    may_lack_labels = isinstance(layout_of(target), COCOFormatLayout) or names_own_keypoints(mapping)
    if not may_lack_labels:
        _expect_complete(mapping)
    return mapping


def _expect_complete(mapping: JointMapping) -> None:
    if mapping.missing:
        raise InputError(
            f"MODEL.NUM_JOINTS is {len(mapping.names)}, but {mapping.dataset} has no label for "
            f"'{mapping.missing[0]}'"
        )


def notes_on_joints(source: JointMapping, target: JointMapping, mapped_by_user: Collection[str]) -> list[str]:
    """Log lines on how the source's labels fit the target's joints.

    Args:
        source: mapping of the source.
        target: mapping of the target, with the same joint names.
        mapped_by_user: joints in DATASET_SRC.JOINTS.

    Returns:
        A line for each joint read from another keypoint than in the target, and one each for joints
        without a label in the source and for keypoints of it that are not used.
    """
    notes = []
    for joint, source_keypoint, target_keypoint in zip(source.names, source.native, target.native):
        if joint in mapped_by_user and source_keypoint is not None:
            notes.append(f"DATASET_SRC.JOINTS: {joint} is read from {source_keypoint} of the source")
        elif source_keypoint not in (target_keypoint, None):
            notes.append(
                f"label shift: {joint} is {source_keypoint} in the source ({source.dataset})"
                f" but {target_keypoint} in the target ({target.dataset})"
            )
    if source.missing:
        notes.append(f"without a label in the source: {', '.join(source.missing)}")
    if (names_own_keypoints(source) or names_own_keypoints(target)) and source.unused:
        notes.append(f"keypoints of the source that the target lacks, not used: {', '.join(source.unused)}")
    return notes


def sides_without_pairs(skeleton: Skeleton, flips: bool) -> str:
    """What is wrong with mirrored images, for a warning; empty if nothing is.

    Args:
        skeleton: the network's joints.
        flips: images are mirrored in training (FLIP), or in evaluation (TEST.FLIP_TEST).
    """
    if not flips:
        return ""
    if skeleton.one_sided:
        return (
            f"joints of one side only, whose label mirroring does not swap: {', '.join(skeleton.one_sided)}"
        )
    if not skeleton.pairs and not skeleton.middle and len(skeleton.names) > 1:
        return (
            "images are mirrored, but no pair of left and right is known among the joints "
            f"{', '.join(skeleton.names)}: name the pairs in {NAMES_PAIRS}, or say "
            f"there that no joint has a side, '{{{skeleton.names[0]}: {skeleton.names[0]}}}', or set FLIP and TEST.FLIP_TEST false"
        )
    return ""
