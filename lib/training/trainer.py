"""The training loop of the nine modes, from the data sets to results.json.

What repeats: on one machine, with the same versions, settings, SEED and THREADS, a run on the CPU gives the
same numbers to the last bit, for any number of WORKERS, and whether or not it was interrupted. A sample's
augmentation follows from seed, annotation and visit; batches follow from seed and step.
What need not repeat: other machines, versions of torch, OpenCV or NumPy, or numbers of threads (sums are
taken in another order); CUDA, unless CUDNN.DETERMINISTIC is true and CUDNN.BENCHMARK false, and even then
wherever torch has no deterministic algorithm; anything timed (seconds_per_step).
"""

import json
import math
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lib.config.loader import dump_config, with_settings
from lib.ignoring.modes import Place, SourceUse
from lib.ignoring.variables import FixedWeights, IgnoringVariables
from lib.label_noise.source import write_injected_truth
from lib.label_noise.source_record import write_source_record
from lib.tracking.metrics import MetricsWriter
from lib.training.batch_sizes import batch_sizes, check_batch_sizes
from lib.training.batches import TrainingBatches, as_step_batches, meta_dataset
from lib.training.checkpoints import Checkpointer, has_checkpoint, resume
from lib.training.dashboard import log_run_info
from lib.training.final_test import run_final_test
from lib.training.metric_logger import FinishedStep, MetricLogger
from lib.training.nonfinite import BatchTrace, locate_nonfinite, most_specific
from lib.training.phases import Phase, check_epochs
from lib.training.progress import Progress
from lib.training.run_spec import RunSpec
from lib.training.source_checkpoint import take_source_model
from lib.training.state import State, initial_state
from lib.training.step import raise_if_nonfinite_loss, run_phase_step, weighting_of_step
from lib.training.weight_warnings import warn_before_training
from lib.utils.checkpoint import load_checkpoint
from lib.utils.errors import NonFiniteError, StoppedError
from lib.utils.files import rotate_directories, write_text
from lib.utils.json_files import write_results
from lib.utils.log import LOG, close_log, format_duration, open_log, open_terminal_unless_open
from lib.utils.stopping import GracefulShutdown


def train(spec: RunSpec, fixed: dict[Place, np.ndarray] | None = None) -> Path:
    """Train in the run's mode, choose the best epoch on V, and test it.

    With LBI.RETRAIN the mode is trained once more from the start, without the labels whose weight ended
    below that threshold.

    Args:
        fixed: weights [count, J] known beforehand for each place that the mode weights, in place of
            ignoring variables that learn.

    Returns:
        The path of results.json.

    Raises:
        InputError: for input that cannot be used.
        NonFiniteError: if a loss or a model is not finite; the last good checkpoint stays.
        StoppedError: after SIGINT or SIGTERM, once a checkpoint is written.
    """
    open_terminal_unless_open()
    flip_indices = spec.data.skeleton.flip_indices
    known = None
    if fixed is not None:
        known = {place: FixedWeights(torch.from_numpy(w), flip_indices) for place, w in fixed.items()}
    trainer = Trainer(spec, known)
    path = trainer.train()
    if spec.config.lbi.retrain and spec.mode.ignores and fixed is None:
        _retrain(spec, trainer.state, path)
    return path


def _retrain(spec: RunSpec, state: State, path: Path) -> None:
    """Train again without the labels of low weight, into the folder ``retrained``; add it to the results in ``path``."""
    threshold, flip_indices = spec.config.lbi.retrain, spec.data.skeleton.flip_indices
    fixed = {
        place: FixedWeights(variables.all_weights() >= threshold, flip_indices, variables)
        for place, variables in state.variables.items()
    }
    labelled = spec.data.source.annotations.visible > 0
    dropped = ", ".join(
        f"{int((variables.weights.cpu().numpy()[labelled] == 0).sum())} of {labelled.sum()} labels ({place})"
        for place, variables in fixed.items()
    )
    LOG.info(f"training again from the start, without the labels of weight below {threshold}: {dropped}")
    paths = spec.paths.child("retrained")
    # Without the labels of low weight, the source model is trained again, too.
    config = with_settings(spec.config, {"LBI.SOURCE_CKPT": ""})
    again = Trainer(replace(spec, config=config, paths=paths), fixed).train()
    if spec.group.is_main:
        results = json.loads(path.read_text(encoding="utf-8"))
        results["retrained"] = json.loads(again.read_text(encoding="utf-8"))
        write_results(path, results)


class Trainer:
    """One training run: everything it holds, and its loop from `train` down to `run_step`."""

    def __init__(self, spec: RunSpec, fixed: Mapping[Place, IgnoringVariables] | None = None):
        self.spec = spec
        self.config, self.data, self.group = spec.config, spec.data, spec.group
        for phase in spec.phases:  # before the hours of an earlier phase
            sizes = batch_sizes(spec, phase, learns=not fixed)
            check_batch_sizes(self.config, sizes.values(), self.group.size)
        self.state = initial_state(spec, fixed)
        self.steps_per_epoch = spec.steps_per_epoch

    def train(self) -> Path:
        """Run all phases from the state's position, then the final test; the path of results.json."""
        metrics_bytes = self._prepare_output()
        messages = open_log(self.spec.paths.output / "train.log", self.group.is_main)
        try:
            with self._metrics_writer(metrics_bytes) as writer:
                log_run_info(writer, self.spec, self.state, messages)
                warn_before_training(self.spec, self.state)
                self.checkpointer = Checkpointer(self.spec, self.state, writer.written)
                progress = Progress(self.spec, self.state)
                with progress.bar() as bar, GracefulShutdown() as self.shutdown:
                    self.logger = MetricLogger(self.spec, self.state, writer, progress, bar)
                    for phase in self.spec.phases:
                        if self.state.epoch < phase.end:
                            self.run_phase(phase)
                return run_final_test(self.spec, self.state, self.logger)
        finally:
            close_log()

    def run_phase(self, phase: Phase) -> None:
        """Run the epochs of ``phase`` that are left, and validate and checkpoint after each."""
        state = self.state
        if phase.mode.anchor is SourceUse.FROZEN and (state.epoch, state.step_of_epoch) == (phase.begin, 0):
            state.target.model.load_state_dict(state.source.model.state_dict())
            LOG.info("target model initialised from the source model; source model frozen")
        steps_left = self._steps_left(phase)
        LOG.info(
            f"training the {' and '.join(phase.roles)} model for {steps_left} steps"
            f" (epochs {state.epoch}-{phase.end - 1}, {self.steps_per_epoch} steps each)"
        )
        started = time.monotonic()
        with TrainingBatches(self.spec, phase, state) as self.batches:
            for epoch in range(state.epoch, phase.end):
                self.run_epoch(phase, epoch)
        LOG.info(f"trained for {format_duration(time.monotonic() - started)}")

    def run_epoch(self, phase: Phase, epoch: int) -> None:
        """Run the steps of ``epoch`` that are left, validate, keep the best models, write a checkpoint."""
        state = self.state
        # The learning-rate schedule goes by epochs.
        for model in state.models().values():
            for group in model.optimizer.param_groups:
                group["lr"] = phase.learning_rate(self.config.train, epoch)

        while state.step_of_epoch < self.steps_per_epoch:
            step = self.run_step(phase, epoch)
            if self.group.is_main:
                self._log_step(step)
            self._checkpoint_within_epoch()

        state.synchronize()
        state.raise_if_nonfinite()
        state.rank_labels()
        self.logger.log_weight_tables()
        score = self._validate(phase, epoch)
        state.epoch, state.step_of_epoch = epoch + 1, 0
        if phase.trains_target and score is not None:
            state.best_score, state.best_epoch = score, epoch
            self.checkpointer.save_best()
        self.checkpointer.save_last()
        self._raise_if_stopped(*self.group.counts(self.shutdown.signal or 0))

    def run_step(self, phase: Phase, epoch: int) -> FinishedStep:
        """Read the batches of the next step and take it."""
        state, lbi, begun = self.state, self.config.lbi, time.perf_counter()

        # Where the weights come from decides whether a validation batch is read.
        steps_of_phase = (epoch - phase.begin) * self.steps_per_epoch + state.step_of_epoch
        weighting = weighting_of_step(lbi, state, epoch - phase.begin, steps_of_phase)
        samples = self.batches.next(state.step, weighting)
        batches = as_step_batches(samples, self.config.loss.use_target_weight, self.spec.over_pixels)

        # One update of the phase's models and of the ignoring variables.
        output = run_phase_step(lbi, phase, state, batches, weighting)
        state.step += 1
        state.step_of_epoch += 1
        step = FinishedStep(phase, epoch, samples, output)

        # Stop at the first loss that is not finite, before a checkpoint could hold its effect.
        self._raise_if_nonfinite(step)
        state.seconds += time.perf_counter() - begun
        return step

    def _prepare_output(self) -> int:
        """Load what the run starts from, and make room for its files; the bytes of metrics.jsonl to keep."""
        config, state, folder = self.config, self.state, self.spec.paths.output
        metrics_bytes = 0
        if config.train.resume and self.group.broadcast_object(lambda: has_checkpoint(folder)):
            with self.group.main_process_first():  # it renames a damaged checkpoint
                metrics_bytes = resume(self.spec, state)
        else:
            check_epochs(config.train, self.spec.phases)
            if config.train.load_ckpt:
                state.load_models(load_checkpoint(config.train.load_ckpt), config.train.load_ckpt)
                LOG.info(f"models start from {config.train.load_ckpt}")
            if config.train.resume:
                LOG.info(f"no checkpoint in {folder}; starting from scratch")
            self.group.barrier()  # another rank may still be loading a checkpoint from this directory
            if self.group.is_main:
                for moved in rotate_directories(folder, self.spec.paths.board):
                    LOG.info(f"moved the previous run to {moved}")
            state.epoch = config.train.begin_epoch
            if config.lbi.source_ckpt:
                take_source_model(self.spec, state)
        if self.group.is_main:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / "config.yaml", dump_config(config))
            if self.data.source_record:
                write_source_record(folder, self.data.source_record)
            if self.data.source and config.lbi.inject_noise:
                write_injected_truth(config.lbi, self.data.source.annotations, self.data.source_truth, folder)
        return metrics_bytes

    def _metrics_writer(self, metrics_bytes: int) -> MetricsWriter:
        paths, wandb = self.spec.paths, self.config.wandb
        return MetricsWriter(
            paths.output, paths.board, metrics_bytes, self.state.step, wandb, self.group.is_main
        )

    def _steps_left(self, phase: Phase) -> int:
        return self.steps_per_epoch * (phase.end - self.state.epoch) - self.state.step_of_epoch

    def _log_step(self, step: FinishedStep) -> None:
        written = self.state.step % self.config.print_freq == 0 or self._steps_left(step.phase) == 0
        self.logger.log_step(step, self.batches.take_waited() if written else None)

    def _validate(self, phase: Phase, epoch: int) -> float | None:
        """Evaluate on V if it is time; the target model's score if this epoch is the best so far, else None."""
        if (epoch + 1) % self.config.test.eval_epochs and epoch != phase.end - 1:
            return None
        score, best = self.logger.log_validation(phase, epoch), self.state.best_score
        # With VAL_IN_TRAIN, V cannot be used for model selection; keep the last epoch.
        better = self.config.lbi.val_in_train or score > best or not math.isfinite(best)
        return score if better else None

    def _checkpoint_within_epoch(self) -> None:
        """Write a checkpoint if one is due on any rank, or after a signal to any; then raise StoppedError."""
        signals, due = self.group.counts(self.shutdown.signal or 0, int(self.checkpointer.due()))
        if not any(signals) and not any(due):
            return
        self.state.synchronize()
        self.state.raise_if_nonfinite()
        self.checkpointer.save_last()
        self._raise_if_stopped(signals)

    def _raise_if_stopped(self, signals: tuple[int, ...]) -> None:
        """Raise StoppedError, once a checkpoint is written; ``signals``: of each rank, 0 for none."""
        if number := max(signals):
            raise StoppedError(
                number,
                f"stopped by {signal.Signals(number).name} after step {self.state.step}; "
                f"checkpoint saved to {self.checkpointer.folder}; continue with --resume",
            )

    def _raise_if_nonfinite(self, step: FinishedStep) -> None:
        """Raise NonFiniteError, with the keypoint to blame if one can be found."""
        try:
            raise_if_nonfinite_loss(step.output, self.state.step)
        except NonFiniteError as error:
            output = step.output
            own = [gradient[output.own] for gradient in output.hypergradients.values()]
            location = locate_nonfinite(self._traces(step), own)
            location = most_specific(self.group.all_gather_object(location))
            raise NonFiniteError(f"{error}{location}") from None

    def _traces(self, step: FinishedStep) -> list[BatchTrace]:
        annotations = {
            "target": lambda: self.data.target.annotations,
            "source": lambda: self.data.source.annotations,
            "validation": lambda: meta_dataset(self.config.lbi, self.data).annotations,
        }
        return [
            BatchTrace(role, sample, annotations[role](), step.output.keypoint_losses[role])
            for role, sample in zip(annotations, step.samples[:3])
            if sample
        ]
