"""The time of a whole run, from the steps that were tried; what was not tried is calculated from them."""

from dataclasses import dataclass

from lib.config.schema import Config
from lib.doctor.findings import Finding, ok, warning
from lib.training.cost import FORWARD_BACKWARD, forwards_of_hypergradient, forwards_of_step
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.utils.log import format_duration

LONG_RUN = 3 * 24 * 3600  # seconds; above it, a warning


@dataclass(frozen=True)
class PhaseTiming:
    """Mean time of a phase's steps, with and without a hypergradient in their true proportion.

    seconds: per step.
    waited: seconds per step spent waiting for data.
    """

    phase: Phase
    seconds: float
    waited: float


def phases_of_run(spec: RunSpec) -> list[Phase]:
    """The phases that the run goes through: with LBI.SOURCE_CKPT not the first one."""
    return spec.phases[1:] if spec.config.lbi.source_ckpt else spec.phases


def hypergradient_share(config: Config, phase: Phase) -> float:
    """The share of a phase's steps that take a hypergradient."""
    epochs = max(1, phase.end - phase.begin)
    learning = min(epochs, config.lbi.freeze_weights_epoch or epochs)
    return phase.ignores * learning / epochs / config.lbi.hypergrad_interval


def forwards_per_step(config: Config, phase: Phase) -> float:
    """Mean cost of a step in forward passes of a batch, by calculation."""
    added = hypergradient_share(config, phase) * forwards_of_hypergradient(config, phase)
    return max(FORWARD_BACKWARD, forwards_of_step(config.train, phase) + added)


def estimate_run(spec: RunSpec, timings: list[PhaseTiming]) -> Finding:
    """Estimate the time of the whole run: steps as measured, evaluations by their number of forward passes.

    Args:
        spec: the run.
        timings: of the phases that were tried, at least one; steps of the others are calculated from the last.
    """
    config, last = spec.config, timings[-1]
    forward = last.seconds / forwards_per_step(config, last.phase)
    measured = {timing.phase: timing.seconds for timing in timings}

    def seconds_of(phases: list[Phase]) -> float:
        training = sum(
            _steps(spec, phase) * measured.get(phase, forward * forwards_per_step(config, phase))
            for phase in phases
        )
        evaluated = _validations(spec, phases) * len(spec.data.validation.dataset)
        evaluated += 2 * len(spec.data.test.dataset)
        return training + forward * (1 + config.test.flip_test) * evaluated / config.train.batch_size

    phases = phases_of_run(spec)
    seconds = seconds_of(phases)
    if config.lbi.retrain:  # from scratch, the source model as well
        seconds += seconds_of(spec.phases)
    steps = sum(_steps(spec, phase) for phase in phases)
    subject = "the whole run"
    result = (
        f"{steps:,.0f} steps and {_validations(spec, phases)} validations, about {format_duration(seconds)}"
    )
    if any(phase not in measured for phase in phases):
        result += " (steps that were not tried are calculated)"
    if seconds > LONG_RUN:
        advice = (
            "fewer TRAIN.END_EPOCH or TRAIN.STEPS_PER_EPOCH, LBI.HYPERGRAD_INTERVAL 4, TRAIN.AMP bf16, "
            "or a faster device"
        )
        return warning(subject, result, advice)
    return ok(subject, result)


def _epochs(spec: RunSpec, phase: Phase) -> int:
    return max(0, phase.end - max(phase.begin, spec.config.train.begin_epoch))


def _steps(spec: RunSpec, phase: Phase) -> int:
    return _epochs(spec, phase) * spec.steps_per_epoch


def _validations(spec: RunSpec, phases: list[Phase]) -> int:
    interval = spec.config.test.eval_epochs
    return sum(len(phase.roles) * -(-_epochs(spec, phase) // interval) for phase in phases)
