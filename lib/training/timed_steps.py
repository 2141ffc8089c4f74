"""Training steps that are timed, for the profiler and the doctor."""

import time

from lib.training.batches import TrainingBatches, as_step_batches
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.training.step import raise_if_nonfinite_loss, run_phase_step, weighting_of_step
from lib.utils.device import wait_for_device


class TimedSteps:
    """Steps of a phase as in training, past LBI.WARMUP."""

    def __init__(self, spec: RunSpec, phase: Phase, state: State, batches: TrainingBatches):
        self.config = spec.config
        self.over_pixels = spec.over_pixels
        self.phase = phase
        self.state = state
        self.batches = batches

    def run(self, count: int) -> float:
        """Take ``count`` steps; the seconds that they took."""
        wait_for_device()
        begun = time.perf_counter()
        for _ in range(count):
            self._run_step()
        wait_for_device()
        return time.perf_counter() - begun

    def _run_step(self) -> None:
        lbi = self.config.lbi
        weighting = weighting_of_step(lbi, self.state, 0, lbi.warmup)
        samples = self.batches.next(self.state.step, weighting)
        batches = as_step_batches(samples, self.config.loss.use_target_weight, self.over_pixels)
        output = run_phase_step(lbi, self.phase, self.state, batches, weighting)
        self.state.step += 1
        raise_if_nonfinite_loss(output, self.state.step)
