"""Build annotations, the heatmap codec and keypoint data sets as the configuration names them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from easydict import EasyDict

from lib.dataset import mpii
from lib.dataset.annotation_cache import CacheKey, load_or_build
from lib.dataset.annotations import Annotations
from lib.dataset.coco import read_objects
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.images import ImageFolder
from lib.dataset.keypoint_dataset import Augmentation, KeypointDataset
from lib.dataset.layouts import (
    annotation_files,
    called,
    category_of,
    image_folder,
    mapping_of,
)
from lib.utils.errors import InputError

Report = Callable[[str], None]


def training_annotations(
    group: EasyDict, config: EasyDict, report: Report, validation: bool | None = None
) -> Annotations:
    return read_people(group, group.TRAIN_SET, config, build_codec(config.MODEL), report, validation)


def training_set(
    people: Annotations, group: EasyDict, config: EasyDict, role: str, report: Report
) -> KeypointDataset:
    report_annotations(people, group, group.TRAIN_SET, role, report)
    augmentation = Augmentation(group.FLIP, group.ROT_FACTOR, group.SCALE_FACTOR)
    return keypoint_dataset(people, augmentation, config)


def keypoint_dataset(
    people: Annotations, augmentation: Augmentation | None, config: EasyDict
) -> KeypointDataset:
    codec, of_all = build_codec(config.MODEL), config.DATASET
    return KeypointDataset(
        people, codec, augmentation, of_all.COLOR_RGB, config.SEED, of_all.CACHE, of_all.REDUCED_DECODE
    )


def report_annotations(
    people: Annotations, group: EasyDict, image_set: str, role: str, report: Report
) -> None:
    report(
        f"{role}: {len(people)} {called(group)} in {len(np.unique(people.image_index))} images"
        f" ({group.DATASET} {image_set}, {group.ROOT})"
    )


def read_people(
    group: EasyDict,
    image_set: str,
    config: EasyDict,
    codec: HeatmapCodec,
    report: Report = lambda line: None,
    validation: bool | None = None,
) -> Annotations:
    """The people (or other objects) of ``image_set`` of a data set that ``group`` (DATASET_SRC, ...) describes.

    ``validation`` true or false: only V's third of them, or the rest, as DATASET_TARGET.SPLIT cuts.
    With DATASET.ANNOTATION_CACHE from the file that an earlier start made, see annotation_cache.py.
    """
    mapping = mapping_of(config, group, image_set)
    aspect = codec.image_size[0] / codec.image_size[1]
    category, split = category_of(group, image_set), config.DATASET_TARGET.SPLIT
    folder = image_folder(group, image_set)
    asked = {"set": image_set, "aspect": aspect}
    if group.DATASET == "mpii":
        asked["split"] = split
    if category is not None:
        asked["category"] = category.number

    def read() -> Annotations:
        if group.DATASET == "mpii":
            return mpii.read_mpii(
                group.ROOT, image_set, mapping.names, aspect, split, group.DATA_FORMAT, mapping
            )

        def open_images() -> ImageFolder:
            return ImageFolder(folder, group.DATA_FORMAT, reading.nested)

        return read_objects(reading.files[0], open_images, mapping, aspect, category and category.number)

    reading = CacheKey(
        f"{group.DATASET}_{Path(image_set).stem}",
        mapping,
        asked,
        annotation_files(group, image_set),
        folder,
        group.DATA_FORMAT,
        nested=category is not None,
    )
    kept_in = Path(config.OUTPUT_DIR) / "annotations" if config.DATASET.ANNOTATION_CACHE else None
    people = load_or_build(kept_in, reading, read, report)
    if validation is None:
        return people
    part = people.subset(mpii.validation_part(people, split) == validation)
    if not len(part):
        raise InputError(f"{reading.files[0]}: too few images to be cut into T and V (DATASET_TARGET.SPLIT)")
    return part


def build_codec(model: EasyDict) -> HeatmapCodec:
    """The heatmaps that the configured network gives; InputError where the sizes don't fit it."""
    size = tuple(model.IMAGE_SIZE)
    if any(side % 32 for side in size):
        raise InputError(f"MODEL.IMAGE_SIZE is {size[0]} x {size[1]}; a ResNet needs multiples of 32")
    given = tuple(model.EXTRA.HEATMAP_SIZE)
    network = tuple(side // 32 * 2**model.EXTRA.NUM_DECONV_LAYERS for side in size)
    if given != network:
        raise InputError(
            f"MODEL.EXTRA.HEATMAP_SIZE is {given[0]} x {given[1]}, but with MODEL.IMAGE_SIZE {size[0]} x {size[1]}"
            f" and {model.EXTRA.NUM_DECONV_LAYERS} transposed convolutions it is {network[0]} x {network[1]}"
        )
    return HeatmapCodec(size, given, model.EXTRA.SIGMA)
