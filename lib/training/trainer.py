"""The training loop: the nine modes, from data sets to results.json.

What repeats: on one machine, with the same versions, settings, SEED and THREADS, a run on the CPU gives the
same numbers to the last bit, however many WORKERS read images, and whether or not it was interrupted.
A sample's augmentation follows from seed, person and visit; batches follow from seed and step.
What need not repeat: other machines, versions of torch, OpenCV or NumPy, or numbers of threads (sums are
taken in another order); CUDA, unless CUDNN.DETERMINISTIC is true and CUDNN.BENCHMARK false, and even then
wherever torch has no deterministic algorithm; anything timed (seconds_per_step).
"""

import json
import logging
import math
import signal
import time
from pathlib import Path

import numpy as np
import torch

from lib.config.loader import dump_config
from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.keypoint_dataset import Sample
from lib.dataset.keypoints import flip_permutation
from lib.dataset.loader import InfiniteBatchSampler
from lib.evaluation.inference import inference_options
from lib.ignoring.modes import Mode, SourceUse
from lib.ignoring.variables import FixedWeights, IgnoringVariables
from lib.label_noise.source import write_injected_truth
from lib.tracking.metrics import MetricsWriter
from lib.training.batches import TrainingBatches, validation_people
from lib.training.checkpoints import Checkpointer, go_on, has_checkpoint
from lib.training.dashboard import log_run_info
from lib.training.data import Data
from lib.training.final_test import finish
from lib.training.nonfinite import Seen, locate_nonfinite, most_specific
from lib.training.phases import Phase, phases
from lib.training.progress import Progress
from lib.training.recorder import MetricLogger
from lib.training.state import State, build_state
from lib.training.step import raise_if_nonfinite_loss, take_step, weighting_of
from lib.utils.checkpoint import load_checkpoint
from lib.utils.device import pick_device, set_up_backends
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import NonFiniteError, StoppedError
from lib.utils.files import rotate_directory, write_text
from lib.utils.json_files import write_results
from lib.utils.log import close_log, format_duration, open_log
from lib.utils.stopping import GracefulShutdown


def train(
    config: Config,
    mode: Mode,
    data: Data,
    folders: RunPaths,
    notes: list[str],
    fixed: dict[str, np.ndarray] | None = None,
    group: Group = ALONE,
) -> Path:
    """Train in ``mode``, choose the best epoch on V, test it; returns the path of results.json.

    ``notes`` are written at the top of the log. ``fixed`` {A and B that the mode has: [N, J]} are
    weights known beforehand, in place of ignoring variables. With LBI.RETRAIN the mode is trained
    once more from the start, without the labels that ended below that weight.
    The processes of ``group`` train together, and the first of them writes.
    Raises InputError for input that cannot be used and NonFiniteError where a loss is not finite;
    the last good checkpoint stays.
    """
    set_up_backends(config.threads, config.cudnn)
    flip_indices = flip_permutation(data.joints)
    known = fixed and {place: FixedWeights(torch.from_numpy(w), flip_indices) for place, w in fixed.items()}
    path, variables = _run(config, mode, data, folders, notes, known, group)
    if config.lbi.retrain and mode.ignores and fixed is None:
        kept = {
            p: FixedWeights(v.all_weights() >= config.lbi.retrain, flip_indices, v)
            for p, v in variables.items()
        }
        labelled = data.source.annotations.visible > 0
        dropped = ", ".join(
            f"{int((k.weights.cpu().numpy()[labelled] == 0).sum())} of {labelled.sum()} labels ({place})"
            for place, k in kept.items()
        )
        note = f"once more from the start, without the labels of weight below {config.lbi.retrain}: {dropped}"
        again, _ = _run(config, mode, data, folders.inside("retrained"), [note], kept, group)
        if not group.is_main:
            return path
        results = json.loads(path.read_text(encoding="utf-8"))
        results["retrained"] = json.loads(again.read_text(encoding="utf-8"))
        write_results(path, results)
    return path


def _run(
    config: Config,
    mode: Mode,
    data: Data,
    folders: RunPaths,
    notes: list[str],
    fixed: dict[str, IgnoringVariables] | None,
    group: Group,
) -> tuple[Path, dict[str, IgnoringVariables]]:
    """One training; the path of its results.json, and the ignoring variables that it ended with."""
    notes = list(notes)
    device, where = pick_device(config.device, config.gpus, group.local_rank_and_size)
    if group.size > 1:
        notes.append(f"{group.size} processes train together, each on its part of every batch")
    source_people = data.source.annotations if data.source else data.target.annotations
    flip_indices = flip_permutation(data.joints)
    state = build_state(config, mode, device, len(source_people), flip_indices, notes.append, fixed, group)
    written = 0
    if config.train.load_ckpt:
        state.load_models(load_checkpoint(config.train.load_ckpt), config.train.load_ckpt)
        notes.append(f"models start from {config.train.load_ckpt}")
    if config.train.resume and group.broadcast_object(lambda: has_checkpoint(folders.output)):
        with group.main_process_first():  # it puts damaged files out of the way
            written = go_on(folders.output, config, mode, state, notes.append)
    else:
        if config.train.resume:
            notes.append(f"nothing to go on from in {folders.output}: starting from the beginning")
        group.barrier()  # what is set aside may hold the checkpoint that somebody still reads
        for folder in (folders.output, folders.board) if group.is_main else ():
            if kept := rotate_directory(folder):
                notes.append(f"an earlier run was there: kept as {kept}")
        state.epoch = config.train.begin_epoch

    log = open_log(folders.output / "train.log", group.is_main)
    if group.is_main:
        write_text(folders.output / "config.yaml", dump_config(config))
        if data.source and config.lbi.inject_noise:
            write_injected_truth(config.lbi, data.source.annotations, data.source_truth, folders.output)
    for line in (f"mode {mode.name}: {mode.meaning}", where, *notes):
        log.log(logging.WARNING if line.startswith("warning: ") else logging.INFO, line)
    try:
        with MetricsWriter(
            folders.output, folders.board, written, state.step, config.wandb, group.is_main
        ) as sink:
            log_run_info(sink, config, mode, state, data.validation, notes)
            progress = Progress(config, mode, data, state, steps_in_epoch(config, data))
            options = inference_options(config, group)
            recorder = MetricLogger(config, data, state, options, sink, log, folders.output, progress)
            keeper = Checkpointer(folders.output, config, state, data.joints, sink.written)
            with GracefulShutdown() as stop:
                for phase in phases(config, mode):
                    if state.epoch < phase.end:
                        with TrainingBatches(config, phase, data, state, device, log) as batches:
                            _run_epochs(
                                config, phase, data, state, device, batches, keeper, stop, recorder, log
                            )
            return finish(config, data, state, device, folders, recorder, log), state.variables
    finally:
        close_log()


def _run_epochs(
    config: Config,
    phase: Phase,
    data: Data,
    state: State,
    device: torch.device,
    batches: TrainingBatches,
    keeper: Checkpointer,
    stop: GracefulShutdown,
    recorder: MetricLogger,
    log: logging.Logger,
) -> None:
    if phase.mode.anchor is SourceUse.FROZEN and (state.epoch, state.step_of_epoch) == (phase.begin, 0):
        state.target.model.load_state_dict(state.source.model.state_dict())
        log.info("the target model starts from the source model, which rests from now on")
    steps_per_epoch = steps_in_epoch(config, data)
    end = phase.end
    steps_left = steps_per_epoch * (end - state.epoch) - state.step_of_epoch
    roles = " and ".join(phase.roles)
    log.info(
        f"{steps_left} steps of the {roles} model to do: epochs {state.epoch} to {end - 1} of {steps_per_epoch} steps"
    )
    started = time.monotonic()

    for epoch in range(state.epoch, end):
        for made in state.learners().values():
            for group in made.optimizer.param_groups:
                group["lr"] = phase.learning_rate(config.train, epoch)

        while state.step_of_epoch < steps_per_epoch:
            begun = time.perf_counter()
            outputs: list[torch.Tensor] = []
            steps_of_phase = (epoch - phase.begin) * steps_per_epoch + state.step_of_epoch
            weighting = weighting_of(config.lbi, state, epoch - phase.begin, steps_of_phase)
            passes: dict[str, list[torch.Tensor]] = {"target": [], "source": [], "validation": []}
            target, source, validation = batches.next(state.step, weighting)
            record = take_step(
                config, phase, weighting, state, target, source, validation, outputs, passes, batches.counts
            )
            state.step += 1
            state.step_of_epoch += 1
            steps_left -= 1
            try:
                raise_if_nonfinite_loss(record, state.step)
            except NonFiniteError as error:
                samples = {"target": target, "source": source, "validation": validation}
                gradients = [gradient[record.own] for gradient in record.gradients.values()]
                told = locate_nonfinite(_seen(config, data, samples, passes), gradients)
                raise NonFiniteError(f"{error}{most_specific(state.group.all_gather_object(told))}") from None
            state.seconds += time.perf_counter() - begun
            if state.group.is_main:
                written = state.step % config.print_freq == 0 or steps_left == 0
                recorder.every_step(epoch, record, target, source, written)
                if written:
                    recorder.step(epoch, phase.roles, record, target, source, outputs, batches.take_waited())
            _save_within_epoch(state, keeper, stop, log)

        state.agree(log.warning)
        raise_if_nonfinite_model(state)
        recorder.tables()
        if (epoch + 1) % config.test.eval_epochs == 0 or epoch == end - 1:
            score = recorder.validate(epoch, phase.roles, device)
            # People that are trained on can't choose an epoch: the last one is taken then.
            better = (
                config.lbi.val_in_train or score > state.best_score or not math.isfinite(state.best_score)
            )
        else:
            score, better = state.best_score, False
        state.epoch, state.step_of_epoch = epoch + 1, 0
        if phase.trains_target and better:
            state.best_score, state.best_epoch = score, epoch
            keeper.save_best()
        keeper.save_last()
    log.info(f"trained for {format_duration(time.monotonic() - started)}")


def _save_within_epoch(
    state: State, keeper: Checkpointer, stop: GracefulShutdown, log: logging.Logger
) -> None:
    """Save where it is time to; raise StoppedError where a signal has asked one of the processes to stop."""
    signals, due = state.group.counts(stop.signal or 0, int(keeper.due()))
    if not any(signals) and not any(due):
        return
    state.agree(log.warning)
    raise_if_nonfinite_model(state)
    keeper.save_last()
    if number := max(signals):
        raise StoppedError(
            number,
            f"stopped by {signal.Signals(number).name} after step {state.step}, "
            f"saved in {keeper.folder}: --resume goes on",
        )


def _seen(
    config: Config, data: Data, samples: dict[str, Sample | None], passes: dict[str, list[torch.Tensor]]
) -> list[Seen]:
    """The batches of a step, with the people that they are of."""
    people = {
        "target": lambda: data.target.annotations,
        "source": lambda: data.source.annotations,
        "validation": lambda: validation_people(config, data).annotations,
    }
    return [Seen(role, sample, people[role](), passes[role]) for role, sample in samples.items() if sample]


def steps_in_epoch(config: Config, data: Data) -> int:
    """TRAIN.STEPS_PER_EPOCH, or one pass over the target's people."""
    whole_pass = InfiniteBatchSampler(len(data.target), config.train.batch_size, config.seed).batches_per_pass
    return config.train.steps_per_epoch or whole_pass


def raise_if_nonfinite_model(state: State) -> None:
    """Raise NonFiniteError for a model that a step from a finite loss has spoiled all the same.

    Asked before every checkpoint, so that the one kept is good.
    """
    for role, made in state.learners().items():
        if not all(torch.isfinite(tensor).all() for tensor in made.model.state_dict().values()):
            raise NonFiniteError(f"the {role} model's weights are not finite at step {state.step}")
