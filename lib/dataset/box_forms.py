"""Recognize boxes and keypoints that are not given as COCO does: boxes as x, y, width and height in pixels."""

import numpy as np

from lib.dataset.reading_notes import ReadingNotes

FITS = 0.95  # share of joints inside boxes, and of boxes inside images, from which a reading is taken to be right
PLAUSIBLE = 0.8  # ... from which COCO's own form is not questioned
MUCH_TIGHTER = 0.5  # area of boxes read as corners, relative to that of COCO's form, that decides for corners
SPILL = 0.02  # by how much keypoints given as shares may be outside of [0, 1] on average
TOLERANCE = 0.05  # by how much of its side a box may be exceeded


def keypoints_in_pixels(points: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, ReadingNotes]:
    """Multiply keypoints by the image's size if all of the file's are in [0, 1], or nearly.

    Args:
        points: float64 [N, K, 3], x, y and visibility.
        bounds: float64 [N, 2], width and height of the image; NaN if unknown.

    Returns:
        float64 [N, K, 3], x and y in pixels, and how many labelled keypoints were changed.
    """
    labelled = points[..., 2] > 0
    xy = points[..., :2][labelled]
    # Labels may lie a little outside of the image; no object has all its joints within two pixels of its corner.
    if not len(xy) or xy.min() < -1 or xy.max() > 2 or np.abs(np.clip(xy, 0, 1) - xy).mean() > SPILL:
        return points, ReadingNotes()
    if (xy == np.round(xy)).all():
        return points, ReadingNotes()
    in_pixels = np.concatenate([points[..., :2] * bounds[:, None], points[..., 2:]], axis=2)
    return in_pixels, ReadingNotes(filled_in={"keypoints, given as shares of the image": len(xy)})


def as_corner_and_size(
    boxes: np.ndarray, points: np.ndarray, bounds: np.ndarray
) -> tuple[np.ndarray, ReadingNotes]:
    """Turn boxes of another form (corners, center and size, shares of the image) into COCO's.

    One form is taken for all boxes of a file: COCO's if most joints lie in the boxes and most boxes in the image,
    else one for which nearly all do.

    Args:
        boxes: float64 [N, 4] as the file gives them.
        points: float64 [N, K, 3] in pixels.
        bounds: float64 [N, 2], width and height of the image; NaN if unknown.

    Returns:
        float64 [N, 4], x, y, width and height in pixels, and how many boxes had which other form.
    """
    known = (boxes[:, 2:] > 0).all(axis=1) & (points[..., 2] > 0).any(axis=1) & (bounds > 0).all(axis=1)
    if not known.any():
        return boxes, ReadingNotes()
    shares = boxes[known].max() <= 1.01 and points[known][..., :2].max() > 2
    scale = np.where(np.isnan(bounds), 1, bounds)[:, [0, 1, 0, 1]] if shares else 1.0
    own, corners = "x, y, width and height", "corners"
    readings = {
        own: boxes * scale,
        corners: np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1) * scale,
        "center and size": np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], axis=1) * scale,
    }
    fits = {form: _fit(read[known], points[known], bounds[known]) for form, read in readings.items()}
    best = own
    if fits[best] < PLAUSIBLE:
        others = [form for form in readings if form != best and fits[form] >= FITS]
        best = max(others, key=lambda form: fits[form], default=best)
    elif fits[corners] >= FITS and _area(readings[corners][known]) < MUCH_TIGHTER * _area(
        readings[best][known]
    ):
        best = corners  # far from the image's edge, corners read as sizes stay within it
    if best != own or (shares and fits[own] >= PLAUSIBLE):
        unit = ", shares of the image" if shares else ""
        return readings[best], ReadingNotes(filled_in={f"boxes, given as {best}{unit}": int(known.sum())})
    return boxes, ReadingNotes()


def _area(boxes: np.ndarray) -> float:
    return float(boxes[:, 2:].prod(axis=1).mean())


def _fit(boxes: np.ndarray, points: np.ndarray, bounds: np.ndarray) -> float:
    """The smaller of the share of labelled joints inside their box and the share of boxes inside their image."""
    if (boxes[:, 2:] <= 0).any():
        return 0.0
    labelled = points[..., 2] > 0
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    slack = TOLERANCE * boxes[:, 2:] + 1
    inside = (points[..., :2] >= (low - slack)[:, None]) & (points[..., :2] <= (high + slack)[:, None])
    within = (low >= -slack).all(axis=1) & (high <= bounds + slack).all(axis=1)
    return min(float(inside.all(axis=2)[labelled].mean()), float(within.mean()))
