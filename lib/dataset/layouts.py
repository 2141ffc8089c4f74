"""What the data set groups of the configuration (DATASET_SRC, ...) are on disk, and how joints are read from them."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from easydict import EasyDict

from lib.dataset import coco, coco_format, mpii
from lib.dataset.coco_format import KeypointCategory, read_category
from lib.dataset.keypoints import (
    COCO_KEYPOINTS,
    MPII_KEYPOINTS,
    NATIVE_KEYPOINTS,
    SHARED_KEYPOINTS,
    JointMapping,
    map_by_name,
    network_joints,
    one_sided,
)
from lib.utils.errors import InputError

FORMAT = "coco_format"
OF_PEOPLE = tuple(sorted(map(len, (SHARED_KEYPOINTS, MPII_KEYPOINTS, COCO_KEYPOINTS))))


def in_coco_layout(group: EasyDict) -> bool:
    """Its annotations are a file in COCO's format."""
    return group.DATASET in ("coco", FORMAT)


def called(group: EasyDict) -> str:
    """What a message calls those that are annotated."""
    return "objects" if group.DATASET == FORMAT else "people"


def annotation_files(group: EasyDict, image_set: str) -> tuple[Path, ...]:
    """The files that the annotations of ``image_set`` are in, the main one first."""
    if group.DATASET == "mpii":
        return mpii.annotation_files(group.ROOT, image_set)
    layout = coco_format if group.DATASET == FORMAT else coco
    return (layout.annotation_file(group.ROOT, image_set),)


def image_folder(group: EasyDict, image_set: str) -> Path:
    if group.DATASET == FORMAT:
        return coco_format.image_folder(group.ROOT, group.IMAGES, image_set)
    return (
        mpii.image_folder(group.ROOT) if group.DATASET == "mpii" else coco.image_folder(group.ROOT, image_set)
    )


def category_of(group: EasyDict, image_set: str) -> KeypointCategory | None:
    """What the objects of ``image_set`` are; None where the layout says it without a look. Raises InputError."""
    if group.DATASET != FORMAT:
        return None
    return read_category(coco_format.annotation_file(group.ROOT, image_set), group.CATEGORY)


def joints_of_network(config: EasyDict, group: EasyDict) -> tuple[str, ...]:
    """The joints of a network whose target (or only data set) is ``group``, in order.

    Those are its own where it is in coco_format. Raises InputError where MODEL.NUM_JOINTS is another number.
    """
    count = config.MODEL.NUM_JOINTS
    if group.DATASET != FORMAT:
        try:
            return network_joints(count)
        except KeyError:
            numbers = ", ".join(map(str, OF_PEOPLE))
            raise InputError(
                f"MODEL.NUM_JOINTS is one of {numbers} with {group.DATASET}; found {count}"
            ) from None
    category = category_of(group, group.TRAIN_SET)
    names = category.keypoints
    if count != len(names):
        path = coco_format.annotation_file(group.ROOT, group.TRAIN_SET)
        raise InputError(
            f"MODEL.NUM_JOINTS is {count}, but '{category.name}' of {path} has {len(names)} keypoints, "
            f"so it must be {len(names)}: {', '.join(names)}"
        )
    return names


def mapping_of(config: EasyDict, group: EasyDict, image_set: str) -> JointMapping:
    """How the network's joints are read from ``image_set`` of ``group``. Raises InputError.

    The source may lack joints where it or the target is in coco_format; all else has every joint.
    """
    if group is config.DATASET_SRC:
        target = config.DATASET_TARGET
        names = joints_of_network(config, target)
        own = _own_keypoints(group, image_set)
        try:
            mapping = map_by_name(group.DATASET, own, names, dict(group.JOINTS))
        except ValueError as error:
            raise InputError(f"DATASET_SRC.JOINTS: {error}") from None
        if not mapping.labelled:
            raise InputError(
                f"source and target share no joint; map them in DATASET_SRC.JOINTS. "
                f"The target's are {', '.join(names)}; the source's {', '.join(own)}"
            )
        may_lack = FORMAT in (group.DATASET, target.DATASET)
    else:
        names = joints_of_network(config, group)
        own = _own_keypoints(group, image_set)
        if group.DATASET == FORMAT and own != names:
            raise InputError(
                f"{group.ROOT}: {image_set} has the keypoints {', '.join(own)}, "
                f"but {group.TRAIN_SET} has {', '.join(names)}"
            )
        mapping, may_lack = map_by_name(group.DATASET, own, names), False
    if mapping.missing and not may_lack:
        raise InputError(
            f"MODEL.NUM_JOINTS is {len(names)}, but {group.DATASET} has no label for '{mapping.missing[0]}'"
        )
    return mapping


def sigmas_of(group: EasyDict, names: tuple[str, ...]) -> np.ndarray:
    """[J] of OKS. Raises InputError where their number is not that of the joints."""
    if len(group.SIGMAS) not in (1, len(names)):
        raise InputError(
            f"SIGMAS has {len(group.SIGMAS)} numbers, expected one for all joints or {len(names)}: {', '.join(names)}"
        )
    return np.broadcast_to(np.array(group.SIGMAS, np.float64), len(names))


def notes_on_joints(mapping: JointMapping, of_target: JointMapping, given: Collection[str]) -> list[str]:
    """What a user should know of how the source's labels fit the target's joints; ``given`` ones are mapped by hand."""
    notes = []
    for joint, of_source, meant in zip(mapping.names, mapping.native, of_target.native):
        if joint in given and of_source is not None:
            notes.append(f"DATASET_SRC.JOINTS: {joint} is read from {of_source} of the source")
        elif of_source not in (meant, None):
            notes.append(
                f"label shift: {joint} is {of_source} in the source ({mapping.dataset})"
                f" but {meant} in the target ({of_target.dataset})"
            )
    if mapping.missing:
        notes.append(f"without a label in the source: {', '.join(mapping.missing)}")
    if FORMAT in (mapping.dataset, of_target.dataset) and mapping.unused:
        notes.append(f"keypoints of the source that the target lacks, not used: {', '.join(mapping.unused)}")
    return notes


def notes_on_sides(names: tuple[str, ...]) -> list[str]:
    alone = one_sided(names)
    if not alone:
        return []
    return [f"joints of one side alone, which keep their label in a mirrored image: {', '.join(alone)}"]


def _own_keypoints(group: EasyDict, image_set: str) -> tuple[str, ...]:
    category = category_of(group, image_set)
    return NATIVE_KEYPOINTS[group.DATASET] if category is None else category.keypoints
