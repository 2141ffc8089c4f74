"""What becomes of each reviewed label, and what the reviewers do not agree on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lib.review.decisions import Decision, Review, Verdict, labels_given, settled
from lib.review.found import LabelFile
from lib.utils.errors import InputError

Label = tuple[int, str]  # annotation id and joint


@dataclass(frozen=True)
class Claim:
    """What a reviewer says about the label of a joint.

    label_of: joint whose label of the file it should get: itself if it is right; None: no label of the file.
    """

    reviewer: str
    joint: str
    decision: Decision
    label_of: str | None

    @property
    def place(self) -> tuple[float, float] | None:
        """Where it belongs, image pixels from 0; None if it gets a label of the file, or is hidden."""
        x, y = self.decision.x, self.decision.y
        is_moved = self.decision.verdict is Verdict.MOVED
        return (x, y) if is_moved and x is not None and y is not None else None

    def __str__(self) -> str:
        if self.decision.verdict is Verdict.EXCHANGED:
            return f"exchanged with {self.label_of}"
        if self.decision.verdict is Verdict.LIMB:
            return "left and right of the limb exchanged"
        if self.decision.verdict is Verdict.SIDES:
            return "left and right exchanged"
        return (
            f"moved to ({self.place[0]:g}, {self.place[1]:g})" if self.place else self.decision.verdict.value
        )


@dataclass(frozen=True)
class Outcome:
    """What becomes of the label of a joint.

    verdict: that says it.
    reviewers: who say it.
    label_of: joint of the instance whose label of the file it gets: itself if it is right; None: moved or hidden.
    place: where it is moved to, image pixels from 0; None: it is not.
    """

    verdict: Verdict
    reviewers: tuple[str, ...]
    label_of: str | None
    place: tuple[float, float] | None


@dataclass(frozen=True)
class Disagreement:
    """Claims about a label that cannot all be true.

    Some are about another joint: of a label that a reviewer gives to this one.
    """

    annotation_id: int
    joint: str
    claims: tuple[Claim, ...]

    def __str__(self) -> str:
        said = [
            f"{claim.reviewer}: {'' if claim.joint == self.joint else f'{claim.joint} '}{claim}"
            for claim in self.claims
        ]
        return f"annotation {self.annotation_id}, {self.joint}: {'; '.join(said)}"


@dataclass(frozen=True)
class Corrections:
    """What the reviews say together.

    outcomes: of each label on which nobody disagrees.
    disagreements: of the others; their labels stay as they are.
    """

    outcomes: dict[Label, Outcome]
    disagreements: tuple[Disagreement, ...]


def corrections_of(reviews: Sequence[Review], file: LabelFile, preferred: str | None = None) -> Corrections:
    """What becomes of the labels of ``file`` after its ``reviews``.

    Of what one reviewer decides, see `settled`. Who says the same (the same place, the same label) agrees, whatever the
    verdict. An exchange on one of whose labels there is no agreement is made for neither.

    Args:
        preferred: reviewer who is right wherever others say something else.

    Raises:
        InputError: nobody of that name has decided anything.
    """
    if preferred is not None and preferred not in (names := [review.reviewer for review in reviews]):
        raise InputError(
            f"--prefer {preferred}: has no decisions here, expected one of {', '.join(names) or 'nobody'}"
        )
    claims_on: dict[int, dict[str, list[Claim]]] = defaultdict(lambda: defaultdict(list))
    for review in reviews:
        for (number, joint), decision in settled(review.decisions, file).items():
            label_of = labels_given(decision, file)[joint]
            claims_on[number][joint].append(Claim(review.reviewer, joint, decision, label_of))
    outcomes, disagreements = {}, []
    for number, by_joint in claims_on.items():
        claims = _preferring(by_joint, preferred)
        contradictions = _contradictions(claims)
        for joint, said in claims.items():
            if joint in contradictions:
                disagreements.append(Disagreement(number, joint, tuple(contradictions[joint])))
            else:
                reviewers = tuple(claim.reviewer for claim in said)
                outcomes[number, joint] = Outcome(
                    said[0].decision.verdict, reviewers, said[0].label_of, said[0].place
                )
    return Corrections(outcomes, tuple(disagreements))


def _preferring(claims: dict[str, list[Claim]], preferred: str | None) -> dict[str, list[Claim]]:
    """The claims on an instance, without those that contradict the preferred reviewer's."""
    own = {joint: claim for joint, said in claims.items() for claim in said if claim.reviewer == preferred}
    given = {claim.label_of for claim in own.values()} - {None}
    others = {
        joint: [claim for claim in said if claim.label_of not in given]
        for joint, said in claims.items()
        if joint not in own
    }
    agreeing = {
        joint: [claim for claim in claims[joint] if _effect(claim) == _effect(claim_of_own)]
        for joint, claim_of_own in own.items()
    }
    return agreeing | {joint: said for joint, said in others.items() if said}


def _contradictions(claims: dict[str, list[Claim]]) -> dict[str, list[Claim]]:
    """{joint: claims that cannot all be true}, of the ``claims`` on an instance.

    They give the joint different labels or places, or give it the label of a joint that keeps it, or of one that
    another joint gets, too.
    """
    found = {joint: said for joint, said in claims.items() if len(set(map(_effect, said))) > 1}
    while True:
        gets = {joint: said[0].label_of for joint, said in claims.items() if joint not in found}
        more = {}
        for joint, label in gets.items():
            if label in (None, joint):
                continue
            rivals = [other for other in gets if other != joint and gets[other] == label]
            rivals += [] if label in gets else [label]
            if rivals:
                more[joint] = claims[joint] + [claim for rival in rivals for claim in claims.get(rival, [])]
        if not more:
            return found
        found |= more


def _effect(claim: Claim) -> tuple:
    return claim.label_of, claim.place
