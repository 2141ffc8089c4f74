"""Reads and writes the ignoring-weight table (CSV and NPZ), most suspect keypoint first."""

import csv
import io
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.ranking import ranked_keypoints
from lib.ignoring.suspects import Suspects
from lib.utils.errors import InputError
from lib.utils.files import write_atomically, write_text

COLUMNS = ("rank", "annotation_id", "image", "joint", "weight", "score", "times_seen", "target_weight")
SUSPECTS = ("probability", "kind", "partner", "sureness", "x", "y", "proposed_x", "proposed_y")
LONGEST_KIND = 16  # characters


@dataclass(frozen=True)
class WeightTable:
    """Ignoring weights of N instances with J joints, in annotation order, and what is held of their labels.

    weights: float64 [N, J] in [0, 1].
    seen: int64 [N, J], number of batches that contained the keypoint.
    scores: float64 [N, J], the order of the suspects; higher is more suspect. By default 1 - weights.
    suspects: what is held of the labels; None if they were not judged.
    """

    weights: np.ndarray
    seen: np.ndarray
    scores: np.ndarray | None = None
    suspects: Suspects | None = None

    def __post_init__(self) -> None:
        if self.scores is None:
            object.__setattr__(self, "scores", 1 - np.asarray(self.weights, np.float64))


def write_weight_table(path: str | Path, annotations: Annotations, table: WeightTable) -> None:
    """Write the ``table`` (``path``, .csv) and, next to it, its arrays (.npz).

    The table has one row per instance and joint: first the labelled keypoints (``target_weight`` 1),
    ranked from 1, the highest score; then the unlabelled ones, whose weight has no effect, without a rank.
    The columns SUSPECTS are there if the labels were judged; x and y are the label at hand, and what is not known
    is empty. Weights and scores have all digits, positions (image pixels) two, probabilities four.
    The arrays are weights, seen, scores, visible [N, J], annotation_ids [N], joints [J], the joint names, and those
    of `Suspects`.

    Args:
        path: Path of the .csv file; the .npz file differs in the suffix only.
        annotations: The N annotations that the weights belong to.
        table: of these annotations.
    """
    path = Path(path)
    weights, scores = (np.asarray(array, np.float64) for array in (table.weights, table.scores))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS if table.suspects is None else COLUMNS + SUSPECTS)
    names = annotations.mapping.names
    images = [_escape_formula(name) for name in annotations.image_names]
    visible = annotations.visible > 0
    ranked = ranked_keypoints(scores, visible, annotations.ids).tolist()
    # Lists: many times as fast as reading numbers out of arrays one by one.
    ids, image_of = annotations.ids.tolist(), annotations.image_index.tolist()
    columns = [array.ravel().tolist() for array in (weights, scores, table.seen, visible.astype(int))]
    if table.suspects is not None:
        columns += _suspect_columns(table.suspects, annotations)
    for rank, keypoint in enumerate(ranked + np.flatnonzero(~visible).tolist(), start=1):
        i, j = divmod(keypoint, len(names))
        label = (ids[i], images[image_of[i]], names[j])
        numbers = (column[keypoint] for column in columns)
        rows.writerow((rank if rank <= len(ranked) else "", *label, *numbers))
    write_text(path, text.getvalue())
    arrays: dict[str, Any] = {
        "weights": weights,
        "seen": table.seen,
        "scores": scores,
        "visible": visible,
        "annotation_ids": annotations.ids,
        "joints": np.array(names, dtype=np.str_),
    }
    if table.suspects is not None:
        arrays |= {of.name: getattr(table.suspects, of.name) for of in fields(table.suspects)}
    write_atomically(path.with_suffix(".npz"), lambda file: np.savez_compressed(file, **arrays))


def _suspect_columns(suspects: Suspects, annotations: Annotations) -> list[list]:
    """The columns SUSPECTS, each as a list of N J cells."""
    names = [*annotations.mapping.names, ""]  # -1, no partner, is the last
    here = np.where((annotations.visible > 0)[..., None], annotations.joints, np.nan)
    return [
        _rounded(suspects.probability, 4),
        suspects.kind.ravel().tolist(),
        [names[k] for k in suspects.partner.ravel().tolist()],
        _rounded(suspects.sureness, 4),
        *(_rounded(points[..., axis], 2) for points in (here, suspects.proposed) for axis in (0, 1)),
    ]


def _rounded(values: np.ndarray, digits: int) -> list:
    """The cells of a column; NaN is empty."""
    numbers = np.round(np.asarray(values, np.float64), digits).ravel().tolist()
    return ["" if number != number else number for number in numbers]


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
        valid = _is_valid(table)
    except OSError as error:
        raise InputError(f"{path}: cannot read the weights ({error.strerror or error})") from None
    except InputError:
        raise
    except Exception:  # a damaged archive or table may raise anything
        valid = False
    if not valid:
        instances, joints = annotations.visible.shape
        raise InputError(
            f"{path}: not the weights of these {instances} instances with {joints} joints; "
            "expected each keypoint once, with a weight in [0, 1], a finite score and, if it was judged, "
            "a probability in [0, 1]"
        )
    return table


def _is_valid(table: WeightTable) -> bool:
    known = table.suspects is None or _are_valid(table.suspects, table.weights.shape)
    finite = ((table.weights >= 0) & (table.weights <= 1) & np.isfinite(table.scores)).all()
    return bool(known and finite)


def _are_valid(suspects: Suspects, shape: tuple[int, ...]) -> bool:
    flat = (suspects.probability, suspects.kind, suspects.partner, suspects.sureness)
    if {array.shape for array in flat} != {shape} or suspects.proposed.shape != (*shape, 2):
        return False
    shares = np.stack([suspects.probability, suspects.sureness])
    partners = (suspects.partner >= -1) & (suspects.partner < shape[1])
    typed = suspects.kind.dtype.kind == "U" and not np.isinf(suspects.proposed).any()
    return bool(typed and partners.all() and ((shares >= 0) & (shares <= 1)).all())


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
    judged: dict[tuple[int, int], dict] = {}
    rows = np.zeros(shape, np.int64)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            keypoint = instances[int(row["annotation_id"])], joints[row["joint"]]
            weight = float(row["weight"])
            table.weights[keypoint], table.seen[keypoint] = weight, int(row["times_seen"])
            table.scores[keypoint] = float(row.get("score", 1 - weight))
            rows[keypoint] += 1
            if "probability" in row:
                judged[keypoint] = row
    if (rows != 1).any():
        raise ValueError("missing or repeated keypoints")
    return replace(table, suspects=_read_suspects(judged, shape, joints)) if judged else table


def _read_suspects(
    rows: dict[tuple[int, int], dict], shape: tuple[int, int], joints: dict[str, int]
) -> Suspects:
    """The columns SUSPECTS of the rows of every keypoint."""
    suspects = Suspects(np.zeros(shape), np.full(shape, "", f"<U{LONGEST_KIND}"), np.full(shape, -1),
                        np.full((*shape, 2), np.nan), np.zeros(shape))  # fmt: skip
    for keypoint, row in rows.items():
        suspects.probability[keypoint], suspects.kind[keypoint] = float(row["probability"]), row["kind"]
        suspects.partner[keypoint] = joints[row["partner"]] if row["partner"] else -1
        suspects.proposed[keypoint] = [float(row[f"proposed_{axis}"] or "nan") for axis in "xy"]
        suspects.sureness[keypoint] = float(row["sureness"])
    return suspects


def _read_arrays(path: Path, annotations: Annotations) -> WeightTable:
    """Read the .npz; KeyError or ValueError if its ids, joints or shapes differ from those of ``annotations``."""
    index_by_id(annotations)
    with np.load(path, allow_pickle=False) as arrays:
        weights, seen = arrays["weights"], arrays["seen"]
        scores = arrays["scores"] if "scores" in arrays else 1 - weights.astype(np.float64)
        ids, joints = arrays["annotation_ids"].tolist(), arrays["joints"].tolist()
        judged = "probability" in arrays
        suspects = Suspects(*(arrays[of.name] for of in fields(Suspects))) if judged else None
    position = {number: k for k, number in enumerate(ids)}
    rows = [position[number] for number in annotations.ids.tolist()]
    if len(rows) != len(ids) or joints != list(annotations.mapping.names):
        raise ValueError("other annotations or joints")
    shapes = {weights.shape, seen.shape, scores.shape, annotations.visible.shape}
    if len(shapes) > 1:
        raise ValueError("other shapes")
    return WeightTable(
        weights[rows].astype(np.float64), seen[rows].astype(np.int64), scores[rows].astype(np.float64),
        None if suspects is None else suspects.of(rows),
    )  # fmt: skip
