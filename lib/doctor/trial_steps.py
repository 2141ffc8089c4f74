"""A few training steps of every phase: whether they work, and their time and memory."""

import resource
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass

import torch

from lib.config.schema import Config
from lib.doctor.findings import Finding, error, note, ok, warning
from lib.doctor.request import Trial
from lib.doctor.run_time import PhaseTiming, estimate_run, hypergradient_share, phases_of_run
from lib.training.batches import TrainingBatches
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.training.timed_steps import TimedSteps
from lib.utils.errors import InputError, NonFiniteError
from lib.utils.log import captured_messages, format_duration
from lib.utils.progress import ProgressLines, progress_bar

WARM_UP = 2  # steps before the timed ones
MAX_WAITING = 0.3  # share of a step's time spent waiting for data; above it, a warning


@dataclass(frozen=True)
class TimedStep:
    """A training step: its seconds, those of them spent waiting for data, whether it took a hypergradient."""

    seconds: float
    waited: float
    updates: bool


@dataclass(frozen=True)
class TriedSteps:
    """The steps that were taken of a phase, of the number that was wanted."""

    phase: Phase
    taken: list[TimedStep]
    wanted: int

    @property
    def warmed_up(self) -> bool:
        """Whether there are steps after the first ones, which are slower."""
        return len(self.taken) > WARM_UP

    @property
    def timed(self) -> list[TimedStep]:
        """The steps after the first ones, or else the last of them."""
        return self.taken[WARM_UP:] or self.taken[-1:]


def try_steps(spec: RunSpec, state: State, trial: Trial) -> Generator[Finding, None, int]:
    """Try steps of each phase, at least one of each unless the time is over; yield the findings as they are made.

    Args:
        spec: the run.
        state: its models; they are trained on.
        trial: number of steps of each phase, and the time that they share.

    Returns:
        The largest memory used on the device in bytes.
    """
    config, device = spec.config, state.device
    timings, phases = [], phases_of_run(spec)
    end = time.monotonic() + trial.seconds
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for position, phase in enumerate(phases):
        subject = f"steps of the {' and '.join(phase.roles)} model"
        # The phases that are left share the time that is left.
        seconds = (end - time.monotonic()) / (len(phases) - position)
        if position and seconds <= 0:
            advice = f"more than the {trial.seconds:g} s of --max-seconds"
            yield note(subject, "not tried: the time was over", advice)
            continue
        try:
            tried = _take(spec, phase, state, Trial(trial.steps, seconds))
        except NonFiniteError as problem:
            yield error(subject, str(problem), "a lower TRAIN.LR, TRAIN.CLIP_GRAD, or LBI.WARMUP")
        except InputError as problem:
            yield error(subject, str(problem), "see what it names")
        except RuntimeError as problem:
            if not _is_out_of_memory(problem):
                raise
            advice = "smaller TRAIN.BATCH_SIZE, TRAIN.SRC_BATCH_SIZE or LBI.VAL_BATCH_SIZE, or TRAIN.AMP bf16"
            yield error(subject, f"out of memory on {device}", advice)
        else:
            timings.append(mean_time(config, tried))
            yield _finding(config, subject, tried, trial.seconds)
    if timings:
        yield estimate_run(spec, timings)
    return _peak_memory(device)


def _take(spec: RunSpec, phase: Phase, state: State, trial: Trial) -> TriedSteps:
    """Take steps until there are enough or the time is over, but one at least."""
    # A multiple of the interval, so that there are steps with and without a hypergradient.
    interval = spec.config.lbi.hypergrad_interval
    wanted = WARM_UP + -(-trial.steps // interval) * interval
    end, lines = time.monotonic() + trial.seconds, ProgressLines()
    taken: list[TimedStep] = []
    description = f"trying steps of the {' and '.join(phase.roles)} model"
    with captured_messages():
        reader = TrainingBatches(spec, phase, state)
    with progress_bar(total=wanted, desc=description) as bar, reader as batches:
        steps = TimedSteps(spec, phase, state, batches)
        while len(taken) < wanted and (not taken or time.monotonic() < end):
            updates = phase.ignores and state.learns and state.step % interval == 0
            with captured_messages():
                seconds = steps.run(1)
            taken.append(TimedStep(seconds, batches.take_waited(), updates))
            bar.update()
            lines.log_if_due(description, len(taken) / wanted)
    return TriedSteps(phase, taken, wanted)


def mean_time(config: Config, tried: TriedSteps) -> PhaseTiming:
    """The mean time of a phase's steps; those with a hypergradient count as often as in the whole phase."""
    kinds = [[step for step in tried.timed if step.updates is updates] for updates in (False, True)]
    share = hypergradient_share(config, tried.phase)
    shares = (1 - share, share) if all(kinds) else tuple(float(bool(kind)) for kind in kinds)
    seconds, waited = (
        sum(
            share * sum(getattr(step, name) for step in kind) / max(1, len(kind))
            for share, kind in zip(shares, kinds)
        )
        for name in ("seconds", "waited")
    )
    return PhaseTiming(tried.phase, seconds, waited)


def _finding(config: Config, subject: str, tried: TriedSteps, limit: float) -> Finding:
    """The time of a phase's steps, and how far the trial came in ``limit`` seconds."""
    timing, first = mean_time(config, tried), tried.taken[0]
    waiting = timing.waited / max(timing.seconds, 1e-9)
    result = f"{1000 * timing.seconds:.0f} ms each, {100 * waiting:.0f} % of it waiting for data"
    if first.seconds > limit:
        result = (
            f"one step took {format_duration(first.seconds)}, longer than the {limit:g} s of --max-seconds"
        )
        return warning(subject, result, "a smaller network, input or batch, or a faster device")
    is_whole = len(tried.taken) == tried.wanted
    if not is_whole:
        warm = "" if tried.warmed_up else ", the first ones, which are slower"
        result += f"; {len(tried.taken)} of {tried.wanted} steps tried{warm} (--max-seconds {limit:g})"
    if waiting > MAX_WAITING and tried.warmed_up:
        return warning(subject, result, _advice_on_data(config))
    return ok(subject, result) if is_whole else note(subject, result)


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


def _is_out_of_memory(problem: RuntimeError) -> bool:
    """Whether a device has too little memory; on the CPU, torch has no error of its own for that."""
    return isinstance(problem, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(problem)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024  # macOS counts bytes
