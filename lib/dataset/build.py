"""Build annotations, the heatmap codec and keypoint data sets as the configuration names them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib.config.schema import Config, DatasetConfig, ModelConfig
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
    dataset_config: DatasetConfig, config: Config, report: Report, validation: bool | None = None
) -> Annotations:
    return read_people(
        dataset_config, dataset_config.train_set, config, build_codec(config.model), report, validation
    )


def training_set(
    people: Annotations, dataset_config: DatasetConfig, config: Config, role: str, report: Report
) -> KeypointDataset:
    report_annotations(people, dataset_config, dataset_config.train_set, role, report)
    augmentation = Augmentation(dataset_config.flip, dataset_config.rot_factor, dataset_config.scale_factor)
    return keypoint_dataset(people, augmentation, config)


def keypoint_dataset(
    people: Annotations, augmentation: Augmentation | None, config: Config
) -> KeypointDataset:
    codec, of_all = build_codec(config.model), config.dataset
    return KeypointDataset(
        people, codec, augmentation, of_all.color_rgb, config.seed, of_all.cache, of_all.reduced_decode
    )


def report_annotations(
    people: Annotations, dataset_config: DatasetConfig, image_set: str, role: str, report: Report
) -> None:
    report(
        f"{role}: {len(people)} {called(dataset_config)} in {len(np.unique(people.image_index))} images"
        f" ({dataset_config.dataset} {image_set}, {dataset_config.root})"
    )


def read_people(
    dataset_config: DatasetConfig,
    image_set: str,
    config: Config,
    codec: HeatmapCodec,
    report: Report = lambda line: None,
    validation: bool | None = None,
) -> Annotations:
    """The people (or other objects) of ``image_set`` of a data set that ``dataset_config`` (DATASET_SRC, ...) describes.

    ``validation`` true or false: only V's third of them, or the rest, as DATASET_TARGET.SPLIT cuts.
    With DATASET.ANNOTATION_CACHE from the file that an earlier start made, see annotation_cache.py.
    """
    mapping = mapping_of(config, dataset_config, image_set)
    aspect = codec.image_size[0] / codec.image_size[1]
    category, split = category_of(dataset_config, image_set), config.dataset_target.split
    folder = image_folder(dataset_config, image_set)
    asked = {"set": image_set, "aspect": aspect}
    if dataset_config.dataset == "mpii":
        asked["split"] = split
    if category is not None:
        asked["category"] = category.number

    def read() -> Annotations:
        if dataset_config.dataset == "mpii":
            return mpii.read_mpii(
                dataset_config.root,
                image_set,
                mapping.names,
                aspect,
                split,
                dataset_config.data_format,
                mapping,
            )

        def open_images() -> ImageFolder:
            return ImageFolder(folder, dataset_config.data_format, reading.nested)

        return read_objects(reading.files[0], open_images, mapping, aspect, category and category.number)

    reading = CacheKey(
        f"{dataset_config.dataset}_{Path(image_set).stem}",
        mapping,
        asked,
        annotation_files(dataset_config, image_set),
        folder,
        dataset_config.data_format,
        nested=category is not None,
    )
    kept_in = Path(config.output_dir) / "annotations" if config.dataset.annotation_cache else None
    people = load_or_build(kept_in, reading, read, report)
    if validation is None:
        return people
    part = people.subset(mpii.validation_part(people, split) == validation)
    if not len(part):
        raise InputError(f"{reading.files[0]}: too few images to be cut into T and V (DATASET_TARGET.SPLIT)")
    return part


def build_codec(model: ModelConfig) -> HeatmapCodec:
    """The heatmaps that the configured network gives; InputError where the sizes don't fit it."""
    size = tuple(model.image_size)
    if any(side % 32 for side in size):
        raise InputError(f"MODEL.IMAGE_SIZE is {size[0]} x {size[1]}; a ResNet needs multiples of 32")
    given = tuple(model.extra.heatmap_size)
    network = tuple(side // 32 * 2**model.extra.num_deconv_layers for side in size)
    if given != network:
        raise InputError(
            f"MODEL.EXTRA.HEATMAP_SIZE is {given[0]} x {given[1]}, but with MODEL.IMAGE_SIZE {size[0]} x {size[1]}"
            f" and {model.extra.num_deconv_layers} transposed convolutions it is {network[0]} x {network[1]}"
        )
    return HeatmapCodec(size, given, model.extra.sigma)
