"""The batches of a training phase: read, left out if unreadable, and as the training step takes them."""

import itertools
import time
from collections.abc import Generator, Iterator
from typing import NamedTuple

import torch

from lib.config.schema import Config, IgnoringConfig
from lib.dataset.keypoint_dataset import KeypointDataset, Sample
from lib.dataset.loader import InfiniteBatchSampler, close_workers, drop_unreadable, training_batches
from lib.ignoring.batch import Batch, SourceBatch, StepBatches
from lib.ignoring.bilevel_step import Weighting
from lib.models.loss import OverPixels
from lib.training.batch_sizes import batch_sizes, can_normalize, check_batch_sizes, too_few_values
from lib.training.data import Data
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.utils.distributed import Group
from lib.utils.errors import InputError
from lib.utils.log import LOG
from lib.utils.profile import profiled

Counts = tuple[int, ...]  # the number of samples of a batch on each rank, empty with a single process


class StepSamples(NamedTuple):
    """The samples that a step uses on this rank, None for a batch that it does not have; and their counts."""

    target: Sample | None
    source: Sample | None
    validation: Sample | None
    counts: tuple[Counts, Counts, Counts] = ((), (), ())


class TrainingBatches:
    """The batches of one phase, step after step, on the device; this rank's part of each.

    Use it as a context manager: leaving it shuts down the data loader workers.
    """

    def __init__(self, spec: RunSpec, phase: Phase, state: State):
        self.config = spec.config
        self.device = state.device
        self.group = state.group
        self.skipped = 0
        self.waited = 0.0
        self.problems: list[str] = []  # unreadable images of this rank, not logged yet
        learns = phase.ignores and state.learns
        self.meta_dataset = meta_dataset(spec.config.lbi, spec.data) if learns else None
        self.target: Iterator[Sample] | None = None
        self.source: Iterator[Sample] | None = None
        self.validation: Iterator[Sample] | None = None
        self.sizes = batch_sizes(spec, phase, state.learns)
        check_batch_sizes(self.config, self.sizes.values(), self.group.size)
        if phase.uses_target:
            order = self._sampler(spec.data.target, self.sizes["target"].size, 1, state.step)
            self.target = self._read(spec.data.target, order)
        if phase.uses_source:
            order = self._sampler(spec.data.source, self.sizes["source"].size, 2, state.step)
            self.source = self._read(spec.data.source, order)

    def __enter__(self) -> "TrainingBatches":
        return self

    def __exit__(self, *_) -> None:
        """Shut down the data loader workers; otherwise they are killed at exit and torch reports an error."""
        for part in (self.target, self.source, self.validation):
            if isinstance(part, Generator):
                part.close()

    @profiled("data")
    def next(self, step: int, weighting: Weighting) -> StepSamples:
        """The samples of training step ``step``, with validation samples if its weights are to be updated.

        Raises:
            InputError: if too few images of a batch can be read.
        """
        validates = self.meta_dataset is not None and weighting is Weighting.UPDATE
        begun = time.perf_counter()
        if validates and self.validation is None:
            self.validation = self._validation_batches(step)
        parts = (self.target, self.source, self.validation if validates else None)
        target, source, validation = (next(part) if part else None for part in parts)
        samples = StepSamples(target, source, validation)
        problems, self.problems = self.problems, []
        if self.group.size > 1:
            samples, problems = with_counts(self.group, samples, problems)
        for problem in problems:
            self.skipped += 1
            LOG.warning(f"skipped ({self.skipped} so far): {problem}")
        raise_if_unreadable(samples, problems)
        if problems:
            raise_if_not_normalizable(self.config, samples, problems)
        self.waited += time.perf_counter() - begun
        return samples

    def take_waited(self) -> float:
        """Seconds spent in `next` since the last call of this method."""
        waited, self.waited = self.waited, 0.0
        return waited

    def _validation_batches(self, step: int) -> Iterator[Sample]:
        """One batch per hypergradient, from ``step`` on."""
        size = self.sizes["validation"].size
        if size < len(self.meta_dataset):
            start = step // self.config.lbi.hypergrad_interval
            return self._read(self.meta_dataset, self._sampler(self.meta_dataset, size, 3, start))
        # The whole of V every time, without augmentation: read it once.
        whole = InfiniteBatchSampler(
            len(self.meta_dataset), size, self.config.seed, shuffle=False, group=self.group
        )
        return itertools.repeat(next(self._read(self.meta_dataset, whole)))

    def _sampler(self, dataset: KeypointDataset, size: int, role: int, start: int) -> InfiniteBatchSampler:
        # Every role has its own stream of random numbers, independent of the others.
        seed = self.config.seed + role * 1_000_003
        return InfiniteBatchSampler(len(dataset), size, seed, self.config.train.shuffle, start, self.group)

    def _read(self, dataset: KeypointDataset, sampler: InfiniteBatchSampler) -> Iterator[Sample]:
        loader = training_batches(dataset, sampler, self.config.workers, self.device.type == "cuda")
        try:
            for batch in loader:
                readable, problems = drop_unreadable(batch, self.config.dataset.on_bad_image)
                self.problems += problems
                yield readable.to(self.device)
        finally:
            close_workers(loader)


def with_counts(group: Group, samples: StepSamples, problems: list[str]) -> tuple[StepSamples, list[str]]:
    """Exchange with the other ranks how many samples each holds, and what it could not read.

    Args:
        problems: unreadable images of this rank, one message each.

    Returns:
        ``samples`` with their counts, and the problems of all ranks.
    """
    held = (len(batch.index) if batch else 0 for batch in samples[:3])
    *counts, unreported = group.counts(*held, len(problems))
    collected = group.all_gather_object(problems) if any(unreported) else []
    return samples._replace(counts=tuple(counts)), list(itertools.chain(*collected))


def raise_if_unreadable(samples: StepSamples, problems: list[str]) -> None:
    """Raise InputError if no rank could read an image of a batch."""
    for batch, counts in zip(samples[:3], samples.counts):
        if batch and not any(counts or (len(batch.index),)):
            raise InputError(f"no readable image in this batch, e.g. {problems[0]}")


def raise_if_not_normalizable(config: Config, samples: StepSamples, problems: list[str]) -> None:
    """Raise InputError if so few images of a batch are left that BatchNorm cannot normalize it."""
    for batch, counts in zip(samples[:3], samples.counts):
        if batch:
            on_ranks = counts or (len(batch.index),)
            together = (sum(on_ranks),) if config.train.sync_bn else on_ranks
            if not all(can_normalize(config, count) for count in together):
                raise InputError(f"{problems[0]}; without it, {too_few_values(config)}")


def meta_dataset(lbi: IgnoringConfig, data: Data) -> KeypointDataset:
    """The samples whose loss the ignoring weights minimize, without augmentation: V, or T and V."""
    if lbi.meta_data == "validation":
        return data.validation.dataset
    training, validation = data.target, data.validation.dataset
    if lbi.val_in_train:  # T holds V already
        return validation.with_annotations(training.annotations).with_pack(training.pack)
    whole = validation.with_annotations(training.annotations.joined(validation.annotations))
    if training.pack is None or validation.pack is None:
        return whole
    return whole.with_pack(training.pack.joined(validation.pack))


def as_step_batches(
    samples: StepSamples, use_target_weight: bool, over: OverPixels = OverPixels.SUM
) -> StepBatches:
    """The batches as the training step takes them.

    Args:
        use_target_weight: LOSS.USE_TARGET_WEIGHT; if false, keypoints without a label count in the loss, too.
        over: the scale of the losses.
    """
    target, source, validation, counts = samples
    return StepBatches(
        target and as_batch(target, use_target_weight, over, counts[0]),
        source and as_source_batch(source, use_target_weight, over, counts[1]),
        validation and as_batch(validation, use_target_weight, over, counts[2]),
    )


def as_batch(
    sample: Sample, use_target_weight: bool, over: OverPixels = OverPixels.SUM, counts: Counts = ()
) -> Batch:
    """A target or validation batch; see `as_step_batches`."""
    weights = _loss_weights(sample, use_target_weight)
    return Batch(sample.image, sample.heatmaps, weights, counts=counts, over_pixels=over)


def as_source_batch(
    sample: Sample, use_target_weight: bool, over: OverPixels = OverPixels.SUM, counts: Counts = ()
) -> SourceBatch:
    """A source batch; see `as_step_batches`."""
    weights, which = _loss_weights(sample, use_target_weight), (sample.index, sample.flipped)
    return SourceBatch(sample.image, sample.heatmaps, weights, *which, counts=counts, over_pixels=over)


def _loss_weights(sample: Sample, use_target_weight: bool) -> torch.Tensor:
    return sample.target_weight if use_target_weight else torch.ones_like(sample.target_weight)
