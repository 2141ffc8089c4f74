"""The images behind the annotations, of which some are read; and how large people are in source and target."""

from dataclasses import dataclass

import numpy as np

from lib.dataset.annotations import PADDING, Annotations
from lib.dataset.images import read_image
from lib.doctor.findings import Finding, error, ok, warning

READ = 64  # images of each set, evenly over it
ENLARGED = 2.0  # crops of fewer pixels than this part of the network's input are blurred
RATIO = 4 / 3  # of people's sizes in crops of source and target, in either direction


@dataclass(frozen=True)
class ReadPictures:
    """sizes: [K, 2] widths and heights of those that could be read, of ``total`` images."""

    sizes: np.ndarray
    total: int

    @property
    def bytes_decoded(self) -> float:
        """All images of the set in memory, as DATASET.CACHE keeps them: an estimate."""
        return 0.0 if not len(self.sizes) else 3 * float(self.sizes.prod(axis=1).mean()) * self.total


def check_images(role: str, people: Annotations, on_bad: str) -> tuple[list[Finding], ReadPictures]:
    used = np.unique(people.image_index)
    chosen = used[np.unique(np.linspace(0, len(used) - 1, READ).round().astype(int))]
    sizes, unreadable, other = [], [], []
    for number in chosen.tolist():
        path = people.image_paths[number]
        image = read_image(path)
        if image is None:
            unreadable.append(path)
            continue
        size = image.shape[1::-1]
        sizes.append(size)
        if people.bounds is not None:
            told = people.bounds[np.flatnonzero(people.image_index == number)[0]].astype(int)
            if tuple(told) != size:
                other.append(f"{path} is {size[0]} x {size[1]}, the annotations say {told[0]} x {told[1]}")
    what = f"{role}, images"
    findings = []
    if unreadable:
        made = error if on_bad == "raise" else warning
        found = f"{len(unreadable)} of {len(chosen)} cannot be read, such as {unreadable[0]}"
        findings.append(made(what, found, "fetch them again; DATASET.ON_BAD_IMAGE skip leaves them out"))
    if other:
        found = f"{len(other)} of {len(chosen)} have another size: {other[0]}"
        findings.append(
            warning(what, found, "labels would be at the wrong place if images were resized after labelling")
        )
    read = ReadPictures(np.array(sizes, int).reshape(-1, 2), len(used))
    if sizes and not findings:
        low, middle, high = np.quantile(read.sizes, (0, 0.5, 1), axis=0).round().astype(int)
        shown = ", ".join(f"{w} x {h}" for w, h in (low, middle, high))
        findings.append(
            ok(what, f"{len(chosen)} of {len(used):,} read; smallest, median and largest sides: {shown}")
        )
    return findings, read


def check_scale(
    people: dict[str, Annotations], image_size: tuple[int, int]
) -> tuple[list[Finding], tuple[str, ...]]:
    """Size of people in images and in crops, source against target, and the table of it."""
    rows = [
        f"{'quantiles 5 %, 50 %, 95 %':26}{'box, pixels':>18}{'crop / network input':>23}{'labelled joints / box':>23}"
    ]
    spans, findings = {}, []
    for role, of in people.items():
        boxes = of.sizes.max(axis=1) / PADDING
        enlarged = of.sizes[:, 0] / image_size[0]
        spans[role] = _spans(of) / boxes
        cells = (
            _quantiles(boxes, "{:.0f}"),
            _quantiles(enlarged, "{:.2f}"),
            _quantiles(spans[role][np.isfinite(spans[role])], "{:.2f}"),
        )
        rows.append(f"{role:26}{cells[0]:>18}{cells[1]:>23}{cells[2]:>23}")
        if np.median(enlarged) < 1 / ENLARGED:
            found = f"half of the crops have fewer than {np.median(enlarged):.2f} times the pixels across that the network sees"
            findings.append(
                warning(f"{role}, scale", found, "a smaller MODEL.IMAGE_SIZE sees as much, and is faster")
            )
    if {"source", "target T"} <= people.keys():
        source, target = (np.nanmedian(spans[role]) for role in ("source", "target T"))
        found = f"labelled joints span {source:.2f} of the box in the source, {target:.2f} in the target"
        if np.isfinite(source / target) and not 1 / RATIO < source / target < RATIO:
            advice = "boxes mean different things: people appear at another scale; make the boxes alike, or raise SCALE_FACTOR"
            findings.append(warning("scale of source and target", found, advice))
        else:
            findings.append(ok("scale of source and target", found))
    return findings, tuple(rows)


def _spans(people: Annotations) -> np.ndarray:
    """[N] longer side of the box around a person's labelled joints; NaN where fewer than half are labelled."""
    labelled = people.visible > 0
    enough = labelled.mean(axis=1) >= 0.5
    inside = np.where(labelled[..., None], people.joints, np.nan)[enough]
    spans = np.full(len(people), np.nan)
    if enough.any():
        spans[enough] = (np.nanmax(inside, axis=1) - np.nanmin(inside, axis=1)).max(axis=1)
    return spans


def _quantiles(values: np.ndarray, form: str) -> str:
    if not len(values):
        return "-"
    return "  ".join(form.format(value) for value in np.quantile(values, (0.05, 0.5, 0.95)))
