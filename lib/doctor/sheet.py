"""The contact sheet: samples as the networks see them, with their labels and target heatmaps."""

from pathlib import Path

import cv2
import numpy as np
import torch

from lib.dataset.keypoint_dataset import KeypointDataset
from lib.doctor.findings import Finding, error, ok
from lib.utils.files import write_atomically
from lib.visualization.skeletons import sample_sheet

SAMPLES = 8  # of each set, evenly spaced
CAPTION_HEIGHT = 28  # pixels
MIN_WIDTH = 640  # pixels, so that captions fit
FILE_NAME = "samples.png"


def write_sheet(path: Path, datasets: dict[str, KeypointDataset]) -> Finding:
    """Draw samples of every data set, augmented as in training, into the PNG file ``path``.

    Args:
        datasets: {role: data set}.
    """
    subject = "contact sheet"
    sheets = {role: sheet for role, dataset in datasets.items() if (sheet := _sheet(dataset)) is not None}
    if not sheets:
        return error(subject, "no sample can be read", "see the findings on images")
    width = max(MIN_WIDTH, *(sheet.shape[1] for sheet in sheets.values()))
    parts = []
    for role, sheet in sheets.items():
        use = "augmented" if datasets[role].augmentation else "as evaluated"
        caption = _caption(f"{role}, {use}: labels, and their heatmaps below", width)
        parts += [caption, np.pad(sheet, ((0, 0), (0, width - sheet.shape[1]), (0, 0)))]
    pixels = np.vstack(parts)
    _, content = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))
    write_atomically(path, lambda file: file.write(content.tobytes()))
    return ok(subject, f"{path}: check that the dots are on the joints, left ones blue and right ones orange")


def _sheet(dataset: KeypointDataset) -> np.ndarray | None:
    """Samples with their labels, and below them with their heatmaps: [H, W, 3] RGB; None if none can be read."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, SAMPLES).round().astype(int)).tolist()
    samples = [sample for i in chosen if not (sample := dataset[i, 0]).problem]
    if not samples:
        return None
    heatmaps = torch.stack([sample.heatmaps for sample in samples]).numpy()
    labelled = torch.stack([sample.target_weight for sample in samples]).numpy() > 0
    joints, _ = dataset.codec.decode(heatmaps)
    images = torch.stack([sample.image for sample in samples])
    skeleton = dataset.annotations.mapping.skeleton
    return sample_sheet(images, joints * dataset.codec.stride, labelled, heatmaps, skeleton, len(samples))


def _caption(text: str, width: int) -> np.ndarray:
    """White text on a dark bar, [CAPTION_HEIGHT, width, 3]."""
    bar = np.full((CAPTION_HEIGHT, width, 3), 40, np.uint8)
    return cv2.putText(
        bar, text, (8, CAPTION_HEIGHT - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA
    )
