"""Logs training and validation metrics: to the metrics writer (TensorBoard, metrics.jsonl) and to the log."""

import logging
import math
from dataclasses import dataclass

from torch import Tensor

from lib.evaluation.evaluators import EvaluationSet, evaluate
from lib.evaluation.inference import inference_options
from lib.evaluation.pck import heatmap_accuracy
from lib.ignoring.bilevel_step import StepOutput
from lib.ignoring.modes import Place
from lib.tracking.metrics import MetricsWriter
from lib.training.batches import StepSamples
from lib.training.phases import Phase
from lib.training.progress import Progress
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.training.visuals import Visuals
from lib.utils.log import LOG, STEP, format_duration
from lib.utils.terminal import TerminalBar
from lib.wrong_labels.metrics import auroc


@dataclass(frozen=True)
class FinishedStep:
    """A training step that was taken, for the log. ``phase`` and ``epoch`` are those it belongs to."""

    phase: Phase
    epoch: int
    samples: StepSamples
    output: StepOutput


class MetricLogger:
    """Logs training and validation metrics to the trackers and to the log file.

    All losses, the proximity term too, are logged on SimpleBaseline's scale, the mean over a heatmap's
    pixels, whichever they are trained on; validation losses as well. With several ranks, the main one logs: losses and speed of
    all ranks together; accuracy, weights and images of its own samples.
    """

    def __init__(
        self, spec: RunSpec, state: State, writer: MetricsWriter, progress: Progress, bar: TerminalBar
    ):
        self.data = spec.data
        self.state = state
        self.writer = writer
        self.progress = progress
        self.bar = bar
        self.options = inference_options(spec.config, spec.group)
        self.visuals = Visuals(spec, state, writer)
        width, height = spec.config.model.extra.heatmap_size
        self.per_mean = spec.over_pixels.per_mean(width * height)
        self.sample_count = 0  # target and source samples of all ranks since this process started training
        self.seconds_at_start = state.seconds
        self.seconds_at_last_write = state.seconds
        self.last_score: dict[str, str] = {}  # {measure: headline score} of the last validation

    def log_step(self, step: FinishedStep, waited: float | None) -> None:
        """Show a step on the progress bar; with ``waited``, write its metrics and a line of the log, too.

        Args:
            waited: seconds spent waiting for data since the last step that was written, None to write nothing.
        """
        for batch, counts in zip(step.samples[:2], step.samples.counts):
            if batch is not None:
                self.sample_count += sum(counts) or len(batch.index)
        self._draw_progress(step)
        if waited is not None:
            self._write_step(step, waited)
        elif LOG.isEnabledFor(logging.DEBUG):
            LOG.debug("  ".join(self._summary(step)))

    def log_validation(self, phase: Phase, epoch: int) -> float:
        """Evaluate the phase's models on V; returns the target model's headline score, NaN without one."""
        score, validation = float("nan"), self.data.validation
        for role in phase.roles:
            model = self.state.models()[role].model
            result, _ = evaluate(model, validation, self.state.device, self.options)
            self.write_evaluation("val", role, validation, result)
            numbers = result[validation.measure]
            self.last_score = {validation.measure: f"{numbers[validation.headline]:.1f}"}
            if role == "target":
                score = numbers[validation.headline]
            # Detected boxes have no labels, and so no loss.
            loss = "" if math.isnan(result["loss"]) else f"  loss {result['loss']:.3g}"
            LOG.info(
                f"epoch {epoch} validation of the {role} model: "
                f"{validation.measure} {format_scores(numbers)}{loss}"
            )
        if self.state.group.is_main:
            self.visuals.write_predictions(phase.roles)
        return score

    def write_evaluation(self, part: str, role: str, evaluated: EvaluationSet, result: dict) -> None:
        """Write tags ``val/...`` or ``test/...`` for the target model, ``val_source_model/...`` for the other."""
        tag = part if role == "target" else f"{part}_source_model"
        values = {f"{tag}/{evaluated.measure}_{name}": v for name, v in result[evaluated.measure].items()}
        values |= {f"{tag}/loss": result["loss"], f"{tag}/accuracy": result["accuracy"]}
        self.writer.scalars(self.state.step, values)

    def log_weight_tables(self) -> None:
        """Write statistics, AUROC and images of the weights of all labelled source keypoints."""
        if not self.state.group.is_main:
            return
        for place, variables in self.state.variables.items():
            annotations, tag = self.data.source.annotations, f"weights_{place}_table"
            weights, labelled = variables.all_weights().float().cpu().numpy(), annotations.visible > 0
            values = {f"{tag}/mean": weights[labelled].mean()}
            for j, name in enumerate(annotations.mapping.names):
                if labelled[:, j].any():
                    values[f"{tag}/mean_{name}"] = weights[labelled[:, j], j].mean()
            if (truth := self.data.source_truth) is not None:
                values[f"{tag}/auroc"] = auroc(-weights[labelled], truth.corrupted[labelled])
            if place in self.state.rankings and (correlations := self.state.rankings[place].correlations):
                values[f"{tag}/rank_correlation"] = correlations[-1]
            self.writer.scalars(self.state.step, values)
            self.writer.weights_histogram(self.state.step, f"{tag}/all", weights[labelled])
            self.visuals.write_source_weights(place, weights)

    def _draw_progress(self, step: FinishedStep) -> None:
        # Losses and weights are read from the device only now and then, when the bar is drawn again.
        if not self.bar.update(self.progress.share() - self.bar.n):
            return
        loss, *_ = self._losses(step.output).values()
        numbers = self.last_score | {"loss": f"{loss:#.3g}"}
        numbers |= {f"weights {place}": f"{mean:.2f}" for place, mean in self._mean_weights(step).items()}
        numbers["people/s"] = f"{self._samples_per_second():.0f}"
        self.bar.set_description(f"epoch {step.epoch}", refresh=False)
        self.bar.set_postfix(numbers)

    def _write_step(self, step: FinishedStep, waited: float) -> None:
        """Write the scalars and histograms of a step, and its line of the log."""
        state, output, target = self.state, step.output, step.samples.target
        values = {f"loss/{name}": value for name, value in self._losses(output).items()}
        values |= {
            f"train/learning_rate_{role}": state.models()[role].optimizer.param_groups[0]["lr"]
            for role in step.phase.roles
        }
        values["train/seconds_per_step"] = state.seconds / state.step
        values["train/waited_for_data"] = 100 * waited / (state.seconds - self.seconds_at_last_write)
        self.seconds_at_last_write = state.seconds
        if target is not None:
            _, accuracy = heatmap_accuracy(
                output.target_heatmaps.float().cpu().numpy(),
                target.heatmaps.cpu().numpy(),
                target.target_weight.cpu().numpy(),
            )
            values["train/accuracy"] = 100 * accuracy
        for place, weights in output.weights.items():
            values |= self._weight_statistics(place, weights[output.own], step.samples)
        for place, hypergradient in output.hypergradients.items():
            values[f"hypergradient/{place}_norm"] = float(hypergradient.norm())
        self.writer.scalars(state.step, values)

        parts = self._summary(step)
        parts += [f"acc {values['train/accuracy']:.0f} %"] if target is not None else []
        parts += [
            f"{1000 * state.seconds / state.step:.0f} ms/step",
            f"{self._samples_per_second():.0f} people/s",
            f"waited for data {values['train/waited_for_data']:.0f} %",
            f"{format_duration(self.progress.seconds_left())} left",
        ]
        LOG.log(STEP, "  ".join(parts))
        if target is not None:
            self.visuals.save_debug_images(target, output.target_heatmaps)

    def _summary(self, step: FinishedStep) -> list[str]:
        parts = [f"epoch {step.epoch} step {self.state.step}"]
        parts += [f"{name} {value:.3g}" for name, value in self._losses(step.output).items()]
        return parts + [f"weights {place} {mean:.2f}" for place, mean in self._mean_weights(step).items()]

    def _losses(self, output: StepOutput) -> dict[str, float]:
        return {name: float(value) / self.per_mean for name, value in output.losses.items()}

    def _mean_weights(self, step: FinishedStep) -> dict[Place, float]:
        """Mean weight of this rank's labelled source keypoints, by place."""
        output = step.output
        return {
            place: float(weights[output.own][step.samples.source.target_weight > 0].mean())
            for place, weights in output.weights.items()
        }

    def _samples_per_second(self) -> float:
        return self.sample_count / (self.state.seconds - self.seconds_at_start)

    def _weight_statistics(self, place: Place, weights: Tensor, samples: StepSamples) -> dict[str, float]:
        """Mean, share of zeros, mean per joint of a batch's labelled keypoints [N, J]; writes histograms."""
        variables, source = self.state.variables[place], samples.source
        annotated = variables.to_annotation_order(weights, source.flipped).float().cpu().numpy()
        labelled = variables.to_annotation_order(source.target_weight, source.flipped).cpu().numpy() > 0
        if not labelled.any():
            return {f"weights_{place}/mean": float("nan")}
        values = annotated[labelled]
        statistics = {
            f"weights_{place}/mean": float(values.mean()),
            f"weights_{place}/zero_share": float((values == 0).mean()),
        }
        self.writer.histogram(self.state.step, f"weights_{place}/all", values)
        for j, name in enumerate(self.data.joints):
            joint_values = annotated[labelled[:, j], j]
            if joint_values.size:
                statistics[f"weights_{place}/mean_{name}"] = float(joint_values.mean())
                self.writer.histogram(self.state.step, f"weights_{place}_by_joint/{name}", joint_values)
        return statistics


def format_scores(scores: dict[str, float]) -> str:
    """The numbers of a measure on one line: percent with two decimals, AP with three."""
    digits = 2 if "Mean" in scores else 3
    return "  ".join(f"{name} {value:.{digits}f}" for name, value in scores.items())
