"""How far a run is, and how long it will still take: its work by calculation, its speed as seen so far."""

import time

from lib.config.schema import Config
from lib.ignoring.modes import Mode
from lib.training.cost import forwards_of_hypergradient, forwards_of_step, forwards_of_validation
from lib.training.data import Data
from lib.training.phases import phases
from lib.training.state import State


class Progress:
    """Work is counted in forward passes (see cost.py), so that phases and validations weigh what they cost.

    The steps and validations that are left, the test, and with LBI.RETRAIN the second training.
    """

    def __init__(self, config: Config, mode: Mode, data: Data, state: State, steps_per_epoch: int):
        self.state = state
        self.steps_per_epoch = steps_per_epoch
        self.epochs = _epochs(config, mode, data, state.learns)
        evaluated = {id(part): len(part.dataset) for part in (data.validation, data.test)}.values()
        models = len(state.learners())
        self.after = models * sum(forwards_of_validation(config, people) for people in evaluated)
        if config.lbi.retrain and mode.ignores and state.learns:
            fixed = _epochs(config, mode, data, learns=False)
            self.after += self.after + sum(self._work(*epoch) for epoch in fixed.values())
        self.whole = sum(self._work(*epoch) for epoch in self.epochs.values()) + self.after
        self.at_start = self.work_left()
        self.started = time.monotonic()

    def work_left(self) -> float:
        """Forward passes of one batch of target."""
        done = (
            self.state.step_of_epoch * self.epochs[self.state.epoch][0] if self.state.step_of_epoch else 0.0
        )
        left = (epoch for number, epoch in self.epochs.items() if number >= self.state.epoch)
        return sum(self._work(*epoch) for epoch in left) - done + self.after

    def share(self) -> float:
        """Of the whole run that is done."""
        return 1 - self.work_left() / self.whole

    def seconds_left(self) -> float:
        """At the speed since this process began training."""
        left = self.work_left()
        return (time.monotonic() - self.started) * left / max(self.at_start - left, 1e-9)

    def _work(self, of_step: float, of_validation: float) -> float:
        return self.steps_per_epoch * of_step + of_validation


def _epochs(config: Config, mode: Mode, data: Data, learns: bool) -> dict[int, tuple[float, float]]:
    """The work of a step and of the validation of each epoch."""
    found, lbi = {}, config.lbi
    for phase in phases(config, mode):
        validation = len(phase.roles) * forwards_of_validation(config, len(data.validation.dataset))
        for epoch in range(max(phase.begin, config.train.begin_epoch), phase.end):
            step = forwards_of_step(config, phase)
            if learns and not (lbi.freeze_weights_epoch and epoch - phase.begin >= lbi.freeze_weights_epoch):
                step += forwards_of_hypergradient(config, phase) / lbi.hypergrad_interval
            validates = (epoch + 1) % config.test.eval_epochs == 0 or epoch == phase.end - 1
            found[epoch] = (step, validates * validation)
    return found
