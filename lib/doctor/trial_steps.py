"""A few real steps of every phase of a run: do they work, and what do time and memory come to?"""

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

WARM_UP = 2  # steps that are not timed
WAITING = 0.3  # share of a step's time that may be spent on waiting for data
LONG = 3 * 24 * 3600  # seconds


@dataclass(frozen=True)
class Timed:
    """seconds: of a step, on average over steps with and without a hypergradient.   waited: for data, of it."""

    phase: Phase
    seconds: float
    waited: float


def try_steps(spec: RunSpec, state: State, count: int) -> tuple[list[Finding], int]:
    """Findings of at least ``count`` steps of each phase, and the peak of memory in bytes on the device."""
    config, device = spec.config, state.device
    findings, timed = [], []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for phase in spec.phases:
        what = f"steps of the {' and '.join(phase.roles)} model"
        try:
            one = _time(spec, phase, state, count)
        except NonFiniteError as problem:
            findings.append(error(what, str(problem), "a lower TRAIN.LR, TRAIN.CLIP_GRAD, or LBI.WARMUP"))
            continue
        except InputError as problem:
            findings.append(error(what, str(problem), "see what it names"))
            continue
        except torch.cuda.OutOfMemoryError:
            advice = "smaller TRAIN.BATCH_SIZE, TRAIN.SRC_BATCH_SIZE or LBI.VAL_BATCH_SIZE, or TRAIN.AMP bf16"
            findings.append(error(what, "the device's memory is too small", advice))
            continue
        timed.append(one)
        found = (
            f"{1000 * one.seconds:.0f} ms each, {100 * one.waited / one.seconds:.0f} % of it waiting for data"
        )
        if one.waited > WAITING * one.seconds:
            findings.append(warning(what, found, _advice_on_data(config)))
        else:
            findings.append(ok(what, found))
    if timed and len(timed) == len(spec.phases):
        findings.append(_whole_run(spec, timed))
    return findings, _peak(device)


def _time(spec: RunSpec, phase: Phase, state: State, count: int) -> Timed:
    # Whole rounds from one hypergradient to the next.
    interval = spec.config.lbi.hypergrad_interval
    count = -(-count // interval) * interval
    with captured_messages(), TrainingBatches(spec, phase, state) as batches:
        steps = TimedSteps(spec, phase, state, batches)
        steps.run(WARM_UP)
        batches.take_waited()
        return Timed(phase, steps.run(count) / count, batches.take_waited() / count)


def _advice_on_data(config: Config) -> str:
    advice = [f"more WORKERS than {config.workers}"]
    if config.dataset.cache:
        advice.append("or nothing: DATASET.CACHE reads every image once, and these were the first steps")
    else:
        advice.append("DATASET.CACHE where the images fit into memory")
    if not config.dataset.reduced_decode:
        advice.append("DATASET.REDUCED_DECODE for large JPEG images")
    return "; ".join(advice)


def _whole_run(spec: RunSpec, timed: list[Timed]) -> Finding:
    """An estimate: steps as measured, evaluation by its number of forward passes."""
    config, data = spec.config, spec.data
    steps = validations = seconds = 0.0
    for one in timed:
        epochs = one.phase.end - max(one.phase.begin, config.train.begin_epoch)
        of_phase = max(0, epochs) * spec.steps_per_epoch
        steps += of_phase
        seconds += of_phase * one.seconds
        validations += len(one.phase.roles) * -(-max(0, epochs) // config.test.eval_epochs)
    passes = forwards_of_step(config, timed[-1].phase)
    passes += forwards_of_hypergradient(config, timed[-1].phase) / config.lbi.hypergrad_interval
    forward = timed[-1].seconds / max(passes, FORWARD_BACKWARD)
    people = validations * len(data.validation.dataset) + 2 * len(data.test.dataset)
    seconds += forward * (2 if config.test.flip_test else 1) * people / config.train.batch_size
    seconds *= 2 if config.lbi.retrain else 1
    found = f"{steps:,.0f} steps and {validations:.0f} validations, about {format_duration(seconds)}"
    if seconds > LONG:
        return warning("the whole run", found, "fewer TRAIN.END_EPOCH or TRAIN.STEPS_PER_EPOCH, LBI.HYPERGRAD_INTERVAL 4, TRAIN.AMP bf16, or a faster device")  # fmt: skip
    return ok("the whole run", found)


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024  # macOS counts bytes
