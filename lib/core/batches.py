"""The batches that a phase of training takes, and what the training step sees of them."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import torch
from easydict import EasyDict

from lib.core.data import Data
from lib.core.loss import keypoint_losses
from lib.core.schedule import Phase
from lib.core.state import State
from lib.dataset.joints import KeypointDataset, Sample
from lib.dataset.loader import EndlessBatches, readable, training_batches
from lib.ignoring.hypergradient import Batch
from lib.ignoring.step import SourceBatch


class Batches:
    """The batches of one training run after another, on the device, unreadable pictures left out."""

    def __init__(self, config: EasyDict, phase: Phase, data: Data, state: State, device: torch.device, log):
        self.config = config
        self.device = device
        self.skipped = 0
        self.log = log
        size, start = config.TRAIN.BATCH_SIZE, state.step
        self.target = self.source = self.validation = None
        if phase.uses_target:
            self.target = self._read(data.target, self._order(data.target, size, 1, start))
        if phase.uses_source:
            of_source = self._order(data.source, config.TRAIN.SRC_BATCH_SIZE or size, 2, start)
            self.source = self._read(data.source, of_source)
        if phase.ignores and state.learns:
            people = validation_people(config, data)
            size = config.LBI.VAL_BATCH_SIZE or size
            if size < len(people):
                self.validation = self._read(people, self._order(people, size, 3, start))
            else:  # the whole of V every time, without augmentation: read it once
                whole = EndlessBatches(len(people), size, config.SEED, shuffle=False)
                self.validation = itertools.repeat(next(self._read(people, whole)))

    def next(self) -> tuple[Sample | None, Sample | None, Sample | None]:
        """Batches of target, source and validation, those that the phase uses."""
        return tuple(part and next(part) for part in (self.target, self.source, self.validation))

    def _order(self, dataset: KeypointDataset, size: int, role: int, start: int) -> EndlessBatches:
        # Every role has its own stream of random numbers, whatever the others draw.
        return EndlessBatches(
            len(dataset), size, self.config.SEED + role * 1_000_003, self.config.TRAIN.SHUFFLE, start
        )

    def _read(self, dataset: KeypointDataset, order: EndlessBatches) -> Iterator[Sample]:
        loader = training_batches(dataset, order, self.config.WORKERS, self.device.type == "cuda")
        for batch in loader:
            yield readable(batch, self.config.DATASET.ON_BAD_IMAGE, self._report).to(self.device)

    def _report(self, problem: str) -> None:
        self.skipped += 1
        self.log.warning(f"left out ({self.skipped} so far): {problem}")


def validation_people(config: EasyDict, data: Data) -> KeypointDataset:
    """The people whose loss the ignoring weights serve, as they are: V, or T and V."""
    if config.LBI.VALIDATE_ON == "validation":
        return data.validation.dataset
    of_both = data.target.annotations
    if not config.LBI.VAL_IN_TRAIN:  # otherwise T holds V already
        of_both = of_both.joined(data.validation.dataset.annotations)
    return data.validation.dataset.of(of_both)


def as_batch(sample: Sample, use_target_weight: bool, keep: list[torch.Tensor] | None = None) -> Batch:
    """A batch as the training step knows it; the network's outputs are put into ``keep``."""
    weight = _loss_weight(sample, use_target_weight)

    def losses(outputs: torch.Tensor) -> torch.Tensor:
        if keep is not None:
            keep.append(outputs.detach())
        return keypoint_losses(outputs, sample.heatmaps, weight)

    return Batch(sample.image, losses)


def watched(batch: Batch, passes: list[torch.Tensor]) -> Batch:
    """``batch``, whose losses [N, J] of every pass through a model are put into ``passes``."""

    def losses(outputs: torch.Tensor) -> torch.Tensor:
        values = batch.losses(outputs)
        passes.append(values.detach())
        return values

    return replace(batch, losses=losses)


def as_source_batch(sample: Sample, use_target_weight: bool) -> SourceBatch:
    """A source batch; the keypoints that count in its loss are those that have ignoring variables."""
    batch = as_batch(sample, use_target_weight)
    counted = _loss_weight(sample, use_target_weight)
    return SourceBatch(batch.images, batch.losses, sample.index, sample.flipped, counted)


def _loss_weight(sample: Sample, use_target_weight: bool) -> torch.Tensor:
    return sample.target_weight if use_target_weight else torch.ones_like(sample.target_weight)
