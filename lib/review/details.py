"""What the page is told: about the table once, and about single labels."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from lib.dataset.sides import side_of
from lib.ignoring.suspects import REASONS
from lib.review.crops import ZOOMS, surroundings
from lib.review.decisions import Decision
from lib.review.found import MISSING
from lib.review.session import Session


def overview(session: Session, shows_all: bool, rows: np.ndarray | None = None) -> dict[str, Any]:
    """What does not change: the joints, and what labels can be asked for by.

    Args:
        session: what is reviewed.
        shows_all: whether labels that were reviewed are shown, too, unless the reviewer asks otherwise.
        rows: those that can be asked for; None: all.
    """
    file, labels = session.table.file, session.table.labels
    rows = np.arange(len(labels)) if rows is None else rows
    kinds, counts = np.unique(labels.kind[rows], return_counts=True)
    scores = labels.score[rows][np.isfinite(labels.score[rows])]
    sides = {left: "left" for left, _ in file.pairs} | {right: "right" for _, right in file.pairs}
    return {
        "file": file.path,
        "reviewer": session.reviewer,
        "decisions": str(session.path),
        "total": len(rows),
        "reviewed": "any" if shows_all else "no",
        "joints": list(file.joints),
        "sides": [sides.get(joint) or side_of(joint) for joint in file.joints],
        "lines": [list(line) for line in file.lines],
        "pairs": [list(pair) for pair in file.pairs],
        "limbs": {joint: [list(pair) for pair in pairs] for joint, pairs in file.limbs.items()},
        "kinds": {str(kinds[k]): int(counts[k]) for k in np.argsort(-counts, kind="stable")},
        "annotators": _annotators(session, rows),
        "scores": [float(scores.min()), float(scores.max())] if len(scores) else None,
        "zooms": [ZOOMS[0], ZOOMS[-1]],
    }


def _annotators(session: Session, rows: np.ndarray) -> dict[str, int]:
    """{annotator: number of their labels that are wrong by estimate}, the largest share first; without nobody."""
    table = session.table
    names, whose = np.unique(table.annotator[rows], return_inverse=True)
    probability = table.labels.probability[rows]
    wrong = np.bincount(whose, np.nan_to_num(probability), len(names))
    labels = np.bincount(whose, np.isfinite(probability), len(names))
    order = np.argsort(-wrong / np.maximum(labels, 1), kind="stable")
    return {str(names[k]): round(float(wrong[k])) for k in order if names[k]}


def details(session: Session, row: int, zoom: int) -> dict[str, Any]:
    """All that is shown of the label of ``row``, with its instance's labels; what is not known is None."""
    table, labels = session.table, session.table.labels
    person = table.rows_of_person(int(labels.annotation_id[row]))
    square = surroundings(labels, person, row, zoom)
    kind = str(labels.kind[row])
    return {
        "row": row,
        "rank": int(labels.rank[row]) or None,
        "annotation": int(labels.annotation_id[row]),
        "kind": kind,
        "reason": REASONS.get(kind, kind),
        "missing": kind == MISSING,
        **{name: str(getattr(labels, name)[row]) for name in ("joint", "partner", "image")},
        "annotator": str(table.annotator[row]),
        "gain": float(table.gain[row]),
        **{
            name: _number(getattr(labels, name)[row])
            for name in ("score", "weight", "probability", "sureness")
        },
        "place": _point(labels.x[row], labels.y[row]),
        "proposed": _point(labels.proposed_x[row], labels.proposed_y[row]),
        "square": asdict(square),
        "others": [
            {"joint": str(labels.joint[k]), "place": _point(labels.x[k], labels.y[k])}
            for k in person.tolist()
            if k != row and np.isfinite(labels.x[k])
        ],
        "decisions": [_decision(reviewer, each) for reviewer, each in session.decisions_about(row)],
    }


def _decision(reviewer: str, decision: Decision) -> dict[str, Any]:
    return {
        "reviewer": reviewer,
        "joint": decision.joint,
        "verdict": decision.verdict.value,
        "partner": decision.partner,
        "place": None if decision.x is None or decision.y is None else [decision.x, decision.y],
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _point(x: float, y: float) -> list[float] | None:
    return [float(x), float(y)] if math.isfinite(x) and math.isfinite(y) else None
