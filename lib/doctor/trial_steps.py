"""A few training steps of every phase: whether they work, their time and memory, and the time of the whole run."""

import resource
import sys
from dataclasses import dataclass

import torch

from lib.config.schema import Config
from lib.doctor.findings import Finding, error, ok, warning
from lib.training.batches import TrainingBatches
from lib.training.cost import FORWARD_BACKWARD, forwards_of_hypergradient, forwards_of_step
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.training.timed_steps import TimedSteps
from lib.utils.errors import InputError, NonFiniteError
from lib.utils.log import captured_messages, format_duration

WARM_UP = 2  # steps before the timed ones
MAX_WAITING = 0.3  # share of a step's time spent waiting for data; above it, a warning
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


def try_steps(spec: RunSpec, state: State, count: int) -> tuple[list[Finding], int]:
    """Take at least ``count`` steps of each phase.

    Returns:
        Findings, and the largest memory used on the device in bytes.
    """
    config, device = spec.config, state.device
    findings, timings = [], []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for phase in spec.phases:
        subject = f"steps of the {' and '.join(phase.roles)} model"
        try:
            timing = _time(spec, phase, state, count)
        except NonFiniteError as problem:
            findings.append(error(subject, str(problem), "a lower TRAIN.LR, TRAIN.CLIP_GRAD, or LBI.WARMUP"))
            continue
        except InputError as problem:
            findings.append(error(subject, str(problem), "see what it names"))
            continue
        except torch.cuda.OutOfMemoryError:
            advice = "smaller TRAIN.BATCH_SIZE, TRAIN.SRC_BATCH_SIZE or LBI.VAL_BATCH_SIZE, or TRAIN.AMP bf16"
            findings.append(error(subject, "out of memory on the device", advice))
            continue
        timings.append(timing)
        waiting = timing.waited / timing.seconds
        result = f"{1000 * timing.seconds:.0f} ms each, {100 * waiting:.0f} % of it waiting for data"
        if timing.waited > MAX_WAITING * timing.seconds:
            findings.append(warning(subject, result, _advice_on_data(config)))
        else:
            findings.append(ok(subject, result))
    if timings and len(timings) == len(spec.phases):
        findings.append(estimate_run(spec, timings))
    return findings, _peak_memory(device)


def _time(spec: RunSpec, phase: Phase, state: State, count: int) -> PhaseTiming:
    # A multiple of the interval, so that steps with a hypergradient have their true share.
    interval = spec.config.lbi.hypergrad_interval
    count = -(-count // interval) * interval
    with captured_messages(), TrainingBatches(spec, phase, state) as batches:
        steps = TimedSteps(spec, phase, state, batches)
        steps.run(WARM_UP)
        batches.take_waited()
        return PhaseTiming(phase, steps.run(count) / count, batches.take_waited() / count)


def _advice_on_data(config: Config) -> str:
    advice = [f"more WORKERS than {config.workers}"]
    if config.dataset.cache:
        advice.append("or ignore it: with DATASET.CACHE only the first epoch reads images")
    else:
        advice.append("DATASET.CACHE if the images fit into memory")
        if not config.dataset.pack:
            advice.append("DATASET.PACK if their pixels fit onto the disk")
    if not config.dataset.reduced_decode:
        advice.append("DATASET.REDUCED_DECODE for large JPEG images")
    return "; ".join(advice)


def estimate_run(spec: RunSpec, timings: list[PhaseTiming]) -> Finding:
    """Estimate the time of the whole run: steps as measured, evaluations by their number of forward passes.

    Args:
        timings: of all phases, in order.
    """
    config, data = spec.config, spec.data
    # Training steps.
    steps = validations = seconds = 0.0
    for timing in timings:
        phase = timing.phase
        epochs = max(0, phase.end - max(phase.begin, config.train.begin_epoch))
        phase_steps = epochs * spec.steps_per_epoch
        steps += phase_steps
        seconds += phase_steps * timing.seconds
        validations += len(phase.roles) * -(-epochs // config.test.eval_epochs)
    # Evaluations: the time of a forward pass follows from the last phase's steps.
    last = timings[-1]
    passes = forwards_of_step(config.train, last.phase)
    passes += forwards_of_hypergradient(config.train, config.lbi, last.phase) / config.lbi.hypergrad_interval
    forward = last.seconds / max(passes, FORWARD_BACKWARD)
    evaluated = validations * len(data.validation.dataset) + 2 * len(data.test.dataset)
    seconds += forward * (2 if config.test.flip_test else 1) * evaluated / config.train.batch_size
    seconds *= 2 if config.lbi.retrain else 1
    subject = "the whole run"
    result = f"{steps:,.0f} steps and {validations:.0f} validations, about {format_duration(seconds)}"
    if seconds > LONG_RUN:
        advice = "fewer TRAIN.END_EPOCH or TRAIN.STEPS_PER_EPOCH, LBI.HYPERGRAD_INTERVAL 4, TRAIN.AMP bf16, or a faster device"
        return warning(subject, result, advice)
    return ok(subject, result)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024  # macOS counts bytes
