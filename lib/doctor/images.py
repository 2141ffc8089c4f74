"""Checks of a sample of the image files, and of the scale of people in source and target."""

from dataclasses import dataclass

import numpy as np

from lib.dataset.annotations import PADDING, Annotations
from lib.dataset.images import problem_of, read_image
from lib.doctor.findings import Finding, error, ok, warning

SAMPLED_IMAGES = 64  # of each set, evenly spaced
MAX_ENLARGEMENT = 2.0  # a crop enlarged more than this to the network's input is blurred
MAX_SCALE_RATIO = 4 / 3  # of the people's size within crops, source to target or target to source


@dataclass(frozen=True)
class SampledImages:
    """The images of a set that were read.

    sizes: [K, 2] width and height in pixels of each image that could be read.
    total: number of images in the set.
    """

    sizes: np.ndarray
    total: int

    @property
    def bytes_decoded(self) -> float:
        """Estimated memory of all images of the set, decoded as DATASET.CACHE keeps them."""
        return 0.0 if not len(self.sizes) else 3 * float(self.sizes.prod(axis=1).mean()) * self.total


def check_images(role: str, annotations: Annotations, on_bad: str) -> tuple[list[Finding], SampledImages]:
    """Read a sample of a set's images; one that has another size than annotated cannot be used.

    Args:
        role: name of the set in the findings.
        on_bad: DATASET.ON_BAD_IMAGE; with "raise", an unusable image is an error, else a warning.
    """
    _, used = np.unique(annotations.image_index, return_index=True)
    chosen = used[np.unique(np.linspace(0, len(used) - 1, SAMPLED_IMAGES).round().astype(int))]
    sizes, unusable = [], []
    for index in chosen.tolist():
        image = annotations.image(index)
        pixels = read_image(image)
        if pixels is None:
            unusable.append(problem_of(image))
        else:
            sizes.append(pixels.shape[1::-1])
    subject = f"{role}, images"
    findings = []
    if unusable:
        level = error if on_bad == "raise" else warning
        advice = "see what it names; DATASET.ON_BAD_IMAGE skip leaves such images out"
        findings.append(
            level(subject, f"{len(unusable)} of {len(chosen)} cannot be used: {unusable[0]}", advice)
        )
    sampled = SampledImages(np.array(sizes, int).reshape(-1, 2), len(used))
    if sizes and not findings:
        quantiles = np.quantile(sampled.sizes, (0, 0.5, 1), axis=0).round().astype(int)
        sides = ", ".join(f"{width} x {height}" for width, height in quantiles)
        result = f"{len(chosen)} of {len(used):,} read; smallest, median and largest sides: {sides}"
        findings.append(ok(subject, result))
    return findings, sampled


def check_scale(
    annotations_by_role: dict[str, Annotations], image_size: tuple[int, int]
) -> tuple[list[Finding], tuple[str, ...]]:
    """Compare the size of people, in images and within their crops, between source and target.

    Args:
        image_size: width and height of the network's input in pixels.

    Returns:
        Findings, and the lines of a table with a row for each set.
    """
    columns = ("box, pixels", "crop / network input", "labelled joints / box")
    rows = [f"{'quantiles 5 %, 50 %, 95 %':26}{columns[0]:>18}{columns[1]:>23}{columns[2]:>23}"]
    spans, findings = {}, []
    for role, annotations in annotations_by_role.items():
        boxes = annotations.sizes.max(axis=1) / PADDING
        crop_to_input = annotations.sizes[:, 0] / image_size[0]
        spans[role] = _joint_spans(annotations) / boxes
        cells = (
            _quantiles(boxes, "{:.0f}"),
            _quantiles(crop_to_input, "{:.2f}"),
            _quantiles(spans[role][np.isfinite(spans[role])], "{:.2f}"),
        )
        rows.append(f"{role:26}{cells[0]:>18}{cells[1]:>23}{cells[2]:>23}")
        if (median := np.median(crop_to_input)) < 1 / MAX_ENLARGEMENT:
            result = f"half of the crops have less than {median:.2f} times the width of the network's input"
            advice = "a smaller MODEL.IMAGE_SIZE loses nothing, and is faster"
            findings.append(warning(f"{role}, scale", result, advice))
    if {"source", "target T"} <= annotations_by_role.keys():
        source, target = (np.nanmedian(spans[role]) for role in ("source", "target T"))
        subject = "scale of source and target"
        result = f"labelled joints span {source:.2f} of the box in the source, {target:.2f} in the target"
        ratio = source / target
        if np.isfinite(ratio) and not 1 / MAX_SCALE_RATIO < ratio < MAX_SCALE_RATIO:
            advice = "boxes are drawn differently: people appear at another scale; redraw the boxes, or raise SCALE_FACTOR"
            findings.append(warning(subject, result, advice))
        else:
            findings.append(ok(subject, result))
    return findings, tuple(rows)


def _joint_spans(annotations: Annotations) -> np.ndarray:
    """[N] longer side in pixels of the box around an instance's labelled joints; NaN if under half are labelled."""
    labelled = annotations.visible > 0
    enough = labelled.mean(axis=1) >= 0.5
    inside = np.where(labelled[..., None], annotations.joints, np.nan)[enough]
    spans = np.full(len(annotations), np.nan)
    if enough.any():
        spans[enough] = (np.nanmax(inside, axis=1) - np.nanmin(inside, axis=1)).max(axis=1)
    return spans


def _quantiles(values: np.ndarray, number_format: str) -> str:
    if not len(values):
        return "-"
    return "  ".join(number_format.format(value) for value in np.quantile(values, (0.05, 0.5, 0.95)))
