"""Reads and writes the ignoring-weight table (CSV and NPZ), most suspect keypoint first."""

import csv
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.ranking import ranked_keypoints
from lib.utils.errors import InputError
from lib.utils.files import write_atomically, write_text

COLUMNS = ("rank", "annotation_id", "image", "joint", "weight", "score", "times_seen", "target_weight")


class WeightTable(NamedTuple):
    """Ignoring weights of N instances with J joints, in annotation order.

    weights: float64 [N, J] in [0, 1].
    seen: int64 [N, J], number of batches that contained the keypoint.
    scores: float64 [N, J], the order of the weights, which goes on where they are clipped; higher is more suspect.
    """

    weights: np.ndarray
    seen: np.ndarray
    scores: np.ndarray


def write_weight_table(
    path: str | Path,
    annotations: Annotations,
    weights: np.ndarray,
    seen: np.ndarray,
    scores: np.ndarray | None = None,
) -> None:
    """Write the weights as a table (``path``, .csv) and, next to it, as arrays (.npz).

    The table has one row per instance and joint: first the labelled keypoints (``target_weight`` 1),
    ranked from 1, the highest score; then the unlabelled ones, whose weight has no effect, without a rank.
    Both files have all digits. The arrays are weights, seen, scores, visible [N, J], annotation_ids [N] and
    joints [J], the joint names.

    Args:
        path: Path of the .csv file; the .npz file differs in the suffix only.
        annotations: The N annotations that the weights belong to.
        weights: [N, J] in [0, 1].
        seen: [N, J] number of batches that contained the keypoint.
        scores: [N, J], higher is more suspect; by default 1 - weight.
    """
    path = Path(path)
    weights = np.asarray(weights, np.float64)
    scores = 1 - weights if scores is None else np.asarray(scores, np.float64)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    names = annotations.mapping.names
    images = [_escape_formula(name) for name in annotations.image_names]
    visible = annotations.visible > 0
    ranked = ranked_keypoints(scores, visible, annotations.ids).tolist()
    # Lists: many times as fast as reading numbers out of arrays one by one.
    ids, image_of = annotations.ids.tolist(), annotations.image_index.tolist()
    columns = [array.ravel().tolist() for array in (weights, scores, seen, visible.astype(int))]
    for rank, keypoint in enumerate(ranked + np.flatnonzero(~visible).tolist(), start=1):
        i, j = divmod(keypoint, len(names))
        label = (ids[i], images[image_of[i]], names[j])
        numbers = (column[keypoint] for column in columns)
        rows.writerow((rank if rank <= len(ranked) else "", *label, *numbers))
    write_text(path, text.getvalue())
    arrays: dict[str, Any] = {
        "weights": weights,
        "seen": seen,
        "scores": scores,
        "visible": visible,
        "annotation_ids": annotations.ids,
        "joints": np.array(names, dtype=np.str_),
    }
    write_atomically(path.with_suffix(".npz"), lambda file: np.savez_compressed(file, **arrays))


def _escape_formula(name: str) -> str:
    """``name``, prefixed with ' if a spreadsheet would evaluate it as a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def read_weight_table(path: str | Path, annotations: Annotations) -> WeightTable:
    """Read what `write_weight_table` wrote for ``annotations``, from the .csv or the .npz file.

    The order of the rows does not matter. In tables of earlier versions, which have no scores, these are
    1 - weight.

    Raises:
        InputError: The file is missing or damaged, or belongs to other annotations or joints.
    """
    path = Path(path)
    try:
        table = _read_arrays(path, annotations) if path.suffix == ".npz" else _read_rows(path, annotations)
    except OSError as error:
        raise InputError(f"{path}: cannot read the weights ({error.strerror or error})") from None
    except InputError:
        raise
    except Exception:  # a damaged archive or table may raise anything
        table = None
    if table is None or not _is_valid(table):
        instances, joints = annotations.visible.shape
        raise InputError(
            f"{path}: not the weights of these {instances} instances with {joints} joints; "
            "expected each keypoint once, with a weight in [0, 1] and a finite score"
        )
    return table


def _is_valid(table: WeightTable) -> bool:
    return bool(((table.weights >= 0) & (table.weights <= 1) & np.isfinite(table.scores)).all())


def index_by_id(annotations: Annotations) -> dict[int, int]:
    """Map each annotation id to its index. Raises InputError if an id occurs twice."""
    index = {number: i for i, number in enumerate(annotations.ids.tolist())}
    if len(index) < len(annotations):
        ids, counts = np.unique(annotations.ids, return_counts=True)
        raise InputError(f"annotation {ids[counts > 1][0]}: id given twice, so its weights are ambiguous")
    return index


def _read_rows(path: Path, annotations: Annotations) -> WeightTable:
    """Read the .csv; KeyError or ValueError unless each keypoint has exactly one row."""
    shape = annotations.visible.shape
    instances = index_by_id(annotations)
    joints = {name: j for j, name in enumerate(annotations.mapping.names)}
    table = WeightTable(np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape))
    rows = np.zeros(shape, np.int64)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            keypoint = instances[int(row["annotation_id"])], joints[row["joint"]]
            weight = float(row["weight"])
            table.weights[keypoint], table.seen[keypoint] = weight, int(row["times_seen"])
            table.scores[keypoint] = float(row.get("score", 1 - weight))
            rows[keypoint] += 1
    if (rows != 1).any():
        raise ValueError("missing or repeated keypoints")
    return table


def _read_arrays(path: Path, annotations: Annotations) -> WeightTable:
    """Read the .npz; KeyError or ValueError if its ids, joints or shapes differ from those of ``annotations``."""
    index_by_id(annotations)
    with np.load(path, allow_pickle=False) as arrays:
        weights, seen = arrays["weights"], arrays["seen"]
        scores = arrays["scores"] if "scores" in arrays else 1 - weights.astype(np.float64)
        ids, joints = arrays["annotation_ids"].tolist(), arrays["joints"].tolist()
    position = {number: k for k, number in enumerate(ids)}
    rows = [position[number] for number in annotations.ids.tolist()]
    if len(rows) != len(ids) or joints != list(annotations.mapping.names):
        raise ValueError("other annotations or joints")
    if not weights.shape == seen.shape == scores.shape == annotations.visible.shape:
        raise ValueError("other shapes")
    return WeightTable(
        weights[rows].astype(np.float64), seen[rows].astype(np.int64), scores[rows].astype(np.float64)
    )
