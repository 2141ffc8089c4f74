"""Build annotations, the heatmap codec and keypoint data sets from the configuration."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lib.config.data_settings import DatasetConfig
from lib.config.schema import Config, ModelConfig
from lib.dataset.annotation_cache import CacheKey, load_or_build
from lib.dataset.annotations import Annotations, ReadOptions
from lib.dataset.frames import settled
from lib.dataset.heatmap import BACKBONE_STRIDE, HeatmapCodec, network_heatmap_size
from lib.dataset.joints import mapping_of
from lib.dataset.keypoint_dataset import Augmentation, KeypointDataset
from lib.dataset.layouts import USUAL_IMAGE_FOLDER, COCOFormatLayout, ImageSet
from lib.dataset.packing import Packing, opened, packed
from lib.dataset.splits import is_validation
from lib.utils.errors import InputError
from lib.utils.log import LOG


def read_annotations(config: Config, image_set: ImageSet) -> Annotations:
    """Read the annotations of ``image_set`` for the configured network.

    With DATASET.ANNOTATION_CACHE, large files are read from OUTPUT_DIR/annotations if they were read before.
    Parts (T and V) are split as DATASET_TARGET.SPLIT says.

    Raises:
        InputError: naming the file and the annotation, for anything that cannot be used.
    """
    mapping, layout, options = mapping_of(config, image_set), image_set.layout, read_options(config)
    files, category = layout.annotation_files(image_set.name), layout.category(image_set.name)
    settings: dict[str, Any] = {**asdict(options), "drop_zero": layout.drop_zero}
    if category is not None:
        settings["categories"] = list(category.numbers)
    key = CacheKey(f"{layout.name}_{files[0].stem}", mapping, settings, files, layout.images(image_set.name))
    folder = Path(config.output_dir) / "annotations" if config.dataset.annotation_cache else None
    annotations = load_or_build(folder, key, lambda: layout.read(image_set.name, mapping, options))
    annotations = settled(annotations, files[0], config.dataset)
    if image_set.part is None:
        return annotations
    part = annotations.subset(is_validation(annotations, config.dataset_target.split) == image_set.part)
    if not len(part):
        raise InputError(f"{files[0]}: too few images to split into T and V (DATASET_TARGET.SPLIT)")
    return part


def read_options(config: Config) -> ReadOptions:
    """How annotations are made samples, by MODEL.IMAGE_SIZE and DATASET.ON_BAD_IMAGE. Raises InputError."""
    width, height = build_codec(config.model).image_size
    return ReadOptions(width / height, config.dataset.on_bad_image == "skip")


def log_annotations(annotations: Annotations, image_set: ImageSet, role: str) -> None:
    """Log how many instances and images were read, and the reader's notes, e.g. for ``role`` "target T"."""
    layout = image_set.layout
    LOG.info(
        f"{role}: {len(annotations)} {layout.noun} in {len(np.unique(annotations.image_index))} images"
        f" ({layout.name} {image_set.name}, {image_set.dataset_config.root})"
    )
    if isinstance(layout, COCOFormatLayout) and not layout.image_folder_name:
        folder = layout.image_folder(image_set.name)
        if folder.name != USUAL_IMAGE_FOLDER:
            LOG.info(f"{role}: images from {folder} (IMAGES is empty)")
    if image_set.validation is False:
        return  # the notes are those of the file, and were logged with its other part, V
    of = role if image_set.validation is None else f"T and V, {image_set.name}"
    for kind, counts in annotations.notes.sentences().items():
        (LOG.warning if kind == "doubtful" else LOG.info)(f"{of}, {kind}: {counts}")


def training_dataset(
    config: Config, dataset_config: DatasetConfig, annotations: Annotations
) -> KeypointDataset:
    """Samples of ``annotations``, augmented by FLIP, ROT_FACTOR and SCALE_FACTOR of ``dataset_config``."""
    augmentation = Augmentation(dataset_config.flip, dataset_config.rot_factor, dataset_config.scale_factor)
    return keypoint_dataset(config, annotations, augmentation)


def keypoint_dataset(
    config: Config, annotations: Annotations, augmentation: Augmentation | None
) -> KeypointDataset:
    """Samples of ``annotations``, with the image settings of section DATASET. Packs are added by `with_pack`.

    Raises:
        InputError: settings contradict each other.
    """
    images = config.dataset
    if images.cache and images.pack:
        raise InputError(
            "DATASET.CACHE and DATASET.PACK are both true; a pack makes the cache in memory useless, so use one"
        )
    return KeypointDataset(
        annotations,
        build_codec(config.model),
        augmentation,
        images.reads_rgb,
        config.seed,
        images.cache,
        images.reduced_decode,
    )


def with_pack(
    config: Config, image_set: ImageSet, role: str, dataset: KeypointDataset, make: bool
) -> KeypointDataset:
    """The samples of ``dataset``, with their pixels from a pack in OUTPUT_DIR/packs.

    Args:
        config: the whole configuration.
        image_set: what ``dataset`` was read from.
        role: how the run uses it, such as "source"; each role has its own pack, as it needs other pixels.
        dataset: the samples.
        make: make or complete the pack; False in a process that waited while another one did.

    Raises:
        InputError: the pack cannot be made, see `packed`.
    """
    path = pack_path(config, image_set, role)
    if not make:
        return opened(dataset, path)
    return packed(dataset, path, Packing(config.dataset.on_bad_image, config.workers))


def pack_path(config: Config, image_set: ImageSet, role: str) -> Path:
    """Where the pack of an image set is; see `with_pack`."""
    layout = image_set.layout
    file = layout.annotation_files(image_set.name)[0]
    where = json.dumps([str(file), str(layout.images(image_set.name).location)])
    digest = hashlib.sha256(where.encode()).hexdigest()[:12]
    return Path(config.output_dir) / "packs" / f"{role}_{layout.name}_{file.stem}_{digest}.pack"


def build_codec(model: ModelConfig) -> HeatmapCodec:
    """Build the codec of the heatmaps that the configured network outputs.

    Raises:
        InputError: MODEL.IMAGE_SIZE or MODEL.EXTRA.HEATMAP_SIZE does not fit the network.
    """
    size = model.image_size
    if any(side % BACKBONE_STRIDE for side in size):
        raise InputError(
            f"MODEL.IMAGE_SIZE is {size[0]} x {size[1]}; a ResNet needs multiples of {BACKBONE_STRIDE}"
        )
    given = model.extra.heatmap_size
    network = network_heatmap_size(size, model.extra.num_deconv_layers)
    if given != network:
        raise InputError(
            f"MODEL.EXTRA.HEATMAP_SIZE is {given[0]} x {given[1]}, but with MODEL.IMAGE_SIZE {size[0]} x {size[1]}"
            f" and {model.extra.num_deconv_layers} transposed convolutions it is {network[0]} x {network[1]}"
        )
    return HeatmapCodec(size, given, model.extra.sigma)
