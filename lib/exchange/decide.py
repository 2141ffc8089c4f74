"""Add what came back from a tool to a reviewer's decisions."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from lib.exchange.comparison import Change
from lib.review.corrections import Label
from lib.review.decisions import (
    Decision,
    Review,
    Verdict,
    append_decision,
    decisions_path,
    labels_given,
    read_review,
    repair,
    settled,
)
from lib.review.found import LabelFile


@dataclass(frozen=True)
class Added:
    """Decisions of a reviewer.

    path: of all of them.
    new: those that were not there yet, in their order.
    known: how many were.
    standing: how many labels the reviewer decided otherwise about before, although they came back unchanged.
    """

    path: Path
    new: tuple[Decision, ...]
    known: int
    standing: int

    @property
    def counts(self) -> Counter[Verdict]:
        """How many of the new decisions have each verdict."""
        return Counter(decision.verdict for decision in self.new)


def new_decisions(folder: Path, file: LabelFile, reviewer: str, changes: Iterable[Change], unchanged: Iterable[Label] = ()) -> Added:  # fmt: skip
    """The decisions that ``changes`` make of a reviewer who has made others before.

    Args:
        folder: of find_labels.py.
        file: the annotation file.
        reviewer: name.
        changes: what was changed in the tool, or said to be right.
        unchanged: labels that came back as they were, about which nothing is decided now.

    Raises:
        InputError: the name cannot name a file, or the reviewer's decisions are about other labels.
    """
    path = decisions_path(folder, reviewer)
    review = read_review(path, file) if path.exists() else Review(reviewer, (), 0)
    standing, number = settled(review.decisions, file), review.last
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    new, known = [], 0
    for change in changes:
        x, y = change.place or (None, None)
        decision = Decision(
            number + 1, now, change.number, change.joint, change.verdict, x, y, change.partner
        )
        if _is_known(decision, standing, file):
            known += 1
            continue
        new.append(decision)
        number += 1
    differing = sum(label in standing and standing[label].verdict is not Verdict.RIGHT for label in unchanged)
    return Added(path, tuple(new), known, differing)


def append(added: Added, file: LabelFile) -> None:
    """Append the new decisions to those of the reviewer, on the disk."""
    repair(added.path)
    for decision in added.new:
        append_decision(added.path, file, decision)


def _is_known(decision: Decision, standing: dict[Label, Decision], file: LabelFile) -> bool:
    """Whether the reviewer says the same of all labels that the decision is about."""
    place = decision.x, decision.y
    return all(
        (former := standing.get((decision.annotation_id, joint))) is not None
        and labels_given(former, file)[joint] == label_of
        and (former.x, former.y) == place
        for joint, label_of in labels_given(decision, file).items()
    )
