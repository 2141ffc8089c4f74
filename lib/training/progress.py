"""How much of a run is done and how long the rest takes: work by calculation, speed as measured so far."""

import time

from lib.training.cost import forwards_of_hypergradient, forwards_of_step, forwards_of_validation
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.utils.progress import progress_bar
from lib.utils.terminal import TerminalBar


class Progress:
    """The work of a run in forward passes of a target batch (see cost.py).

    Counted are steps, validations, the test at the end and, with LBI.RETRAIN, the second training.
    """

    def __init__(self, spec: RunSpec, state: State):
        self.state = state
        self.steps_per_epoch = spec.steps_per_epoch
        self.epochs = _work_of_epochs(spec, state.learns)
        config, data = spec.config, spec.data
        evaluated = {id(part): len(part.dataset) for part in (data.validation, data.test)}.values()
        models = len(state.models())
        self.after = models * sum(
            forwards_of_validation(config.train, config.test, samples) for samples in evaluated
        )
        if config.lbi.retrain and spec.mode.ignores and state.learns:
            retraining = _work_of_epochs(spec, learns=False)
            self.after += self.after + sum(self._work(*epoch) for epoch in retraining.values())
        self.whole = sum(self._work(*epoch) for epoch in self.epochs.values()) + self.after
        self.at_start = self.work_left()
        self.started = time.monotonic()

    def work_left(self) -> float:
        """Forward passes from the state's position to the end of the run."""
        done = (
            self.state.step_of_epoch * self.epochs[self.state.epoch][0] if self.state.step_of_epoch else 0.0
        )
        left = (epoch for number, epoch in self.epochs.items() if number >= self.state.epoch)
        return sum(self._work(*epoch) for epoch in left) - done + self.after

    def share(self) -> float:
        """Share of the whole run that is done, 0 to 1."""
        return 1 - self.work_left() / self.whole

    def seconds_left(self) -> float:
        """Seconds to the end at the speed since this process started training."""
        left = self.work_left()
        return (time.monotonic() - self.started) * left / max(self.at_start - left, 1e-9)

    def bar(self) -> TerminalBar:
        """A progress bar from `share` now to 1; its own estimate of the time left is that of `seconds_left`."""
        # Without smoothing, tqdm takes the average speed since ``initial``. Drawing may not wait for a number
        # of iterations (miniters), because steps and validations differ in their work.
        return progress_bar(
            total=1.0,
            initial=self.share(),
            smoothing=0,
            miniters=0,
            bar_format="{l_bar}{bar}| {remaining} left{postfix}",
        )

    def _work(self, step: float, validation: float) -> float:
        """Work of an epoch, given that of one step and of its validation."""
        return self.steps_per_epoch * step + validation


def _work_of_epochs(spec: RunSpec, learns: bool) -> dict[int, tuple[float, float]]:
    """{epoch: (work of a step, work of the validation)}."""
    config, lbi = spec.config, spec.config.lbi
    work = {}
    for phase in spec.phases:
        validation = len(phase.roles) * forwards_of_validation(
            config.train, config.test, len(spec.data.validation.dataset)
        )
        for epoch in range(max(phase.begin, config.train.begin_epoch), phase.end):
            step = forwards_of_step(config.train, phase)
            if learns and not (lbi.freeze_weights_epoch and epoch - phase.begin >= lbi.freeze_weights_epoch):
                step += forwards_of_hypergradient(config, phase) / lbi.hypergrad_interval
            validates = (epoch + 1) % config.test.eval_epochs == 0 or epoch == phase.end - 1
            work[epoch] = (step, validates * validation)
    return work
