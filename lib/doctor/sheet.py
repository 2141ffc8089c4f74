"""A contact sheet: samples as the networks will see them, with their labels and heatmaps."""

from pathlib import Path

import cv2
import numpy as np
import torch

from lib.dataset.joints import KeypointDataset
from lib.doctor.findings import Finding, error, ok
from lib.utils.files import write_atomically
from lib.utils.pictures import sample_sheet

SHOWN = 8  # samples of each set
BAR = 28  # pixels of the line above them
NAME = "samples.png"


def write_sheet(path: Path, datasets: dict[str, KeypointDataset]) -> Finding:
    """Write samples of ``datasets`` {role: set}, the augmented ones as augmented, to ``path``."""
    what = "contact sheet"
    parts = [part for role, dataset in datasets.items() if (part := _part(role, dataset)) is not None]
    if not parts:
        return error(what, "no sample could be made", "see the findings on pictures")
    width = max(part.shape[1] for part in parts)
    sheet = np.vstack([np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0))) for part in parts])
    _, content = cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))
    write_atomically(path, lambda file: file.write(content.tobytes()))
    return ok(what, f"{path}: look whether the dots are on the joints, left ones blue and right ones orange")


def _part(role: str, dataset: KeypointDataset) -> np.ndarray | None:
    """A bar with the set's name, samples with their labels, and below with their heatmaps; [H, W, 3] RGB."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, SHOWN).round().astype(int)).tolist()
    samples = [sample for i in chosen if not (sample := dataset[i, 0]).problem]
    if not samples:
        return None
    heatmaps = torch.stack([sample.heatmaps for sample in samples]).numpy()
    shown = torch.stack([sample.target_weight for sample in samples]).numpy() > 0
    joints, _ = dataset.codec.decode(heatmaps)
    images = torch.stack([sample.image for sample in samples])
    sheet = sample_sheet(
        images, joints * dataset.codec.stride, shown, heatmaps, dataset.annotations.mapping.names
    )
    bar = np.full((BAR, sheet.shape[1], 3), 40, np.uint8)
    text = (
        f"{role}, {'augmented' if dataset.augmentation else 'as evaluated'}: labels, and their heatmaps below"
    )
    cv2.putText(bar, text, (8, BAR - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([bar, sheet])
