"""What was changed in a tool, as decisions about labels."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lib.exchange.labels import Answer, Exchange, Instance, LabelledImage, Place, Returned
from lib.review.corrections import Label
from lib.review.decisions import Verdict


@dataclass(frozen=True)
class Slack:
    """By how much a place may differ without having been moved: by what a tool's file rounds.

    pixels: of image coordinates.
    share: of the image's longer side.
    """

    pixels: float
    share: float = 0.0

    def of(self, image: LabelledImage) -> float:
        """In pixels."""
        return self.pixels + (self.share * max(image.known_size) if image.known_size else 0.0)


@dataclass(frozen=True)
class Change:
    """What somebody decided about a label by changing it, or leaving it as it was.

    place: for MOVED.   partner: for EXCHANGED.
    """

    number: int
    joint: str
    verdict: Verdict
    place: Place | None = None
    partner: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What came back, compared with what was given.

    changes: labels that are not as they were.
    unchanged: labels that are as they were, of instances that came back.
    suspects: those of them that were to be looked at.
    instances: how many came back.
    remarks: what is not as it should be, in words.
    """

    changes: list[Change]
    unchanged: list[Label]
    suspects: list[Label]
    instances: int
    remarks: list[str]


def compare(exchange: Exchange, answer: Answer, slack: Slack) -> Comparison:
    """What of the labels that were given is changed in the ``answer``."""
    remarks, came = _Remarks(), dict[str, list[Returned]]()
    for name, instances in answer.images.items():
        image = exchange.image(name)
        if image is None:
            remarks.add("images that were not given to it, which are left out", name)
        elif image.name in came:
            remarks.add("images that are there twice, of which only the first is read", name)
        else:
            came[image.name] = instances
    untouched = {image.name for name in answer.untouched if (image := exchange.image(name)) is not None}
    changes, unchanged, suspects, count = [], [], [], 0
    for image in exchange.images:
        if image.name not in came:
            remarks.add(_NOT_WORKED_ON if image.name in untouched else _MISSING_IMAGES, image.name)
            continue
        for instance, returned in _matched(exchange.joints, image, came[image.name], remarks):
            own = _changes(exchange, image, instance, returned, slack.of(image))
            changes += own
            for change in own:
                if change.place is not None and _is_outside(change.place, image):
                    remarks.add(_OUTSIDE, f"{change.joint} of annotation {change.number}, at {change.place[0]:.0f}, {change.place[1]:.0f}")  # fmt: skip
            changed = {change.joint for change in own} | {change.partner for change in own}
            for joint, point in zip(exchange.joints, instance.points):
                if joint not in changed:
                    unchanged.append((instance.number, joint))
                    if point.suspicion is not None and point.suspicion.is_suspect:
                        suspects.append((instance.number, joint))
            count += 1
    return Comparison(changes, unchanged, suspects, count, remarks.lines())


_NOT_WORKED_ON = "images that nobody has worked on; their labels are left undecided"
_OUTSIDE = (
    "labels that were moved to a place outside of their image (is it in another unit, or of another size?)"
)
_MISSING_IMAGES = "images that did not come back; their labels are left undecided"


def _is_outside(place: Place, image: LabelledImage) -> bool:
    size = image.known_size
    return size is not None and not all(-1 <= at <= length for at, length in zip(place, size))


class _Remarks:
    """Counts what is not as it should be, and keeps the first of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, what: str, which: str) -> None:
        self._counts[what] += 1
        self._first.setdefault(what, which)

    def lines(self) -> list[str]:
        return [f"{count} {what}; the first: {self._first[what]}" for what, count in self._counts.items()]


def _matched(
    joints: Collection[str], image: LabelledImage, came: Iterable[Returned], remarks: _Remarks
) -> list[tuple[Instance, Returned]]:
    """The instances that came back once, each with what was given; of the others it is said what is with them."""
    given = {instance.number: instance for instance in image.instances}
    found: dict[int, list[Returned]] = {}
    for returned in came:
        if returned.number in given and returned.number is not None:
            found.setdefault(returned.number, []).append(returned)
        else:
            remarks.add("instances that were not given to it, which are left out", f"in {image.name}")
    matched = []
    for number, instance in given.items():
        where = f"annotation {number} in {image.name}"
        returned = found.get(number, [])
        if not returned:
            remarks.add("instances that did not come back; their labels are left undecided", where)
        elif len(returned) > 1:
            remarks.add("instances that are there several times; their labels are left undecided", where)
        elif returned[0].problem:
            remarks.add(f"instances {returned[0].problem}; their labels are left undecided", where)
        elif unknown := returned[0].places.keys() - set(joints):
            text = (
                "instances with points of joints that were not given to it; their labels are left undecided"
            )
            remarks.add(text, f"{min(unknown)!r} of {where}")
        else:
            matched.append((instance, returned[0]))
    return matched


def _changes(
    exchange: Exchange, image: LabelledImage, instance: Instance, returned: Returned, slack: float
) -> list[Change]:
    """What became of the labels of an instance."""
    given = {joint: point.place for joint, point in zip(exchange.joints, instance.points)}
    now = {joint: returned.places.get(joint) for joint in exchange.joints}

    def is_same(joint: str) -> bool:
        there, here = given[joint], now[joint]
        if there is None or here is None:
            return there is here
        return _is_at(here, there, slack) or _is_at(here, _inside(image, there), slack)

    changed = [joint for joint in exchange.joints if not is_same(joint)]
    exchanges: dict[str, str] = {}
    for k, joint in enumerate(changed):
        for other in changed[k + 1 :]:
            places = given[joint], given[other], now[joint], now[other]
            if joint in exchanges or other in exchanges or any(place is None for place in places):
                continue
            if _is_at(now[joint], given[other], slack) and _is_at(now[other], given[joint], slack):
                exchanges |= {joint: other, other: joint}
    changes = []
    for joint in changed:
        if (partner := exchanges.get(joint)) is not None:
            if exchange.joints.index(joint) < exchange.joints.index(partner):
                changes.append(Change(instance.number, joint, Verdict.EXCHANGED, partner=partner))
        elif (place := now[joint]) is not None:
            rounded = (round(place[0], 2), round(place[1], 2))
            changes.append(Change(instance.number, joint, Verdict.MOVED, place=rounded))
        else:
            changes.append(Change(instance.number, joint, Verdict.WRONG))
    return changes


def _is_at(place: Place, other: Place, slack: float) -> bool:
    return abs(place[0] - other[0]) <= slack and abs(place[1] - other[1]) <= slack


def _inside(image: LabelledImage, place: Place) -> Place:
    """The place of the image that is nearest: some tools cannot hold others."""
    if image.known_size is None:
        return place
    (x, y), (width, height) = place, image.known_size
    return min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))
