"""The batches that a phase of training takes, and what the training step sees of them."""

import itertools
import time
from collections.abc import Generator, Iterator
from dataclasses import replace

import torch

from lib.config.schema import Config
from lib.dataset.keypoint_dataset import KeypointDataset, Sample
from lib.dataset.loader import InfiniteBatchSampler, readable, training_batches
from lib.ignoring.bilevel_step import SourceBatch, Weighting
from lib.ignoring.learner import Batch
from lib.models.loss import keypoint_losses
from lib.training.data import Data
from lib.training.phases import Phase
from lib.training.state import State
from lib.utils.errors import InputError
from lib.utils.profile import profiled


class TrainingBatches:
    """The batches of one training run after another, on the device, unreadable images left out.

    Of several processes, this one's part of each. ``counts``: how many samples each process holds of the
    batches (target, source, validation) that ``next`` gave last. Raises InputError where a batch is too
    small for the processes.
    """

    def __init__(self, config: Config, phase: Phase, data: Data, state: State, device: torch.device, log):
        self.config = config
        self.device = device
        self.skipped = 0
        self.waited = 0.0
        self.log = log
        self.group = state.group
        self.counts: list[tuple[int, ...]] = [(), (), ()]
        self.problems: list[str] = []  # that the first process has not been told of
        self.people = validation_people(config, data) if phase.ignores and state.learns else None
        size, start = config.train.batch_size, state.step
        self.target = self.source = self.validation = None
        if phase.uses_target:
            self.target = self._read(data.target, self._order(data.target, size, 1, start))
        if phase.uses_source:
            of_source = self._order(data.source, config.train.src_batch_size or size, 2, start)
            self.source = self._read(data.source, of_source)

    def __enter__(self) -> "TrainingBatches":
        return self

    def __exit__(self, *_) -> None:
        """End the workers that read; left to the interpreter's end they are killed, which torch takes for a failure."""
        for part in (self.target, self.source, self.validation):
            if isinstance(part, Generator):
                part.close()

    @profiled("data")
    def next(self, step: int, weighting: Weighting) -> tuple[Sample | None, Sample | None, Sample | None]:
        """TrainingBatches of target and source, where the phase uses them, and of validation, where the step learns."""
        validates = self.people is not None and weighting is Weighting.UPDATE
        begun = time.perf_counter()
        if validates and self.validation is None:
            self.validation = self._validation(step)
        parts = (self.target, self.source, self.validation if validates else None)
        batches = tuple(part and next(part) for part in parts)
        if self.group.size > 1:
            self._count(batches)
        self.waited += time.perf_counter() - begun
        return batches

    def _count(self, batches: tuple[Sample | None, ...]) -> None:
        """Find ``counts``, and report what anybody could not read."""
        held = (len(batch.index) if batch else 0 for batch in batches)
        *self.counts, untold = self.group.counts(*held, len(self.problems))
        problems = list(itertools.chain(*self.group.all_gather_object(self.problems))) if any(untold) else []
        self.problems.clear()
        for problem in problems:
            self._report(problem)
        for batch, counts in zip(batches, self.counts):
            if batch and not any(counts):
                raise InputError(f"no image of a whole batch can be read, among them {problems[0]}")

    def take_waited(self) -> float:
        """Seconds that ``next`` took since this was last asked."""
        waited, self.waited = self.waited, 0.0
        return waited

    def _validation(self, step: int) -> Iterator[Sample]:
        """One batch for each LBI.HYPERGRAD_INTERVAL steps, from ``step`` on."""
        size = self.config.lbi.val_batch_size or self.config.train.batch_size
        if size < len(self.people):
            order = self._order(self.people, size, 3, step // self.config.lbi.hypergrad_interval)
            return self._read(self.people, order)
        # The whole of V every time, without augmentation: read it once.
        whole = InfiniteBatchSampler(
            len(self.people), size, self.config.seed, shuffle=False, group=self.group
        )
        return itertools.repeat(next(self._read(self.people, whole)))

    def _order(self, dataset: KeypointDataset, size: int, role: int, start: int) -> InfiniteBatchSampler:
        # Every role has its own stream of random numbers, whatever the others draw.
        seed = self.config.seed + role * 1_000_003
        return InfiniteBatchSampler(len(dataset), size, seed, self.config.train.shuffle, start, self.group)

    def _read(self, dataset: KeypointDataset, order: InfiniteBatchSampler) -> Iterator[Sample]:
        loader = training_batches(dataset, order, self.config.workers, self.device.type == "cuda")
        several = self.group.size > 1
        if order.batch_size < self.group.size:
            raise InputError(
                f"a batch of {order.batch_size} people is too small for {self.group.size} processes"
            )
        report = self.problems.append if several else self._report
        for batch in loader:
            yield readable(batch, self.config.dataset.on_bad_image, report, several).to(self.device)

    def _report(self, problem: str) -> None:
        self.skipped += 1
        self.log.warning(f"left out ({self.skipped} so far): {problem}")


def validation_people(config: Config, data: Data) -> KeypointDataset:
    """The people whose loss the ignoring weights serve, as they are: V, or T and V."""
    if config.lbi.meta_data == "validation":
        return data.validation.dataset
    of_both = data.target.annotations
    if not config.lbi.val_in_train:  # otherwise T holds V already
        of_both = of_both.joined(data.validation.dataset.annotations)
    return data.validation.dataset.of(of_both)


def as_batch(
    sample: Sample,
    use_target_weight: bool,
    keep: list[torch.Tensor] | None = None,
    counts: tuple[int, ...] = (),
) -> Batch:
    """A batch as the training step knows it; the network's outputs are put into ``keep``."""
    weight = _loss_weight(sample, use_target_weight)

    def losses(outputs: torch.Tensor) -> torch.Tensor:
        if keep is not None:
            keep.append(outputs.detach())
        return keypoint_losses(outputs, sample.heatmaps, weight)

    return Batch(sample.image, losses, counts=counts)


def watched(batch: Batch, passes: list[torch.Tensor]) -> Batch:
    """``batch``, whose losses [N, J] of every pass through a model are put into ``passes``."""

    def losses(outputs: torch.Tensor) -> torch.Tensor:
        values = batch.losses(outputs)
        passes.append(values.detach())
        return values

    return replace(batch, losses=losses)


def as_source_batch(sample: Sample, use_target_weight: bool, counts: tuple[int, ...] = ()) -> SourceBatch:
    """A source batch; the keypoints that count in its loss are those that have ignoring variables."""
    batch = as_batch(sample, use_target_weight)
    counted = _loss_weight(sample, use_target_weight)
    return SourceBatch(batch.images, batch.losses, sample.index, sample.flipped, counted, counts=counts)


def _loss_weight(sample: Sample, use_target_weight: bool) -> torch.Tensor:
    return sample.target_weight if use_target_weight else torch.ones_like(sample.target_weight)
