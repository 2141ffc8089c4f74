"""A contact sheet: samples as the networks will see them, with their labels and heatmaps."""

from pathlib import Path

import cv2
import numpy as np
import torch

from lib.dataset.keypoint_dataset import KeypointDataset
from lib.doctor.findings import Finding, error, ok
from lib.utils.files import write_atomically
from lib.visualization.skeletons import sample_sheet

SHOWN = 8  # samples of each set
BAR = 28  # pixels of the line above them
NARROWEST = 640  # pixels, for that line
NAME = "samples.png"


def write_sheet(path: Path, datasets: dict[str, KeypointDataset]) -> Finding:
    """Write samples of ``datasets`` {role: set}, the augmented ones as augmented, to ``path``."""
    what = "contact sheet"
    sheets = {role: made for role, dataset in datasets.items() if (made := _sheet(dataset)) is not None}
    if not sheets:
        return error(what, "no sample could be made", "see the findings on images")
    width = max(NARROWEST, *(made.shape[1] for made in sheets.values()))
    parts = []
    for role, made in sheets.items():
        seen = "augmented" if datasets[role].augmentation else "as evaluated"
        bar = _bar(f"{role}, {seen}: labels, and their heatmaps below", width)
        parts += [bar, np.pad(made, ((0, 0), (0, width - made.shape[1]), (0, 0)))]
    sheet = np.vstack(parts)
    _, content = cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))
    write_atomically(path, lambda file: file.write(content.tobytes()))
    return ok(what, f"{path}: look whether the dots are on the joints, left ones blue and right ones orange")


def _sheet(dataset: KeypointDataset) -> np.ndarray | None:
    """Samples with their labels, and below with their heatmaps; [H, W, 3] RGB, None where none can be read."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, SHOWN).round().astype(int)).tolist()
    samples = [sample for i in chosen if not (sample := dataset[i, 0]).problem]
    if not samples:
        return None
    heatmaps = torch.stack([sample.heatmaps for sample in samples]).numpy()
    shown = torch.stack([sample.target_weight for sample in samples]).numpy() > 0
    joints, _ = dataset.codec.decode(heatmaps)
    images = torch.stack([sample.image for sample in samples])
    names = dataset.annotations.mapping.names
    return sample_sheet(images, joints * dataset.codec.stride, shown, heatmaps, names, len(samples))


def _bar(text: str, width: int) -> np.ndarray:
    bar = np.full((BAR, width, 3), 40, np.uint8)
    return cv2.putText(
        bar, text, (8, BAR - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA
    )
