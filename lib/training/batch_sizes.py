"""The sizes of a phase's batches, and whether BatchNorm can normalize each of them in training."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lib.config.schema import Config
from lib.dataset.heatmap import BACKBONE_STRIDE
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.utils.errors import InputError


@dataclass(frozen=True)
class BatchSize:
    """One kind of batch.

    name: what messages call it: "target", "source" or "validation".
    size: images of all processes together, at most ``available``.
    setting: the key that gives the size.
    available: images that there are.
    """

    name: str
    size: int
    setting: str
    available: int

    @classmethod
    def of(cls, name: str, sizes: dict[str, int], available: int) -> "BatchSize":
        """The size of the first setting of ``sizes`` {key: value} that is not 0."""
        setting, size = next((key, value) for key, value in sizes.items() if value)
        return cls(name, min(size, available), setting, available)


def batch_sizes(spec: RunSpec, phase: Phase, learns: bool) -> dict[str, BatchSize]:
    """The batches that a step of ``phase`` reads, by name.

    Args:
        learns: whether the run's ignoring variables learn, so that there are validation batches.
    """
    train, lbi, data = spec.config.train, spec.config.lbi, spec.data
    own, whole = {}, {"TRAIN.BATCH_SIZE": train.batch_size}
    if phase.uses_target:
        own["target"] = BatchSize.of("target", whole, len(data.target))
    if phase.uses_source:
        sizes = {"TRAIN.SRC_BATCH_SIZE": train.src_batch_size} | whole
        own["source"] = BatchSize.of("source", sizes, len(data.source))
    if phase.ignores and learns:
        available = len(data.validation.dataset)
        if lbi.meta_data == "target":  # T and V; with VAL_IN_TRAIN, T holds V already
            available = len(data.target) + (0 if lbi.val_in_train else available)
        sizes = {"LBI.VAL_BATCH_SIZE": lbi.val_batch_size} | whole
        own["validation"] = BatchSize.of("validation", sizes, available)
    return own


def check_batch_sizes(config: Config, batches: Iterable[BatchSize], processes: int) -> None:
    """Raise InputError if a batch is too small for the processes, or for BatchNorm in training.

    BatchNorm needs two values per channel. The last feature map of the ResNet has 1 / 32 of the input's side, so
    with an input of 32 x 32 pixels it needs two images: on every process, or with TRAIN.SYNC_BN on all together.
    """
    for batch in batches:
        found = f"{batch.setting} gives {name_of(batch)}"
        if batch.size < processes:
            raise InputError(f"{found}, too small for {processes} processes")
        together = config.train.sync_bn and processes > 1
        if not can_normalize(config, batch.size if together else batch.size // processes):
            on_one = "" if processes == 1 else f", 1 of them on one of {processes} processes"
            remedy = " (or TRAIN.SYNC_BN true)" if processes > 1 else ""
            raise InputError(f"{found}{on_one}: {too_few_values(config)}{remedy}")


def name_of(batch: BatchSize) -> str:
    """The batch in words; with the reason if it is smaller than the setting says."""
    images = "1 image" if batch.size == 1 else f"{batch.size} images"
    reason = " (all there are)" if batch.size == batch.available else ""
    return f"a {batch.name} batch of {images}{reason}"


def can_normalize(config: Config, images: int) -> bool:
    """Whether the smallest feature map of a batch has no or at least two values per channel."""
    return images * math.prod(side // BACKBONE_STRIDE for side in config.model.image_size) != 1


def too_few_values(config: Config) -> str:
    """Why `can_normalize` is false, and what helps."""
    width, height = config.model.image_size
    return (
        f"with MODEL.IMAGE_SIZE {width} x {height} BatchNorm would normalize over a single value per channel; "
        f"expected at least 2 images, or a side of {2 * BACKBONE_STRIDE} pixels"
    )
