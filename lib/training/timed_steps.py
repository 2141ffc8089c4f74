"""Some steps of a training run, to see what they cost."""

import time

from lib.config.schema import Config
from lib.training.batches import TrainingBatches
from lib.training.phases import Phase
from lib.training.state import State
from lib.training.step import raise_if_nonfinite_loss, take_step, weighting_of
from lib.utils.device import wait_for_device


class Steps:
    """Steps of a phase as in training, past LBI.WARMUP."""

    def __init__(self, config: Config, phase: Phase, state: State, batches: TrainingBatches):
        self.config = config
        self.phase = phase
        self.state = state
        self.batches = batches

    def __call__(self, count: int) -> float:
        """The seconds that ``count`` steps took."""
        wait_for_device()
        begun = time.perf_counter()
        for _ in range(count):
            weighting = weighting_of(self.config.lbi, self.state, 0, self.config.lbi.warmup)
            passes = {"target": [], "source": [], "validation": []}
            samples = self.batches.next(self.state.step, weighting)
            record = take_step(
                self.config, self.phase, weighting, self.state, *samples, [], passes, self.batches.counts
            )
            self.state.step += 1
            raise_if_nonfinite_loss(record, self.state.step)
        wait_for_device()
        return time.perf_counter() - begun
