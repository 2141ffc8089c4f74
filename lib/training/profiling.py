"""Where the time of a training step goes: some steps of a run under torch's profiler."""

from pathlib import Path

from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.keypoints import flip_permutation
from lib.ignoring.modes import Mode
from lib.training.batches import TrainingBatches
from lib.training.data import Data
from lib.training.phases import phases
from lib.training.state import build_state
from lib.training.timed_steps import Steps
from lib.utils.device import pick_device, set_up_backends
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError
from lib.utils.log import close_log, open_log
from lib.utils.profile import spans, table, totals

WARM_UP = 3  # steps before those that count


def profile(
    config: Config,
    mode: Mode,
    data: Data,
    folders: RunPaths,
    notes: list[str],
    steps: int,
    group: Group = ALONE,
) -> Path:
    """Take ``steps`` steps of every phase of ``mode``; log a table of their parts, write torch's trace.

    Returns the folder with ``profile.log`` and a ``.pt.trace.json`` of each phase, which tensorboard's
    profiler plugin, chrome://tracing and ui.perfetto.dev show. Nothing is trained on or kept.
    Of the processes of ``group``, the first one's.
    """
    if steps < 1:
        raise InputError(f"--profile is {steps}, expected at least 1 step")
    set_up_backends(config.threads, config.cudnn)
    device, where = pick_device(config.device, config.gpus, group.local_rank_and_size)
    people = data.source.annotations if data.source else data.target.annotations
    flip_indices = flip_permutation(data.joints)
    state = build_state(config, mode, device, len(people), flip_indices, notes.append, group=group)
    log = open_log(folders.output / "profile.log", group.is_main)
    try:
        for line in (f"mode {mode.name}: {mode.meaning}", where, *notes):
            log.info(line)
        for phase in phases(config, mode):
            with TrainingBatches(config, phase, data, state, device, log) as batches:
                take = Steps(config, phase, state, batches)
                take(WARM_UP)
                with torch_profile(activities=_activities(device.type)) as profiler:
                    seconds = take(steps)
            if not group.is_main:
                continue
            roles = "_and_".join(phase.roles)
            trace = folders.output / f"{roles}.pt.trace.json"
            unfinished = trace.with_name(f".{trace.name}")
            profiler.export_chrome_trace(str(unfinished))
            unfinished.replace(trace)
            log.info(f"\n{steps} steps of the {roles.replace('_', ' ')} model, under the profiler")
            log.info(table(totals(spans(profiler.events())), steps, seconds))
            log.info(f"trace: {trace}")
    finally:
        close_log()
    return folders.output


def _activities(device: str) -> list[ProfilerActivity]:
    return [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
