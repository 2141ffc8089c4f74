"""What counts as moved, hidden and exchanged, and what is said of what did not come back as it went out."""

import pytest

from lib.exchange.comparison import Slack, compare
from lib.exchange.labels import Answer, Returned
from lib.review.decisions import Verdict
from tests.factories.exchanges import JOINTS, LE, RE, L, R, returned, small_exchange

PLACES = [(20.0, 30.0), (40.0, 30.0), (22.5, 20.0), (38.0, 20.0)]
SLACK = Slack(0.01)


@pytest.fixture
def exchange():
    return small_exchange({7: PLACES, 3: [(10.0, 50.0), (60.0, 52.0), (15.0, 40.0), None]})


def changes(exchange, *instances, slack=SLACK):
    """{(annotation id, joint): (verdict, place, partner)}."""
    comparison = compare(exchange, Answer({"a/5.jpg": list(instances)}), slack)
    return {
        (each.number, each.joint): (each.verdict, each.place, each.partner) for each in comparison.changes
    }


def remarks(exchange, images, untouched=()):
    comparison = compare(exchange, Answer(images, list(untouched)), SLACK)
    assert not comparison.changes
    return comparison.remarks


def test_nothing_changed(exchange):
    instances = [returned(exchange, 7), returned(exchange, 3)]
    comparison = compare(exchange, Answer({"a/5.jpg": instances}), SLACK)
    assert not comparison.changes and not comparison.remarks and comparison.instances == 2
    suspects = [(7, joint) for joint in JOINTS] + [(3, joint) for joint in (L, R, LE)]
    assert comparison.suspects == suspects and comparison.unchanged == [*suspects, (3, RE)]


def test_moved_added_and_removed(exchange):
    seven = returned(exchange, 7, **{L: (21.0, 30.0), R: None})
    three = returned(exchange, 3, **{RE: (50.123, 38.0)})
    assert changes(exchange, seven, three) == {
        (7, L): (Verdict.MOVED, (21.0, 30.0), None),
        (7, R): (Verdict.WRONG, None, None),
        (3, RE): (Verdict.MOVED, (50.12, 38.0), None),
    }


@pytest.mark.parametrize(
    ("place", "is_outside"), [((0.0, 79.0), False), ((2000.0, 30.0), True), ((20.0, -9.0), True)]
)
def test_a_place_outside_of_the_image_is_told(exchange, place, is_outside):
    comparison = compare(exchange, Answer({"a/5.jpg": [returned(exchange, 7, **{L: place}), returned(exchange, 3)]}), SLACK)  # fmt: skip
    assert [change.place for change in comparison.changes] == [place]
    told = [line for line in comparison.remarks if "outside of their image" in line]
    assert len(told) == is_outside
    assert not is_outside or f"{L} of annotation 7, at {place[0]:.0f}, {place[1]:.0f}" in told[0]


@pytest.mark.parametrize(("shift", "is_move"), [(0.009, False), (0.011, True), (-0.011, True)])
def test_rounding_is_no_move(exchange, shift, is_move):
    seven = returned(exchange, 7, **{L: (20.0, 30.0 + shift)})
    assert bool(changes(exchange, seven, returned(exchange, 3))) == is_move


def test_rounding_of_shares_grows_with_the_image(exchange):
    seven = returned(exchange, 7, **{L: (20.04, 30.0)})
    assert changes(exchange, seven, returned(exchange, 3), slack=Slack(0.0, share=0.0003))
    assert not changes(exchange, seven, returned(exchange, 3), slack=Slack(0.0, share=0.0005))


def test_only_labels_that_are_exactly_in_each_others_place_are_exchanged(exchange):
    whole = returned(exchange, 7, **{L: PLACES[1], R: PLACES[0], LE: PLACES[3], RE: PLACES[2]})
    half = returned(exchange, 3, **{L: (60.0, 52.0), R: (11.0, 50.0)})
    assert changes(exchange, whole, half) == {
        (7, L): (Verdict.EXCHANGED, None, R),
        (7, LE): (Verdict.EXCHANGED, None, RE),
        (3, L): (Verdict.MOVED, (60.0, 52.0), None),
        (3, R): (Verdict.MOVED, (11.0, 50.0), None),
    }


def test_three_labels_that_change_places_in_a_ring_are_moved(exchange):
    ring = returned(exchange, 7, **{L: PLACES[1], R: PLACES[2], LE: PLACES[0]})
    verdicts = {verdict for verdict, *_ in changes(exchange, ring, returned(exchange, 3)).values()}
    assert verdicts == {Verdict.MOVED}


def test_a_label_that_takes_the_place_of_a_removed_one_is_moved(exchange):
    seven = returned(exchange, 7, **{L: PLACES[1], R: None})
    assert changes(exchange, seven, returned(exchange, 3)) == {
        (7, L): (Verdict.MOVED, PLACES[1], None),
        (7, R): (Verdict.WRONG, None, None),
    }


@pytest.mark.parametrize(
    ("place", "is_move"), [((-5.0, 30.0), False), ((0.0, 30.0), False), ((0.5, 30.0), True)]
)
def test_labels_outside_of_the_image_may_come_back_on_its_border(place, is_move):
    exchange = small_exchange({7: [(-5.0, 30.0), *PLACES[1:]]})
    assert bool(changes(exchange, returned(exchange, 7, **{L: place}))) == is_move


def test_all_that_is_lost_or_new_is_counted_and_named(exchange):
    both = [returned(exchange, 7), returned(exchange, 3)]
    (line,) = remarks(exchange, {})
    assert "1 images that did not come back" in line and "a/5.jpg" in line
    (line,) = remarks(exchange, {}, untouched=["a/5.jpg"])
    assert "nobody has worked on" in line and "a/5.jpg" in line
    (line,) = remarks(exchange, {"a/5.jpg": both[:1]})
    assert "1 instances that did not come back" in line and "annotation 3 in a/5.jpg" in line
    (line,) = remarks(exchange, {"a/5.jpg": both, "b/9.jpg": []})
    assert "1 images that were not given" in line and "b/9.jpg" in line
    (line,) = remarks(exchange, {"a/5.jpg": [*both, Returned(None, {L: (1, 1)}), Returned(99, {})]})
    assert "2 instances that were not given" in line
    (line,) = remarks(exchange, {"a/5.jpg": [*both, returned(exchange, 7, **{L: None})]})
    assert "several times" in line and "annotation 7" in line
    (line,) = remarks(exchange, {"a/5.jpg": [both[0], Returned(3, {}, "with two points of one joint")]})
    assert "two points of one joint" in line and "annotation 3" in line
    (line,) = remarks(exchange, {"a/5.jpg": [both[0], Returned(3, both[1].places | {"Tail": (1, 1)})]})
    assert "joints that were not given" in line and "'Tail' of annotation 3" in line
    (line,) = remarks(exchange, {"a/5.jpg": both, "x/a/5.jpg": [Returned(7, {})]})
    assert "twice" in line and "x/a/5.jpg" in line


def test_images_are_found_by_the_end_of_their_names(exchange):
    both = [returned(exchange, 7), returned(exchange, 3)]
    for name in ("5.jpg", "/data/a/5.jpg", "C:\\data\\a\\5.jpg"):
        assert not remarks(exchange, {name: both})
