import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib.review import session as module
from lib.review.decisions import Decision, Verdict, append_decision, decisions_path, read_review
from lib.review.session import Session
from lib.utils.errors import InputError


def opened(found, reviewer="ann"):
    return Session(found.folder, found.file, found.labels, reviewer)


@pytest.fixture
def session(found):
    return opened(found)


def row(session, annotation_id, joint):
    found = session.table.row(annotation_id, joint)
    assert found is not None
    return found


def reviewed(session):
    """{(annotation id, joint)} of the labels that were reviewed."""
    labels = session.table.labels
    return {(int(labels.annotation_id[k]), str(labels.joint[k])) for k in session.reviewed.nonzero()[0]}


def on_disk(found, reviewer="ann"):
    return read_review(decisions_path(found.folder, reviewer), found.file).decisions


def test_a_decision_is_on_the_disk_when_it_is_made(found, session):
    session.decide(row(session, 7, "left_elbow"), "right")
    session.decide(row(session, 3, "right_wrist"), "moved", x=55, y=45.5)
    first, second = on_disk(found)
    assert (first.number, first.annotation_id, first.joint, first.verdict) == (
        1,
        7,
        "left_elbow",
        Verdict.RIGHT,
    )
    assert (second.number, second.verdict, second.x, second.y) == (2, Verdict.MOVED, 55, 45.5)
    assert reviewed(session) == {(7, "left_elbow"), (3, "right_wrist")}


def test_an_exchange_and_exchanged_sides_are_about_other_labels_too(session):
    session.decide(row(session, 7, "left_wrist"), "exchanged", partner="left_elbow")
    assert reviewed(session) == {(7, "left_wrist"), (7, "left_elbow")}
    session.decide(row(session, 3, "left_wrist"), "sides")
    assert reviewed(session) >= {
        (3, joint) for joint in ("left_wrist", "right_wrist", "left_elbow", "right_elbow")
    }


def test_exchanged_limbs_are_about_the_labels_of_both(found):
    wrists_alone = replace(found.file, lines=(("left_wrist", "right_wrist"),))
    session = Session(found.folder, wrists_alone, found.labels, "ann")
    session.decide(row(session, 7, "right_wrist"), "limb")
    assert reviewed(session) == {(7, "left_wrist"), (7, "right_wrist")}
    with pytest.raises(InputError, match="limb: left_elbow is of no pair of limbs.* left_wrist, right_wrist"):
        session.decide(row(session, 7, "left_elbow"), "limb")
    assert session.undo() == row(session, 7, "right_wrist") and reviewed(session) == set()


def test_what_was_decided_is_known_after_a_new_start_also_by_others(found, session):
    session.decide(row(session, 7, "left_wrist"), "exchanged", partner="right_wrist")
    session.decide(row(session, 3, "left_wrist"), "skipped")
    for again in (opened(found), opened(found, "bob")):
        assert reviewed(again) == {(7, "left_wrist"), (7, "right_wrist")}
    bob = opened(found, "bob")
    bob.decide(row(bob, 7, "right_wrist"), "right")
    who = {
        reviewer: each.verdict
        for reviewer, each in opened(found).decisions_about(row(session, 7, "right_wrist"))
    }
    assert who == {"ann": Verdict.EXCHANGED, "bob": Verdict.RIGHT}
    assert [each.verdict for each in on_disk(found, "ann")] == [Verdict.EXCHANGED]


def test_undo_takes_back_the_last_decision_also_after_a_new_start(found, session):
    session.decide(row(session, 7, "left_elbow"), "right")
    session.decide(row(session, 7, "left_wrist"), "exchanged", partner="right_wrist")
    session.decide(row(session, 3, "left_wrist"), "skipped")
    assert session.undo() == row(session, 3, "left_wrist")
    again = opened(found)
    assert again.undo() == row(session, 7, "left_wrist")
    assert reviewed(again) == {(7, "left_elbow")} == reviewed(opened(found))
    again.decide(row(session, 3, "left_elbow"), "wrong")
    assert [again.undo(), again.undo()] == [row(session, 3, "left_elbow"), row(session, 7, "left_elbow")]
    assert again.undo() is None
    assert on_disk(found) == () and not reviewed(again)


def test_undoing_the_later_of_two_decisions_about_a_label_leaves_the_first(found, session):
    at = row(session, 7, "left_elbow")
    session.decide(at, "right")
    session.decide(at, "wrong")
    assert [each.verdict for _, each in session.decisions_about(at)] == [Verdict.WRONG]
    again = opened(found)
    again.undo()
    assert [each.verdict for _, each in again.decisions_about(at)] == [Verdict.RIGHT]
    assert again.undo() == at and again.undo() is None


def test_skipping_a_reviewed_label_leaves_it_reviewed(found, session):
    at = row(session, 7, "left_elbow")
    session.decide(at, "right")
    session.decide(at, "skipped")
    assert reviewed(opened(found)) == {(7, "left_elbow")}


@pytest.mark.parametrize(
    "joint, verdict, more, said",
    [
        ("left_wrist", "undo", {}, "verdict"),
        ("left_wrist", "perhaps", {}, "verdict"),
        ("left_wrist", ["right"], {}, "verdict"),
        ("left_wrist", "moved", {}, "x is None"),
        ("left_wrist", "right", {"x": 1}, "has no x"),
        ("left_wrist", "moved", {"x": float("nan"), "y": 1}, "x is nan"),
        ("left_wrist", "exchanged", {"partner": "nose"}, "partner"),
        ("left_wrist", "exchanged", {"partner": "left_wrist"}, "partner"),
        ("left_wrist", "limb", {"partner": "right_wrist"}, "has no partner"),
        ("right_elbow", "wrong", {}, "no label"),
        ("right_elbow", "exchanged", {"partner": "left_elbow"}, "no label"),
    ],
)
def test_decisions_that_make_no_sense_are_refused_and_not_written(found, session, joint, verdict, more, said):
    with pytest.raises(InputError, match=said):
        session.decide(row(session, 3, joint), verdict, **more)
    assert not session.path.exists() and not reviewed(session)


def test_a_missing_label_can_be_right_so_or_added(session):
    at = row(session, 3, "right_elbow")
    session.decide(at, "moved", x=52, y=38)
    assert reviewed(session) == {(3, "right_elbow")}


def test_what_cannot_be_written_is_not_decided_and_leaves_no_half_line(found, session, monkeypatch):
    session.decide(row(session, 7, "left_elbow"), "right")
    written = session.path.read_bytes()

    def full_disk(path, file, decision):
        with open(path, "ab") as stream:
            stream.write(b'{"number": 2, "ti')
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "append_decision", full_disk)
        with pytest.raises(OSError, match="No space"):
            session.decide(row(session, 7, "left_wrist"), "wrong")
    assert session.path.read_bytes() == written
    assert reviewed(session) == {(7, "left_elbow")}
    session.decide(row(session, 7, "left_wrist"), "wrong")
    assert [each.number for each in on_disk(found)] == [1, 2]


def test_a_file_that_another_program_writes_to_is_left_alone(found, session):
    twin = opened(found)
    session.decide(row(session, 7, "left_elbow"), "right")
    with pytest.raises(InputError, match="decisions-ann.jsonl: was changed by another program"):
        twin.decide(row(session, 7, "left_wrist"), "wrong")
    session.path.unlink()
    with pytest.raises(InputError, match="decisions-ann.jsonl: was changed by another program"):
        session.undo()
    assert not reviewed(twin)


def test_a_torn_last_line_of_the_own_file_is_cut_off(found, session):
    session.decide(row(session, 7, "left_elbow"), "right")
    with open(session.path, "ab") as stream:
        stream.write(b'{"number": 2')
    again = opened(found)
    again.decide(row(session, 7, "left_wrist"), "wrong")
    assert [json.loads(line)["number"] for line in session.path.read_text().splitlines()[1:]] == [1, 2]


def test_decisions_about_other_labels_are_refused(found):
    path = decisions_path(found.folder, "bob")
    other = replace(found.file, sha256="0" * 64)
    append_decision(path, other, Decision(1, "2026-01-02T03:04:05+00:00", 7, "left_wrist", Verdict.RIGHT))
    with pytest.raises(InputError, match="decisions-bob.jsonl"):
        opened(found)


def test_a_name_that_names_no_file_is_refused(found):
    with pytest.raises(InputError, match="reviewer"):
        opened(found, "../ann")
    assert not list(Path(found.folder).glob("**/decisions-*"))


def test_progress_counts_and_expects_what_the_probabilities_say(session):
    # Probabilities of the labels: 0.9, 0.8, 0.1, 0.05 of one person; 0.2, 0.6, 0.01 of the other.
    assert vars(session.progress()) == pytest.approx(
        {"total": 8, "reviewed": 0, "wrong": 0, "expected": 2.66, "expected_below": 2.66}
    )
    session.decide(row(session, 7, "left_wrist"), "wrong")
    session.decide(row(session, 7, "left_elbow"), "right")
    at = row(session, 3, "right_wrist")  # score 1; of higher score are the wrists of 7
    assert vars(session.progress(at)) == pytest.approx(
        {"total": 8, "reviewed": 2, "wrong": 1, "expected": 1.66, "expected_below": 0.86}
    )


def test_what_others_decide_meanwhile_is_taken_in(found, session):
    other = opened(found, "bob")
    assert not session.take_in_others()
    session.decide(row(session, 3, "left_wrist"), "right")
    other.decide(row(other, 7, "left_wrist"), "exchanged", partner="right_wrist")
    assert reviewed(session) == {(3, "left_wrist")}
    assert session.take_in_others() and not session.take_in_others()
    assert reviewed(session) == {(3, "left_wrist"), (7, "left_wrist"), (7, "right_wrist")}
    assert session.decisions_about(row(session, 7, "right_wrist"))[0][0] == "bob"
    other.undo()
    assert session.take_in_others() and reviewed(session) == {(3, "left_wrist")}
    assert session.undo() == row(session, 3, "left_wrist") and reviewed(session) == set()


def test_a_file_of_others_that_cannot_be_read_is_said_and_left_as_it_was(found, session, caplog):
    other, another = opened(found, "bob"), opened(found, "eve")
    other.decide(row(other, 7, "left_elbow"), "right")
    assert session.take_in_others()
    with open(decisions_path(found.folder, "bob"), "a") as file:
        file.write("no decision\n")
    assert not session.take_in_others() and not session.take_in_others()
    assert reviewed(session) == {(7, "left_elbow")}
    another.decide(row(another, 3, "left_wrist"), "right")
    assert session.take_in_others()  # one damaged file is no matter of another one
    assert reviewed(session) == {(7, "left_elbow"), (3, "left_wrist")}
    assert len(caplog.messages) == 1 and "decisions-bob.jsonl, line 3" in caplog.text


def test_places_may_be_numpys(found, session):
    session.decide(row(session, 3, "right_wrist"), "moved", x=np.float64(55), y=np.float32(45.5))
    (decision,) = on_disk(found)
    assert (decision.x, decision.y) == (55, 45.5)


@pytest.mark.parametrize("number", [-1, 10**6])
def test_rows_that_are_not_there(session, number):
    with pytest.raises(InputError, match=f"row {number}"):
        session.decide(number, "right")
