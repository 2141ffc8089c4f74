"""One reviewer's session: which labels were reviewed, by whom, and what is decided next."""

import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from lib.review.annotated import read_annotated
from lib.review.decisions import (
    PREFIX,
    SUFFIX,
    Decision,
    Review,
    Verdict,
    append_decision,
    decisions_path,
    problem_of,
    read_review,
    repair,
    settled,
)
from lib.review.found import MISSING, FoundLabels, LabelFile
from lib.review.table import Table
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

DECIDABLE = tuple(verdict.value for verdict in Verdict if verdict is not Verdict.UNDO)
NEEDED = {Verdict.MOVED: {"x", "y"}, Verdict.EXCHANGED: {"partner"}}  # fields of a decision, by its verdict


@dataclass(frozen=True)
class Progress:
    """How far the review is.

    total: number of labels in the table.
    reviewed: of them, by anybody.
    wrong: of the reviewed, those that were found to be wrong.
    expected: wrong labels among those that are not reviewed, as their probabilities say.
    expected_below: of them, those whose score is at most that of a given label.
    """

    total: int
    reviewed: int
    wrong: int
    expected: float
    expected_below: float


class Session:
    """What all reviewers decided, and a file to which one of them adds. Safe to use from several threads.

    table: the labels.
    reviewer: name.
    path: of the reviewer's decisions.
    reviewed: bool [K], the labels that anybody's decision says something about.
    """

    def __init__(self, folder: Path, file: LabelFile, labels: FoundLabels, reviewer: str):
        self.table, self.reviewer = Table(file, labels, read_annotated(file).annotators), reviewer
        self.path = decisions_path(folder, reviewer)
        repair(self.path)
        self._lock = threading.Lock()
        self._folder = folder
        self._seen = self._others_on_disk()
        self._others = {name: read_review(folder / name, file) for name in sorted(self._seen)}
        self._history: list[Decision] = []  # the reviewer's, without those that were undone
        self._read_own()

    def take_in_others(self) -> bool:
        """Read what other reviewers decided since it was last read; whether there was anything.

        A file that cannot be read is left as it was known, with a warning.
        """
        with self._lock:
            before, self._seen = self._seen, self._others_on_disk()
            known = {name: review for name, review in self._others.items() if name in self._seen}
            for name, size in self._seen.items():
                if size != before.get(name):
                    try:
                        known[name] = read_review(self._folder / name, self.table.file)
                    except InputError as problem:
                        LOG.warning(f"{problem}; its decisions are not taken in")
            if known == self._others:
                return False
            self._others = dict(sorted(known.items()))
            self._read_own()
            return True

    def _others_on_disk(self) -> dict[str, int]:
        """{name of the file: its size}; files of decisions only grow."""
        paths = self._folder.glob(f"{PREFIX}*{SUFFIX}")
        return {path.name: path.stat().st_size for path in paths if path != self.path}

    def _read_own(self) -> None:
        own = Review(self.reviewer, (), 0)
        if self.path.exists():
            own = read_review(self.path, self.table.file)
        self._last, self._size = own.last, self._size_on_disk()
        counting = {each.number: each for each in [*own.decisions, *self._history]}
        self._history = [counting[number] for number in sorted(counting)]
        self._about: dict[int, list[tuple[str, Decision]]] = {}
        self._wrong: set[int] = set()
        self.reviewed = np.zeros(len(self.table), bool)
        self._standing: dict[tuple[str, int], list[Decision]] = defaultdict(list)
        for review in [*self._others.values(), own]:
            for decision in review.decisions:
                self._standing[review.reviewer, decision.annotation_id].append(decision)
        for annotation_id in {annotation_id for _, annotation_id in self._standing}:
            self._settle(annotation_id)

    def _settle(self, annotation_id: int) -> None:
        """Find out anew which decisions say something about the labels of an instance."""
        rows = self.table.rows_of_person(annotation_id)
        self.reviewed[rows] = False
        self._wrong.difference_update(rows.tolist())
        for row in rows.tolist():
            self._about.pop(row, None)
        for reviewer in [*(review.reviewer for review in self._others.values()), self.reviewer]:
            standing = self._standing.get((reviewer, annotation_id), ())
            for (_, joint), decision in settled(standing, self.table.file).items():
                row = self.table.row(annotation_id, joint)
                if row is not None:
                    self._about.setdefault(row, []).append((reviewer, decision))
                    self.reviewed[row] = True
                    if decision.verdict is not Verdict.RIGHT:
                        self._wrong.add(row)

    def decisions_about(self, row: int) -> list[tuple[str, Decision]]:
        """(reviewer, decision) of what says something about the label of ``row``, one of each reviewer at most."""
        with self._lock:
            return list(self._about.get(row, ()))

    def decide(self, row: int, verdict: str, **more: Any) -> None:
        """Decide about the label of ``row``; the decision is on the disk when this returns.

        Args:
            row: number of a row of the table.
            verdict: any `Verdict` but undo. A label that was reviewed is not skipped: nothing is written.
            more: x, y, partner, see `Decision`.

        Raises:
            InputError: the decision makes no sense.
            OSError: it could not be written; nothing is decided.
        """
        labels, file = self.table.labels, self.table.file
        if verdict not in DECIDABLE:
            raise InputError(f"verdict is {short_repr(verdict)}, expected one of {', '.join(DECIDABLE)}")
        if not 0 <= row < len(labels):
            raise InputError(f"row {row}: expected one of the {len(labels)} rows of labels.csv, from 0")
        verdict = Verdict(verdict)
        more = {
            name: value.item() if isinstance(value, np.generic) else value for name, value in more.items()
        }
        if surplus := set(more) - NEEDED.get(verdict, set()):
            raise InputError(f"{verdict.value}: has no {min(surplus)}")
        if verdict in (Verdict.WRONG, Verdict.EXCHANGED) and labels.kind[row] == MISSING:
            raise InputError(f"{verdict.value}: there is no label here; it can be right so, or added")
        with self._lock:
            if verdict is Verdict.SKIPPED and self.reviewed[row]:
                return
            number, joint = int(labels.annotation_id[row]), str(labels.joint[row])
            decision = Decision(self._last + 1, _now(), number, joint, verdict, **more)
            if problem := problem_of(decision, file):
                raise InputError(problem)
            self._append(decision)
            self._history.append(decision)
            self._standing[self.reviewer, number].append(decision)
            self._settle(number)

    def undo(self) -> int | None:
        """Take the reviewer's last decision back, also on the disk.

        Returns:
            The row that it was made at; None if there is nothing to take back.
        """
        with self._lock:
            if not self._history:
                return None
            last = self._history[-1]
            self._append(
                Decision(
                    self._last + 1, _now(), last.annotation_id, last.joint, Verdict.UNDO, undoes=last.number
                )
            )
            self._history.pop()
            self._read_own()
            return self.table.row(last.annotation_id, last.joint)

    def reviewed_with(self, row: int) -> dict[int, bool]:
        """{row: whether it was reviewed}, of all labels of the instance that ``row`` is of."""
        rows = self.table.rows_of_person(int(self.table.labels.annotation_id[row]))
        with self._lock:
            return dict(zip(rows.tolist(), self.reviewed[rows].tolist()))

    def progress(self, row: int | None = None) -> Progress:
        """How far the review is; ``row``: for ``expected_below``, by default the most suspect label."""
        with self._lock:
            reviewed, wrong = self.reviewed.copy(), len(self._wrong)
        labels = self.table.labels
        left = np.where(reviewed | np.isnan(labels.probability), 0, labels.probability)
        below = (
            left if row is None or np.isnan(labels.score[row]) else left[labels.score <= labels.score[row]]
        )
        return Progress(len(reviewed), int(reviewed.sum()), wrong, float(left.sum()), float(below.sum()))

    def _size_on_disk(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _append(self, decision: Decision) -> None:
        if self._size_on_disk() != self._size:  # two programs would give one number to two decisions
            raise InputError(
                f"{self.path}: was changed by another program; nothing is written. Stop review.py and start it again, "
                "and give every review its own --reviewer"
            )
        try:
            append_decision(self.path, self.table.file, decision)
        except OSError:
            repair(self.path)  # half a line would spoil the next one
            raise
        self._last, self._size = decision.number, self._size_on_disk()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
