"""What the data set groups of the configuration (DATASET_SRC, ...) are on disk, and how joints are read from them."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from lib.config.schema import Config, DatasetConfig
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


def in_coco_layout(dataset_config: DatasetConfig) -> bool:
    """Its annotations are a file in COCO's format."""
    return dataset_config.dataset in ("coco", FORMAT)


def called(dataset_config: DatasetConfig) -> str:
    """What a message calls those that are annotated."""
    return "objects" if dataset_config.dataset == FORMAT else "people"


def annotation_files(dataset_config: DatasetConfig, image_set: str) -> tuple[Path, ...]:
    """The files that the annotations of ``image_set`` are in, the main one first."""
    if dataset_config.dataset == "mpii":
        return mpii.annotation_files(dataset_config.root, image_set)
    layout = coco_format if dataset_config.dataset == FORMAT else coco
    return (layout.annotation_file(dataset_config.root, image_set),)


def image_folder(dataset_config: DatasetConfig, image_set: str) -> Path:
    if dataset_config.dataset == FORMAT:
        return coco_format.image_folder(dataset_config.root, dataset_config.images, image_set)
    return (
        mpii.image_folder(dataset_config.root)
        if dataset_config.dataset == "mpii"
        else coco.image_folder(dataset_config.root, image_set)
    )


def category_of(dataset_config: DatasetConfig, image_set: str) -> KeypointCategory | None:
    """What the objects of ``image_set`` are; None where the layout says it without a look. Raises InputError."""
    if dataset_config.dataset != FORMAT:
        return None
    return read_category(coco_format.annotation_file(dataset_config.root, image_set), dataset_config.category)


def joints_of_network(config: Config, dataset_config: DatasetConfig) -> tuple[str, ...]:
    """The joints of a network whose target (or only data set) is ``dataset_config``, in order.

    Those are its own where it is in coco_format. Raises InputError where MODEL.NUM_JOINTS is another number.
    """
    count = config.model.num_joints
    if dataset_config.dataset != FORMAT:
        try:
            return network_joints(count)
        except KeyError:
            numbers = ", ".join(map(str, OF_PEOPLE))
            raise InputError(
                f"MODEL.NUM_JOINTS is one of {numbers} with {dataset_config.dataset}; found {count}"
            ) from None
    category = category_of(dataset_config, dataset_config.train_set)
    names = category.keypoints
    if count != len(names):
        path = coco_format.annotation_file(dataset_config.root, dataset_config.train_set)
        raise InputError(
            f"MODEL.NUM_JOINTS is {count}, but '{category.name}' of {path} has {len(names)} keypoints, "
            f"so it must be {len(names)}: {', '.join(names)}"
        )
    return names


def mapping_of(config: Config, dataset_config: DatasetConfig, image_set: str) -> JointMapping:
    """How the network's joints are read from ``image_set`` of ``dataset_config``. Raises InputError.

    The source may lack joints where it or the target is in coco_format; all else has every joint.
    """
    if dataset_config is config.dataset_src:
        target = config.dataset_target
        names = joints_of_network(config, target)
        own = _own_keypoints(dataset_config, image_set)
        try:
            mapping = map_by_name(dataset_config.dataset, own, names, dict(dataset_config.joints))
        except ValueError as error:
            raise InputError(f"DATASET_SRC.JOINTS: {error}") from None
        if not mapping.labelled:
            raise InputError(
                f"source and target share no joint; map them in DATASET_SRC.JOINTS. "
                f"The target's are {', '.join(names)}; the source's {', '.join(own)}"
            )
        may_lack = FORMAT in (dataset_config.dataset, target.dataset)
    else:
        names = joints_of_network(config, dataset_config)
        own = _own_keypoints(dataset_config, image_set)
        if dataset_config.dataset == FORMAT and own != names:
            raise InputError(
                f"{dataset_config.root}: {image_set} has the keypoints {', '.join(own)}, "
                f"but {dataset_config.train_set} has {', '.join(names)}"
            )
        mapping, may_lack = map_by_name(dataset_config.dataset, own, names), False
    if mapping.missing and not may_lack:
        raise InputError(
            f"MODEL.NUM_JOINTS is {len(names)}, but {dataset_config.dataset} has no label for '{mapping.missing[0]}'"
        )
    return mapping


def sigmas_of(dataset_config: DatasetConfig, names: tuple[str, ...]) -> np.ndarray:
    """[J] of OKS. Raises InputError where their number is not that of the joints."""
    if len(dataset_config.sigmas) not in (1, len(names)):
        raise InputError(
            f"SIGMAS has {len(dataset_config.sigmas)} numbers, expected one for all joints or {len(names)}: {', '.join(names)}"
        )
    return np.broadcast_to(np.array(dataset_config.sigmas, np.float64), len(names))


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


def _own_keypoints(dataset_config: DatasetConfig, image_set: str) -> tuple[str, ...]:
    category = category_of(dataset_config, image_set)
    return NATIVE_KEYPOINTS[dataset_config.dataset] if category is None else category.keypoints
