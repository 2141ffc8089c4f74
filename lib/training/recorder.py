"""What is written down while training: losses, weights, validation, images."""

import logging
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from lib.config.schema import Config
from lib.dataset.annotations import Annotations
from lib.dataset.keypoint_dataset import Sample
from lib.evaluation.evaluators import EvaluationSet, evaluate
from lib.evaluation.inference import InferenceOptions
from lib.evaluation.pck import heatmap_accuracy
from lib.ignoring.bilevel_step import Record
from lib.ignoring.variables import SourceSamples
from lib.ignoring.weight_table import auroc
from lib.tracking.metrics import MetricsWriter
from lib.training.data import Data
from lib.training.progress import Progress
from lib.training.state import State
from lib.utils.log import STEP, current_bar, format_duration
from lib.visualization.labels import draw_weights
from lib.visualization.skeletons import contact_sheet, sample_sheet

SHOWN, IN_A_ROW = 8, 4  # people in an image of the boards


class MetricLogger:
    """Turns what training steps and validations say into tags of the sink and lines of the log.

    All losses, the proximity too, are divided by the heatmap's pixels: SimpleBaseline's scale, on
    which validation losses are logged as well.
    """

    def __init__(
        self,
        config: Config,
        data: Data,
        state: State,
        options: InferenceOptions,
        sink: MetricsWriter,
        log: logging.Logger,
        output: Path,
        progress: Progress,
    ):
        self.debug = config.debug
        self.data = data
        self.state = state
        self.options = options
        self.sink = sink
        self.log = log
        self.output = output
        self.progress = progress
        self.people = 0  # in the batches of target and source, since the start or since going on
        self.resumed_at = state.seconds
        self.score = ""  # of the last validation
        self.seconds_before = state.seconds  # of steps, up to the last one written down
        self.pixels = config.model.extra.heatmap_size[0] * config.model.extra.heatmap_size[1]

    def every_step(
        self, epoch: int, record: Record, target: Sample | None, source: Sample | None, written: bool
    ) -> None:
        """Tell the terminal of a step; ``written``: `step` will write it down."""
        self.people += sum(len(sample.index) for sample in (target, source) if sample)
        bar = current_bar()
        if bar.due():
            loss, *_ = self._losses(record).values()
            parts = [f"{format_duration(self.progress.seconds_left())} left", self.score, f"loss {loss:#.3g}"]
            parts += [f"weights {w:.2f}" for w in self._mean_weights(record, source).values()]
            parts += [f"{self._people_per_second():.0f} people/s", f"epoch {epoch}"]
            bar.draw(self.progress.share(), [part for part in parts if part])
        if not written and self.log.isEnabledFor(logging.DEBUG):
            self.log.debug("  ".join(self._words(epoch, record, source)))

    def step(
        self,
        epoch: int,
        roles: tuple[str, ...],
        record: Record,
        target: Sample | None,
        source: Sample | None,
        outputs: list[Tensor],
        waited: float,
    ) -> None:
        """Write down one training step of ``roles``; ``outputs``: the target model's heatmaps of ``target``.

        Of several processes, accuracy, weights and images are of the samples that this one has.

        ``waited``: for data, of the seconds since the last step written down.
        """
        step, state = self.state.step, self.state
        values = {f"loss/{name}": value for name, value in self._losses(record).items()}
        values |= {
            f"train/learning_rate_{role}": state.learners()[role].optimizer.param_groups[0]["lr"]
            for role in roles
        }
        values["train/seconds_per_step"] = state.seconds / step
        values["train/waited_for_data"] = 100 * waited / (state.seconds - self.seconds_before)
        self.seconds_before = state.seconds
        if target is not None:
            _, accuracy = heatmap_accuracy(
                outputs[0].float().cpu().numpy(),
                target.heatmaps.cpu().numpy(),
                target.target_weight.cpu().numpy(),
            )
            values["train/accuracy"] = 100 * accuracy
        for place, weights in record.weights.items():
            values |= self._weights(step, place, weights[record.own], source)
        for place, gradient in record.gradients.items():
            values[f"hypergradient/{place}_norm"] = float(gradient.norm())
        self.sink.scalars(step, values)

        parts = self._words(epoch, record, source)
        parts += [f"acc {values['train/accuracy']:.0f} %"] if target is not None else []
        parts += [f"{1000 * state.seconds / step:.0f} ms/step", f"{self._people_per_second():.0f} people/s"]
        parts += [f"waited for data {values['train/waited_for_data']:.0f} %"]
        parts += [f"{format_duration(self.progress.seconds_left())} left"]
        self.log.log(STEP, "  ".join(parts))
        if self.debug.debug and target is not None:
            self._debug_images(step, target, outputs[0])

    def _losses(self, record: Record) -> dict[str, float]:
        return {name: float(value) / self.pixels for name, value in record.losses.items()}

    def _mean_weights(self, record: Record, source: Sample | None) -> dict[str, float]:
        """Of the batch's labelled keypoints, by place."""
        return {
            p: float(weights[record.own][source.target_weight > 0].mean())
            for p, weights in record.weights.items()
        }

    def _words(self, epoch: int, record: Record, source: Sample | None) -> list[str]:
        """A step in short."""
        parts = [f"epoch {epoch} step {self.state.step}"]
        parts += [f"{name} {value:.3g}" for name, value in self._losses(record).items()]
        return parts + [f"weights {p} {mean:.2f}" for p, mean in self._mean_weights(record, source).items()]

    def _people_per_second(self) -> float:
        return self.people / (self.state.seconds - self.resumed_at)

    def validate(self, epoch: int, roles: tuple[str, ...], device: torch.device) -> float:
        """Evaluate the models ``roles`` on V, write it down; the target model's number that chooses the best."""
        score, to_evaluate = float("nan"), self.data.validation
        for role in roles:
            made = self.state.learners()[role]
            found, _ = evaluate(made.model, to_evaluate, device, self.options, self.log.warning)
            self.write_evaluation("val", role, to_evaluate, found)
            numbers = found[to_evaluate.measure]
            self.score = f"{to_evaluate.measure} {numbers[to_evaluate.headline]:.1f}"
            if role == "target":
                score = numbers[to_evaluate.headline]
            self.log.info(
                f"epoch {epoch} validation of the {role} model: "
                f"{to_evaluate.measure} {describe(numbers)}  loss {found['loss']:.3g}"
            )
        if self.state.group.is_main:
            self._validation_images(roles, device)
        return score

    def write_evaluation(self, part: str, role: str, evaluated: EvaluationSet, found: dict) -> None:
        """Tags ``val/...`` and ``test/...`` for the target model, ``val_source_model/...`` for the other."""
        tag = part if role == "target" else f"{part}_source_model"
        values = {f"{tag}/{evaluated.measure}_{name}": v for name, v in found[evaluated.measure].items()}
        self.sink.scalars(
            self.state.step, values | {f"{tag}/loss": found["loss"], f"{tag}/accuracy": found["accuracy"]}
        )

    def _weights(self, step: int, place: str, weights: Tensor, source: Sample) -> dict[str, float]:
        """Mean, share of zeros, mean and histogram for each joint, of a batch's labelled keypoints."""
        variables = self.state.variables[place]
        visit = SourceSamples(source.index, source.flipped, source.target_weight, weights)
        annotated = variables.as_annotated(weights, visit).float().cpu().numpy()
        labelled = variables.as_annotated(source.target_weight, visit).cpu().numpy() > 0
        if not labelled.any():
            return {f"weights_{place}/mean": float("nan")}
        shown = annotated[labelled]
        values = {
            f"weights_{place}/mean": float(shown.mean()),
            f"weights_{place}/zero_share": float((shown == 0).mean()),
        }
        self.sink.histogram(step, f"weights_{place}/all", shown)
        for j, name in enumerate(self.data.joints):
            of_joint = annotated[labelled[:, j], j]
            if of_joint.size:
                values[f"weights_{place}/mean_{name}"] = float(of_joint.mean())
                self.sink.histogram(step, f"weights_{place}_by_joint/{name}", of_joint)
        return values

    def tables(self) -> None:
        """Write down the weights of all labelled source keypoints, where there are such variables."""
        step = self.state.step
        if not self.state.group.is_main:
            return
        for place, variables in self.state.variables.items():
            people, tag = self.data.source.annotations, f"weights_{place}_table"
            weights, labelled = variables.all_weights().float().cpu().numpy(), people.visible > 0
            values = {f"{tag}/mean": weights[labelled].mean()}
            for j, name in enumerate(people.mapping.names):
                if labelled[:, j].any():
                    values[f"{tag}/mean_{name}"] = weights[labelled[:, j], j].mean()
            if (truth := self.data.source_truth) is not None:
                values[f"{tag}/auroc"] = auroc(weights[labelled], truth.wrong[labelled])
            self.sink.scalars(step, values)
            self.sink.weights_histogram(step, f"{tag}/all", weights[labelled])
            self._source_images(place, people, weights)

    @torch.no_grad()
    def _validation_images(self, roles: tuple[str, ...], device: torch.device) -> None:
        """The first people of V: above the predicted skeletons, below the predicted heatmaps."""
        dataset = self.data.validation.dataset
        samples = [dataset[i, 0] for i in range(min(SHOWN, len(dataset)))]
        samples = [sample for sample in samples if not sample.problem]
        if not samples:
            return
        images = torch.stack([sample.image for sample in samples])
        for role in roles:
            made = self.state.learners()[role]
            made.model.eval()
            heatmaps = made.model(images.to(device)).float().cpu().numpy()
            made.model.train()
            sheet = self._sheet(images, heatmaps, np.ones(heatmaps.shape[:2]), IN_A_ROW)
            self.sink.image(self.state.step, f"pictures/validation_{role}_model", sheet)

    def _source_images(self, place: str, people: Annotations, weights: np.ndarray) -> None:
        """Always the same people, from all over the source, with the weights [N, J] of their labels."""
        labels = (people.visible > 0).sum(axis=1)
        well_labelled = np.flatnonzero(labels >= np.median(labels))
        places = np.linspace(0, len(well_labelled) - 1, min(SHOWN, len(well_labelled)))
        chosen, truth = well_labelled[places.round().astype(int)], self.data.source_truth
        wrong = np.zeros_like(weights, bool) if truth is None else truth.wrong
        cells = [draw_weights(people, i, weights[i], wrong[i]) for i in chosen]
        if cells := [cell for cell in cells if cell is not None]:
            rows = [cells[i : i + IN_A_ROW] for i in range(0, len(cells), IN_A_ROW)]
            self.sink.image(self.state.step, f"pictures/source_weights_{place}", contact_sheet(rows))

    def _sheet(self, images: Tensor, heatmaps: np.ndarray, shown: np.ndarray, columns: int) -> np.ndarray:
        codec = self.data.validation.dataset.codec
        joints, _ = codec.decode(heatmaps)
        return sample_sheet(images, joints * codec.stride, shown, heatmaps, self.data.joints, columns)

    def _debug_images(self, step: int, batch: Sample, outputs: Tensor) -> None:
        """The kinds of images that DEBUG asks for, of the current target batch, as files."""
        images = batch.image[:SHOWN].cpu()
        labelled = batch.target_weight[:SHOWN].cpu().numpy() > 0
        sheets = {
            "gt": self._sheet(images, batch.heatmaps[:SHOWN].cpu().numpy(), labelled, SHOWN),
            "pred": self._sheet(images, outputs[:SHOWN].float().cpu().numpy(), np.ones_like(labelled), SHOWN),
        }
        folder = self.output / "images"
        folder.mkdir(parents=True, exist_ok=True)
        for kind, sheet in sheets.items():
            half = len(sheet) // 2
            for what, part in (("BATCH_IMAGES", sheet[:half]), ("HEATMAPS", sheet[half:])):
                if getattr(self.debug, f"save_{what}_{kind}".lower()):
                    file = folder / f"step_{step:07d}_{what.lower()}_{kind}.jpg"
                    cv2.imwrite(str(file), np.ascontiguousarray(part[..., ::-1]))


def describe(numbers: dict[str, float]) -> str:
    """The numbers of a measure on one line: percent with two decimals, AP with three."""
    digits = 2 if "Mean" in numbers else 3
    return "  ".join(f"{name} {value:.{digits}f}" for name, value in numbers.items())
