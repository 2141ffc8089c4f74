"""What reviewers decide about labels: files that are only appended to, one for each reviewer."""

import itertools
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from lib.review.found import LabelFile
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

FORMAT = "lbi-decisions 1"
PREFIX, SUFFIX = "decisions-", ".jsonl"
REVIEWER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")  # it names a file


class Verdict(str, Enum):
    """What is decided about a label."""

    RIGHT = "right"  # it is right
    WRONG = "wrong"  # it is wrong, and no better place is known: hide it
    MOVED = "moved"  # it belongs at (x, y)
    EXCHANGED = "exchanged"  # it and its partner's label have each other's name
    LIMB = "limb"  # left and right labels of its limb and that of the other side have each other's name
    SIDES = "sides"  # all left and right labels of the instance have each other's name
    SKIPPED = "skipped"  # undecided
    UNDO = "undo"  # the decision of number ``undoes`` does not count


@dataclass(frozen=True)
class Decision:
    """One decision about the label of a joint.

    number: of the reviewer's decisions, from 1.
    time: when, ISO 8601.
    annotation_id, joint: of the label.
    verdict: see `Verdict`.
    x, y: image pixels from 0, for MOVED.
    partner: joint, for EXCHANGED.
    undoes: number of a decision, for UNDO.
    """

    number: int
    time: str
    annotation_id: int
    joint: str
    verdict: Verdict
    x: float | None = None
    y: float | None = None
    partner: str | None = None
    undoes: int | None = None


@dataclass(frozen=True)
class Review:
    """What one reviewer decided.

    reviewer: name.
    decisions: those that count, in their order: none undone, skipped, or replaced by later ones.
    last: number of the last decision in the file, 0 if there is none.
    """

    reviewer: str
    decisions: tuple[Decision, ...]
    last: int


def decisions_path(folder: Path, reviewer: str) -> Path:
    """The file of a reviewer's decisions; InputError if the name cannot name a file."""
    if not REVIEWER.fullmatch(reviewer):
        raise InputError(
            f"reviewer {short_repr(reviewer)}: expected up to 40 letters, digits, '.', '_' or '-', a letter or digit first"
        )
    return folder / f"{PREFIX}{reviewer}{SUFFIX}"


def head_of(file: LabelFile) -> dict[str, str]:
    """What the first line of a file of decisions says: which labels they are about."""
    return {"format": FORMAT, "sha256": file.sha256, "labels": file.path}


def append_decision(path: Path, file: LabelFile, decision: Decision) -> None:
    """Append a decision to the file at ``path``; it is on the disk when this returns.

    The first one is preceded by a line that says which annotation file is meant.
    """
    line = json.dumps({name: value for name, value in asdict(decision).items() if value is not None})
    with open(path, "ab") as stream:
        if stream.tell() == 0:
            line = f"{json.dumps(head_of(file))}\n{line}"
        stream.write(f"{line}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())


def repair(path: Path) -> None:
    """Cut off what an interrupted `append_decision` left behind the last complete line; logged."""
    if not path.exists():
        return
    content = path.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    if len(complete) < len(content):
        os.truncate(path, len(complete))
        LOG.warning(
            f"{path}: its last line was not complete, and is dropped: {short_repr(content[len(complete) :])}"
        )


def read_reviews(folder: Path, file: LabelFile) -> list[Review]:
    """The reviews in ``folder``, by the reviewers' names.

    Raises:
        InputError: a file is of other labels, or has a line that is no decision.
    """
    return [read_review(path, file) for path in sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))]


def read_review(path: Path, file: LabelFile) -> Review:
    """The decisions in the file at ``path``, which are about the labels of ``file``; see `read_reviews`."""
    content = path.read_text(encoding="utf-8", errors="replace")
    lines = content.split("\n")[:-1]  # without what follows the last complete line
    reviewer = path.name.removeprefix(PREFIX).removesuffix(SUFFIX)
    if not REVIEWER.fullmatch(reviewer):
        raise InputError(
            f"{path}: {short_repr(reviewer)} is no reviewer's name; if a browser numbered a second file, name the newer one "
            "like the first, in its place"
        )
    if not lines:
        return Review(reviewer, (), 0)
    head = _object(path, 1, lines[0])
    if head.get("format") != FORMAT:
        raise InputError(f"{path}: format is {short_repr(head.get('format'))}, expected {FORMAT!r}")
    if head.get("sha256") != file.sha256:
        raise InputError(
            f"{path}: these decisions are about {head.get('labels')}, SHA-256 {str(head.get('sha256'))[:12]}..., "
            f"expected {file.sha256[:12]}... ({file.path})"
        )
    decisions = [
        _decision(path, k, _object(path, k, line), file) for k, line in enumerate(lines[1:], start=2)
    ]
    for line, (former, following) in enumerate(itertools.pairwise(decisions), start=3):
        if following.number <= former.number:
            raise InputError(
                f"{path}, line {line}: number {following.number} after {former.number}, expected a larger one (do two "
                "programs write to this file?)"
            )
    last = decisions[-1].number if decisions else 0
    return Review(reviewer, tuple(_counting(decisions, file)), last)


def labels_given(decision: Decision, file: LabelFile) -> dict[str, str | None]:
    """{joint: joint whose label it has in truth}, for each joint of the instance that a decision is about.

    Labels are meant as the file has them. A joint with its own label stays as it is; None: no label of the file is
    its. Pairs of which the file has only one joint have no exchanged sides.
    """
    if decision.verdict is Verdict.EXCHANGED and decision.partner is not None:
        return {decision.joint: decision.partner, decision.partner: decision.joint}
    if decision.verdict in (Verdict.LIMB, Verdict.SIDES):
        pairs = file.known_pairs if decision.verdict is Verdict.SIDES else file.limbs.get(decision.joint, ())
        return {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    stays = decision.verdict in (Verdict.RIGHT, Verdict.SKIPPED)
    return {decision.joint: decision.joint if stays else None}


def concerned(decision: Decision, file: LabelFile) -> tuple[str, ...]:
    """The joints of the instance that a decision is about: with EXCHANGED the partner, too, with LIMB and SIDES pairs."""
    return tuple(labels_given(decision, file))


def settled(decisions: Iterable[Decision], file: LabelFile) -> dict[tuple[int, str], Decision]:
    """{(annotation id, joint): decision that says what is with its label}, of one reviewer's ``decisions`` that count.

    It is the last one that concerns the label, unless a later one gives the label that it would get to another joint:
    that part of an exchange is taken back, and its label is as good as never reviewed. So after an exchange of the
    wrists, "the left one is right" leaves the right one undecided, and a better place for the left one does not.
    """
    by_annotation: dict[int, dict[str, Decision]] = {}
    for decision in decisions:
        given = labels_given(decision, file)
        former = by_annotation.get(decision.annotation_id, {})
        kept = {
            joint: earlier
            for joint, earlier in former.items()
            if joint not in given and labels_given(earlier, file)[joint] not in set(given.values()) - {None}
        }
        by_annotation[decision.annotation_id] = kept | dict.fromkeys(given, decision)
    return {
        (number, joint): decision
        for number, by_joint in by_annotation.items()
        for joint, decision in by_joint.items()
        if decision.verdict is not Verdict.SKIPPED
    }


def _counting(decisions: Iterable[Decision], file: LabelFile) -> list[Decision]:
    """Without those that were undone, their undoing, and those that later ones replace; see `settled`."""
    standing: dict[int, Decision] = {}
    for decision in decisions:
        if decision.verdict is Verdict.UNDO:
            standing.pop(decision.undoes or 0, None)
        else:
            standing[decision.number] = decision
    counting = {decision.number for decision in settled(standing.values(), file).values()}
    return [decision for decision in standing.values() if decision.number in counting]


def _object(path: Path, number: int, line: str) -> dict:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{path}, line {number}: {short_repr(line)}, expected a JSON object")
    return content


def _decision(path: Path, number: int, content: dict, file: LabelFile) -> Decision:
    try:
        decision = Decision(**content | {"verdict": Verdict(content["verdict"])})
    except (TypeError, ValueError, KeyError):
        raise InputError(f"{path}, line {number}: {short_repr(content)} is no decision") from None
    if problem := problem_of(decision, file):
        raise InputError(f"{path}, line {number}: {problem}")
    return decision


def problem_of(decision: Decision, file: LabelFile) -> str:
    """What is wrong with a decision, in words; empty if nothing is."""
    whole = (decision.number, decision.annotation_id, 0 if decision.undoes is None else decision.undoes)
    if any(type(number) is not int for number in whole):
        return f"number, annotation_id and undoes must be whole numbers, found {short_repr(whole)}"
    if decision.joint not in file.joints:
        return f"joint {short_repr(decision.joint)}, expected one of {', '.join(file.joints)}"
    if decision.verdict is Verdict.EXCHANGED and (
        decision.partner not in file.joints or decision.partner == decision.joint
    ):
        return f"partner {short_repr(decision.partner)}, expected another joint"
    if decision.verdict is Verdict.LIMB and decision.joint not in file.limbs:
        limbs = ", ".join(file.limbs)
        return f"limb: {decision.joint} is of no pair of limbs, or of several, " + (
            f"expected one of {limbs}" if limbs else "as are all joints of this file"
        )
    if decision.verdict is Verdict.MOVED:
        for name, value in (("x", decision.x), ("y", decision.y)):
            if type(value) not in (int, float) or not abs(value) < 1e9:
                return f"{name} is {short_repr(value)}, expected image pixels"
    return ""
