"""Where the time of a training step goes: some steps of a run under torch's profiler."""

from pathlib import Path

from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from lib.training.batches import TrainingBatches
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.training.state import State, initial_state
from lib.training.timed_steps import TimedSteps
from lib.utils.errors import InputError
from lib.utils.files import path_atomically
from lib.utils.log import LOG, close_log, open_log, open_terminal_unless_open
from lib.utils.profile import spans, table, totals

WARM_UP = 3  # steps before those that are profiled


def profile(spec: RunSpec, steps: int) -> Path:
    """Profile ``steps`` steps of every phase: log a table of their parts, write torch's trace.

    Returns:
        The folder with ``profile.log`` and a ``.pt.trace.json`` of each phase, which TensorBoard's profiler
        plugin, chrome://tracing and ui.perfetto.dev show. No checkpoint is written. With several ranks, they
        are of the main one.

    Raises:
        InputError: if ``steps`` is below 1, or the input cannot be used.
    """
    if steps < 1:
        raise InputError(f"--profile is {steps}, expected at least 1 step")
    open_terminal_unless_open()
    state = initial_state(spec)
    open_log(spec.paths.output / "profile.log", spec.group.is_main)
    try:
        for phase in spec.phases:
            _profile_phase(spec, phase, state, steps)
    finally:
        close_log()
    return spec.paths.output


def _profile_phase(spec: RunSpec, phase: Phase, state: State, steps: int) -> None:
    with TrainingBatches(spec, phase, state) as batches:
        timed = TimedSteps(spec, phase, state, batches)
        timed.run(WARM_UP)
        with torch_profile(activities=_activities(state.device.type)) as profiler:
            seconds = timed.run(steps)
    if not spec.group.is_main:
        return
    trace = spec.paths.output / f"{'_and_'.join(phase.roles)}.pt.trace.json"
    with path_atomically(trace) as temporary:
        profiler.export_chrome_trace(str(temporary))
    LOG.info(f"\n{steps} steps of the {' and '.join(phase.roles)} model, under the profiler")
    LOG.info(table(totals(spans(profiler.events())), steps, seconds))
    LOG.info(f"trace: {trace}")


def _activities(device: str) -> list[ProfilerActivity]:
    return [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
