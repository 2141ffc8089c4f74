"""Images that a training run writes: predictions, source labels with their weights, batches for debugging."""

import cv2
import numpy as np
import torch
from torch import Tensor

from lib.dataset.keypoint_dataset import Sample
from lib.ignoring.modes import Place
from lib.tracking.metrics import MetricsWriter
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.visualization.labels import draw_weights
from lib.visualization.skeletons import contact_sheet, sample_sheet

SAMPLES, COLUMNS = 8, 4  # of an image


class Visuals:
    """Writes images of a run to the trackers and, for debugging, to files."""

    def __init__(self, spec: RunSpec, state: State, writer: MetricsWriter):
        self.debug = spec.config.debug
        self.data = spec.data
        self.state = state
        self.writer = writer
        self.folder = spec.paths.output / "pictures"

    @torch.no_grad()
    def write_predictions(self, roles: tuple[str, ...]) -> None:
        """The first samples of V: predicted skeletons above, predicted heatmaps below."""
        dataset = self.data.validation.dataset
        samples = [dataset[i, 0] for i in range(min(SAMPLES, len(dataset)))]
        samples = [sample for sample in samples if not sample.problem]
        if not samples:
            return
        images = torch.stack([sample.image for sample in samples])
        for role in roles:
            model = self.state.models()[role].model
            model.eval()
            heatmaps = model(images.to(self.state.device)).float().cpu().numpy()
            model.train()
            sheet = self._sheet(images, heatmaps, np.ones(heatmaps.shape[:2]), COLUMNS)
            self.writer.image(self.state.step, f"pictures/validation_{role}_model", sheet)

    def write_source_weights(self, place: Place, weights: np.ndarray) -> None:
        """The labels of a few source annotations with their weights [N, J]; always the same ones, spread evenly."""
        annotations, truth = self.data.source.annotations, self.data.source_truth
        label_counts = (annotations.visible > 0).sum(axis=1)
        well_labelled = np.flatnonzero(label_counts >= np.median(label_counts))
        positions = np.linspace(0, len(well_labelled) - 1, min(SAMPLES, len(well_labelled)))
        corrupted = np.zeros_like(weights, bool) if truth is None else truth.corrupted
        cells = [
            draw_weights(annotations, i, weights[i], corrupted[i])
            for i in well_labelled[positions.round().astype(int)]
        ]
        if cells := [cell for cell in cells if cell is not None]:
            rows = [cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]
            self.writer.image(self.state.step, f"pictures/source_weights_{place}", contact_sheet(rows))

    def save_debug_images(self, target: Sample, predicted: Tensor) -> None:
        """Save the images of the target batch that DEBUG asks for, none without DEBUG.DEBUG.

        Args:
            predicted: [N, J, h, w] heatmaps of the batch.
        """
        if not self.debug.debug:
            return
        images = target.image[:SAMPLES].cpu()
        labelled = target.target_weight[:SAMPLES].cpu().numpy() > 0
        everywhere = np.ones_like(labelled)
        sheets = {
            "gt": self._sheet(images, target.heatmaps[:SAMPLES].cpu().numpy(), labelled, SAMPLES),
            "pred": self._sheet(images, predicted[:SAMPLES].float().cpu().numpy(), everywhere, SAMPLES),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        for kind, sheet in sheets.items():
            half = len(sheet) // 2
            for name, part in (("BATCH_IMAGES", sheet[:half]), ("HEATMAPS", sheet[half:])):
                if getattr(self.debug, f"save_{name.lower()}_{kind}"):
                    file = self.folder / f"step_{self.state.step:07d}_{name.lower()}_{kind}.jpg"
                    cv2.imwrite(str(file), np.ascontiguousarray(part[..., ::-1]))

    def _sheet(self, images: Tensor, heatmaps: np.ndarray, visible: np.ndarray, columns: int) -> np.ndarray:
        codec = self.data.validation.dataset.codec
        joints, _ = codec.decode(heatmaps)
        return sample_sheet(images, joints * codec.stride, visible, heatmaps, self.data.skeleton, columns)
