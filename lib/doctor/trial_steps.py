"""A few real steps of every phase of a run: do they work, and what do time and memory come to?"""

import resource
import sys
from dataclasses import dataclass
from logging import Logger, getLogger

import torch

from lib.config.schema import Config
from lib.doctor.findings import Finding, error, ok, warning
from lib.ignoring.modes import Mode
from lib.training.batches import TrainingBatches
from lib.training.cost import FORWARD_BACKWARD, forwards_of_hypergradient, forwards_of_step
from lib.training.data import Data
from lib.training.phases import Phase, phases
from lib.training.state import State
from lib.training.timed_steps import Steps
from lib.training.trainer import steps_in_epoch
from lib.utils.errors import InputError, NonFiniteError
from lib.utils.log import format_duration

WARM_UP = 2  # steps that are not timed
WAITING = 0.3  # share of a step's time that may be spent on waiting for data
LONG = 3 * 24 * 3600  # seconds


@dataclass(frozen=True)
class Timed:
    """seconds: of a step, on average over steps with and without a hypergradient.   waited: for data, of it."""

    phase: Phase
    seconds: float
    waited: float


def try_steps(
    config: Config, mode: Mode, data: Data, state: State, device: torch.device, count: int
) -> tuple[list[Finding], int]:
    """Findings of at least ``count`` steps of each phase, and the peak of memory in bytes on ``device``."""
    log = getLogger("doctor")
    findings, timed = [], []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for phase in phases(config, mode):
        what = f"steps of the {' and '.join(phase.roles)} model"
        try:
            one = _time(config, phase, data, state, device, log, count)
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
    if timed and len(timed) == len(phases(config, mode)):
        findings.append(_whole_run(config, data, timed))
    return findings, _peak(device)


def _time(
    config: Config, phase: Phase, data: Data, state: State, device: torch.device, log: Logger, count: int
) -> Timed:
    # Whole rounds from one hypergradient to the next.
    count = -(-count // config.lbi.hypergrad_interval) * config.lbi.hypergrad_interval
    with TrainingBatches(config, phase, data, state, device, log) as batches:
        steps = Steps(config, phase, state, batches)
        steps(WARM_UP)
        batches.take_waited()
        return Timed(phase, steps(count) / count, batches.take_waited() / count)


def _advice_on_data(config: Config) -> str:
    advice = [f"more WORKERS than {config.workers}"]
    if config.dataset.cache:
        advice.append("or nothing: DATASET.CACHE reads every image once, and these were the first steps")
    else:
        advice.append("DATASET.CACHE where the images fit into memory")
    if not config.dataset.reduced_decode:
        advice.append("DATASET.REDUCED_DECODE for large JPEG images")
    return "; ".join(advice)


def _whole_run(config: Config, data: Data, timed: list[Timed]) -> Finding:
    """An estimate: steps as measured, evaluation by its number of forward passes."""
    steps = validations = seconds = 0.0
    for one in timed:
        epochs = one.phase.end - max(one.phase.begin, config.train.begin_epoch)
        of_phase = max(0, epochs) * steps_in_epoch(config, data)
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
