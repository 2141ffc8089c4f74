"""The contact sheet: samples as the networks see them, with their numbered joints and target heatmaps."""

from pathlib import Path

import cv2
import numpy as np
import torch

from lib.dataset.keypoint_dataset import KeypointDataset, denormalize
from lib.dataset.skeleton import Skeleton
from lib.doctor.findings import Finding, error, ok
from lib.utils.files import write_atomically
from lib.visualization.skeletons import contact_sheet, draw_heatmaps, draw_skeleton, enlarged, joint_colour

SAMPLES = 8  # of each set, evenly spaced
CAPTION_HEIGHT = 28  # pixels
MIN_WIDTH = 640  # pixels, so that captions fit
FILE_NAME = "samples.png"
MARGIN = 8  # pixels, of captions
SPACE = 16  # pixels, between the names of the legend
FONT = cv2.FONT_HERSHEY_SIMPLEX


def write_sheet(path: Path, datasets: dict[str, KeypointDataset]) -> Finding:
    """Draw samples of every data set, augmented as in training, into the PNG file ``path``.

    Args:
        path: the file.
        datasets: {role: data set}.
    """
    subject = "contact sheet"
    sheets = {role: sheet for role, dataset in datasets.items() if (sheet := _sheet(dataset)) is not None}
    if not sheets:
        return error(subject, "no sample can be read", "see the findings on images")
    width = max(MIN_WIDTH, *(sheet.shape[1] for sheet in sheets.values()))
    parts = legend(next(iter(datasets.values())).annotations.mapping.skeleton, width)
    for role, sheet in sheets.items():
        use = "augmented" if datasets[role].augmentation else "as evaluated"
        caption = _caption(width)
        _write(caption, f"{role}, {use}: labels, and their heatmaps below", MARGIN, 0.55, (255, 255, 255))
        parts += [caption, np.pad(sheet, ((0, 0), (0, width - sheet.shape[1]), (0, 0)))]
    pixels = np.vstack(parts)
    _, content = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))
    write_atomically(path, lambda file: file.write(content.tobytes()))
    return ok(
        subject,
        f"{path}: check that the dots are on the joints of their number, left ones blue and right ones orange",
    )


def _sheet(dataset: KeypointDataset) -> np.ndarray | None:
    """Samples with their labels, and below them with their heatmaps: [H, W, 3] RGB; None if none can be read."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, SAMPLES).round().astype(int)).tolist()
    samples = [sample for i in chosen if not (sample := dataset[i, 0]).problem]
    if not samples:
        return None
    heatmaps = torch.stack([sample.heatmaps for sample in samples]).numpy()
    joints, _ = dataset.codec.decode(heatmaps)
    skeleton = dataset.annotations.mapping.skeleton
    top, bottom = [], []
    for sample, own_joints, own_heatmaps in zip(samples, joints, heatmaps):
        cell = enlarged(denormalize(sample.image))
        factor = dataset.codec.stride * cell.shape[0] / sample.image.shape[1]
        labelled = sample.target_weight.numpy() > 0
        drawn = draw_skeleton(cell, own_joints * factor, labelled, skeleton)
        top.append(_numbered(drawn, own_joints * factor, labelled))
        bottom.append(draw_heatmaps(cell, own_heatmaps))
    return contact_sheet([top, bottom])


def _numbered(image: np.ndarray, joints: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """``image`` with the number of each visible joint beside it, counted from 1."""
    for number, ((x, y), is_visible) in enumerate(zip(joints, visible), 1):
        if is_visible:
            corner = int(x) + 4, int(y) - 4
            for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):  # white with a dark rim
                cv2.putText(image, str(number), corner, FONT, 0.38, colour, thickness, cv2.LINE_AA)
    return image


def legend(skeleton: Skeleton, width: int) -> list[np.ndarray]:
    """Captions with the number and name of each joint, in the colour of its side: each [CAPTION_HEIGHT, width, 3].

    OpenCV's font has ASCII characters only; of other names there is the number, as in the table of joints.
    """
    captions, x = [_caption(width)], MARGIN
    for joint, name in enumerate(skeleton.names):
        number = joint + 1
        text = f"{number} {name}" if name.isascii() else str(number)
        (length, _), _ = cv2.getTextSize(text, FONT, 0.45, 1)
        if x > MARGIN and x + length > width:
            captions.append(_caption(width))
            x = MARGIN
        _write(captions[-1], text, x, 0.45, joint_colour(skeleton, joint))
        x += length + SPACE
    return captions


def _caption(width: int) -> np.ndarray:
    """A dark bar, [CAPTION_HEIGHT, width, 3]."""
    return np.full((CAPTION_HEIGHT, width, 3), 40, np.uint8)


def _write(caption: np.ndarray, text: str, x: int, size: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(caption, text, (x, CAPTION_HEIGHT - 9), FONT, size, colour, 1, cv2.LINE_AA)
