"""What corrections change, in words."""

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lib.review.corrected_file import Change
from lib.review.corrections import Corrections
from lib.review.decisions import Review, Verdict
from lib.review.found import FoundLabels

DONE = {  # what a verdict does to a label
    Verdict.WRONG: "hidden",
    Verdict.MOVED: "moved",
    Verdict.EXCHANGED: "exchanged",
    Verdict.LIMB: "limb sides exchanged",
    Verdict.SIDES: "sides exchanged",
}


def change_table(changes: Sequence[Change], corrections: Corrections) -> str:
    """How many labels of each joint are changed in which way, and how many are right; joints in the file's order."""
    columns = [*DONE.values(), "right"]
    counts = Counter((change.joint, DONE[change.outcome.verdict]) for change in changes)
    right = [joint for (_, joint), outcome in corrections.outcomes.items() if outcome.label_of == joint]
    counts.update((joint, "right") for joint in right)
    order = {change.joint: change.position for change in changes}
    joints = sorted({joint for joint, _ in counts}, key=lambda joint: (order.get(joint, len(order)), joint))
    widths = [max(8, len(column)) for column in columns]
    wide = max(map(len, ["joint", *joints]))
    rows = [("joint", *columns), *((joint, *(counts[joint, each] for each in columns)) for joint in joints)]
    return "\n".join(
        "  ".join([f"  {name:{wide}}", *(f"{cell:>{width}}" for cell, width in zip(cells, widths))])
        for name, *cells in rows
    )


def change_lines(changes: Sequence[Change], limit: int) -> list[str]:
    """A line for each change, in the file's own numbers, and one that says how many more there are."""
    lines = [
        f"annotation {change.annotation_id}, {change.keypoint}: {json.dumps(change.was)} -> "
        f"{json.dumps(change.becomes)} ({change.note['verdict']}, {change.note['reviewer']})"
        for change in changes[:limit]
    ]
    return lines + _more(len(changes), limit)


def disagreement_lines(corrections: Corrections, limit: int) -> list[str]:
    """How many disagreements there are, and a line for each; empty if there is none."""
    found = corrections.disagreements
    if not found:
        return []
    heading = f"disagreements: {len(found)} labels stay as they are (--prefer REVIEWER decides)"
    return [heading, *(f"  {each}" for each in found[:limit]), *_more(len(found), limit)]


def count_lines(
    changes: Sequence[Change], corrections: Corrections, reviews: Sequence[Review], labels: FoundLabels
) -> list[str]:
    """Who decided how much, what it changes, what is right, and what nobody has reviewed."""
    done = Counter(DONE[change.outcome.verdict] for change in changes)
    kinds = ", ".join(f"{done[each]} {each}" for each in DONE.values() if done[each])
    instances = len({change.annotation_id for change in changes})
    right = sum(outcome.label_of == joint for (_, joint), outcome in corrections.outcomes.items())
    lines = [
        "reviewers: "
        + (", ".join(f"{each.reviewer} ({len(each.decisions)} decisions)" for each in reviews) or "none"),
        f"changed: {len(changes)} labels of {instances} annotations" + (f": {kinds}" if kinds else ""),
        f"reviewed as right: {right}",
    ]
    if idle := len(corrections.outcomes) - len(changes) - right:
        lines.append(f"already as decided: {idle}")
    return [*lines, _not_reviewed(corrections, labels)]


def _not_reviewed(corrections: Corrections, labels: FoundLabels) -> str:
    said = corrections.outcomes.keys() | {
        (each.annotation_id, each.joint) for each in corrections.disagreements
    }
    rows = zip(labels.annotation_id.tolist(), labels.joint.tolist())
    left = np.array([label not in said for label in rows], bool)
    of_labels = left & (labels.rank > 0)
    text = f"not yet reviewed: {of_labels.sum()} labels"
    if not np.isnan(labels.probability[of_labels]).all():
        text += f" (about {np.nansum(labels.probability[of_labels]):.0f} of them wrong, by the estimate)"
    missing = int((left & (labels.rank == 0)).sum())
    return text + (f", {missing} joints that should have one" if missing else "")


def _more(count: int, limit: int) -> list[str]:
    return [f"  ... and {count - limit} more (--show N)"] if count > limit else []
