"""The folder that find_labels.py leaves: labels in doubt, the most suspect first, and the file that they are of."""

import csv
import functools
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations, read_json
from lib.dataset.skeleton import Skeleton
from lib.ignoring.ranking import ranked_keypoints
from lib.ignoring.weight_table import WeightTable
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_text
from lib.wrong_labels.name_permutations import limbs_of

TABLE, DESCRIPTION = "labels.csv", "found.json"
MISSING = "missing"  # kind of a joint that should have a label and has none
TEXTS = ("kind", "partner", "image", "joint")  # columns that are no numbers
WHOLE = ("rank", "annotation_id")  # columns of whole numbers


@dataclass(frozen=True)
class LabelFile:
    """The annotation file whose labels are in doubt.

    path: absolute.
    sha256: of its bytes.
    layout: the value of DATASET: coco, mpii or coco_format.
    images: absolute path of the folder of its images.
    joints: names of the J joints.
    keypoints: [J] the file's own name of each joint, empty if the file does not have it.
    positions: [J] of that keypoint among the file's; -1 if the file does not have it.
    lines: pairs of joints that drawings connect.
    pairs: (left, right) pairs of joints.
    """

    path: str
    sha256: str
    layout: str
    images: str
    joints: tuple[str, ...]
    keypoints: tuple[str, ...]
    positions: tuple[int, ...]
    lines: tuple[tuple[str, str], ...]
    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, path: Path, layout: str, images: Path, annotations: Annotations) -> "LabelFile":
        """The file at ``path``, from which the ``annotations`` were read."""
        mapping = annotations.mapping
        skeleton, names = mapping.skeleton, mapping.names
        return cls(
            path=str(path.resolve()),
            sha256=sha256_of(path),
            layout=layout,
            images=str(images.resolve()),
            joints=tuple(names),
            keypoints=tuple(name or "" for name in mapping.native),
            positions=tuple(mapping.index),
            lines=tuple((names[a], names[b]) for a, b in skeleton.limbs),
            pairs=tuple(skeleton.pairs),
        )

    @functools.cached_property
    def known_pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs of which the file has both joints."""
        known = {joint for joint, position in zip(self.joints, self.positions) if position >= 0}
        return tuple(pair for pair in self.pairs if known.issuperset(pair))

    @functools.cached_property
    def limbs(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """{joint: those of the known pairs that its limb and that of the other side consist of}; see `limbs_of`.

        As for the detector, so that one decision rights what it finds. Joints without a known pair have no limb.
        """
        exchanges = limbs_of(Skeleton(self.joints, self.pairs, self.lines))
        names = np.array(self.joints)
        members = {
            str(names[j]): set(names[exchange != np.arange(len(names))]) for j, exchange in exchanges.items()
        }
        return {
            joint: tuple(pair for pair in self.known_pairs if members[joint].issuperset(pair))
            for pair in self.known_pairs
            for joint in pair
            if joint in members
        }

    def check_unchanged(self, path: Path | None = None) -> None:
        """Refuse the file at ``path`` (default: where it was) if it is not the one whose labels were read.

        Raises:
            InputError: it cannot be read, or has other bytes.
        """
        path = path or Path(self.path)
        if (found := sha256_of(path)) != self.sha256:
            raise InputError(
                f"{path}: not the file whose labels were judged; its SHA-256 is {found[:12]}..., expected "
                f"{self.sha256[:12]}... ({self.path} when find_labels.py read it)"
            )


@dataclass(frozen=True)
class FoundLabels:
    """K labels, the most suspect first, then joints that should have a label and have none. Each column is [K].

    rank: int, from 1; 0 for a missing label.
    score: higher is more suspect; NaN for a missing label.
    weight: ignoring variable in [0, 1]; NaN if none was learned.
    probability: of being wrong; NaN if it was not estimated, and for a missing label.
    kind, partner: what is wrong with it if it is wrong, and the joint whose place it has, see `Suspects`.
    x, y: the label, image pixels from 0; NaN if it is missing.
    proposed_x, proposed_y: where the joint is thought to be; NaN if nothing is proposed.
    sureness: of the kind, in [0, 1].
    image: as the annotation file has it.
    annotation_id: int.
    joint: name.
    """

    rank: np.ndarray
    score: np.ndarray
    weight: np.ndarray
    probability: np.ndarray
    kind: np.ndarray
    partner: np.ndarray
    x: np.ndarray
    y: np.ndarray
    proposed_x: np.ndarray
    proposed_y: np.ndarray
    sureness: np.ndarray
    image: np.ndarray
    annotation_id: np.ndarray
    joint: np.ndarray

    def __len__(self) -> int:
        return len(self.rank)

    def columns(self) -> dict[str, np.ndarray]:
        """{column: [K]}, as pandas.DataFrame takes it."""
        return {name: getattr(self, name) for name in COLUMNS}

    @classmethod
    def of(cls, annotations: Annotations, table: WeightTable) -> "FoundLabels":
        """The labels of the ``annotations`` that were judged, in the order of the scores of their ``table``."""
        suspects, names = table.suspects, np.array([*annotations.mapping.names, ""])
        if suspects is None:
            raise InputError(
                "the weight table says nothing of wrong labels; expected LBI.FIND_WRONG_LABELS true"
            )
        labelled = annotations.visible > 0
        ranked = ranked_keypoints(table.scores, labelled, annotations.ids)
        in_file = np.array(annotations.mapping.index) >= 0  # a label of another joint could not be written
        missing = np.flatnonzero(~labelled & in_file & (suspects.kind == MISSING))
        missing = missing[np.argsort(-suspects.sureness.ravel()[missing], kind="stable")]
        i, j = np.divmod(np.concatenate([ranked, missing]), labelled.shape[1])
        is_label = np.arange(len(i)) < len(ranked)
        here = np.where(is_label[:, None], annotations.joints[i, j], np.nan)
        weights = np.where(table.seen[i, j] > 0, table.weights[i, j], np.nan)
        return cls(
            rank=np.where(is_label, np.arange(1, len(i) + 1), 0),
            score=np.where(is_label, table.scores[i, j], np.nan),
            weight=np.where(is_label, weights, np.nan),
            probability=np.where(is_label & suspects.judged[i, j], suspects.probability[i, j], np.nan),
            kind=suspects.kind[i, j],
            partner=names[suspects.partner[i, j]],
            x=here[:, 0],
            y=here[:, 1],
            proposed_x=suspects.proposed[i, j, 0],
            proposed_y=suspects.proposed[i, j, 1],
            sureness=suspects.sureness[i, j],
            image=np.array(list(annotations.image_names))[annotations.image_index[i]],
            annotation_id=annotations.ids[i],
            joint=names[j],
        )


COLUMNS = tuple(field.name for field in fields(FoundLabels))
DIGITS = {"score": 6, "weight": 4, "probability": 4, "sureness": 4} | dict.fromkeys(
    ("x", "y", "proposed_x", "proposed_y"), 2
)


def write_found(folder: Path, file: LabelFile, labels: FoundLabels) -> None:
    """Write TABLE (what is not known is empty) and DESCRIPTION."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(zip(*(_cells(name, column) for name, column in labels.columns().items())))
    write_text(folder / TABLE, text.getvalue())
    write_text(folder / DESCRIPTION, json.dumps(asdict(file), indent=2) + "\n")


def read_found(folder: str | Path) -> tuple[LabelFile, FoundLabels]:
    """What `write_found` wrote.

    Raises:
        InputError: naming the file, and what is missing or wrong in it.
    """
    folder = Path(folder)
    if not (folder / DESCRIPTION).exists():
        raise InputError(
            f"{folder}: has no {DESCRIPTION}; expected the folder of find_labels.py, which is finished"
        )
    file, labels = _read_description(folder / DESCRIPTION), _read_table(folder / TABLE)
    if other := set(labels.joint.tolist()) - set(file.joints):
        raise InputError(
            f"{folder / TABLE}: joint {short_repr(min(other))}, expected one of {', '.join(file.joints)}"
        )
    return file, labels


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal; InputError if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None


def _cells(name: str, column: np.ndarray) -> Sequence:
    if name in TEXTS:
        return column.tolist()
    if name in WHOLE:
        return ["" if name == "rank" and not number else number for number in column.tolist()]
    numbers = np.round(np.asarray(column, np.float64), DIGITS[name]).tolist()
    return ["" if number != number else number for number in numbers]


def _read_description(path: Path) -> LabelFile:
    content = read_json(path)
    names = [field.name for field in fields(LabelFile)]
    if not isinstance(content, dict) or set(content) != set(names):
        raise InputError(f"{path}: expected an object with {', '.join(names)}, as find_labels.py writes it")
    for name in ("path", "sha256", "layout", "images"):
        if not isinstance(content[name], str):
            raise InputError(f"{path}: {name} is {short_repr(content[name])}, expected text")
    for name, kind in (
        ("joints", str),
        ("keypoints", str),
        ("positions", int),
        ("lines", list),
        ("pairs", list),
    ):
        if not isinstance(content[name], list) or not all(type(value) is kind for value in content[name]):
            raise InputError(
                f"{path}: {name} is {short_repr(content[name])}, expected a list of {kind.__name__}"
            )
    columns = {name: _as_tuples(value) for name, value in content.items()}
    joints = columns["joints"]
    if not joints or any(len(columns[name]) != len(joints) for name in ("keypoints", "positions")):
        raise InputError(f"{path}: joints, keypoints and positions must be as many, and at least one")
    for pair in (*columns["lines"], *columns["pairs"]):
        if len(pair) != 2 or not set(pair) <= set(joints):
            raise InputError(f"{path}: {short_repr(pair)} is no pair of joints")
    return LabelFile(**columns)


def _as_tuples(value):
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _read_table(path: Path) -> FoundLabels:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise InputError(f"{path}: cannot be read ({reason})") from None
    if not rows or tuple(rows[0]) != COLUMNS:
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, separated by commas")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(COLUMNS):
            raise InputError(f"{path}, line {number}: {len(row)} cells, expected {len(COLUMNS)}")
    columns = zip(*rows[1:]) if len(rows) > 1 else [()] * len(COLUMNS)
    return FoundLabels(*(_column(path, name, cells) for name, cells in zip(COLUMNS, columns)))


def _column(path: Path, name: str, cells: Sequence[str]) -> np.ndarray:
    if name in TEXTS:
        return np.array(cells, dtype=np.str_)
    is_whole = name in WHOLE
    number, empty = (np.int64, "0") if is_whole else (np.float64, "nan")
    try:
        return np.array([cell or empty for cell in cells], dtype=object).astype(number)
    except (ValueError, OverflowError):
        line, cell = next(
            (line, cell)
            for line, cell in enumerate(cells, start=2)
            if cell and not _is_number(cell, is_whole)
        )
        raise InputError(f"{path}, line {line}: {name} is {short_repr(cell)}, expected a number") from None


def _is_number(text: str, is_whole: bool) -> bool:
    try:
        number = int(text) if is_whole else float(text)
        return not is_whole or abs(number) < 2**63
    except ValueError:
        return False
