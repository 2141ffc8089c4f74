import json
from dataclasses import replace

import pytest

from lib.review.decisions import (
    Decision,
    Verdict,
    append_decision,
    concerned,
    decisions_path,
    labels_given,
    problem_of,
    read_review,
    read_reviews,
    repair,
    settled,
)
from lib.utils.errors import InputError
from tests.factories.reviews import with_eyes

NOW = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def path(found):
    return decisions_path(found.folder, "ann")


def decided(number, joint, verdict, annotation_id=7, **more):
    return Decision(number, NOW, annotation_id, joint, Verdict(verdict), **more)


def write(found, path, *decisions):
    for decision in decisions:
        append_decision(path, found.file, decision)


def test_what_is_appended_is_read_in_its_order(found, path):
    decisions = (
        decided(1, "left_wrist", "exchanged", partner="right_wrist"),
        decided(2, "right_elbow", "moved", 3, x=51.5, y=38),
        decided(3, "left_elbow", "right"),
    )
    write(found, path, *decisions)
    assert read_review(path, found.file).decisions == decisions
    assert read_review(path, found.file).last == 3
    head, *lines = path.read_text().splitlines()
    assert json.loads(head) == {
        "format": "lbi-decisions 1",
        "sha256": found.file.sha256,
        "labels": found.file.path,
    }
    assert len(lines) == 3


def test_of_several_decisions_about_a_label_the_last_counts(found, path):
    write(
        found,
        path,
        decided(1, "left_wrist", "right"),
        decided(2, "left_elbow", "wrong"),
        decided(3, "left_wrist", "wrong"),
    )
    assert [each.number for each in read_review(path, found.file).decisions] == [2, 3]
    write(found, path, decided(4, "left_wrist", "undo", undoes=3))  # the one before counts again
    assert [each.number for each in read_review(path, found.file).decisions] == [1, 2]
    write(found, path, decided(5, "left_wrist", "skipped"))
    review = read_review(path, found.file)
    assert [each.number for each in review.decisions] == [2] and review.last == 5


def test_a_line_that_was_not_finished_is_dropped(found, path):
    write(found, path, decided(1, "left_wrist", "right"), decided(2, "left_elbow", "right"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert [each.number for each in read_review(path, found.file).decisions] == [1]
    repair(path)
    assert path.read_bytes() == whole[: whole.rfind(b"\n", 0, -9) + 1]
    write(found, path, decided(2, "right_wrist", "wrong"))
    assert [each.joint for each in read_review(path, found.file).decisions] == ["left_wrist", "right_wrist"]
    path.write_bytes(b'{"form')
    assert read_review(path, found.file).decisions == ()
    repair(path)
    assert path.read_bytes() == b""
    repair(found.folder / "decisions-nobody.jsonl")


def test_the_reviews_of_several(found, path):
    write(found, path, decided(1, "left_wrist", "right"))
    write(found, decisions_path(found.folder, "Bo"), decided(1, "left_wrist", "wrong"))
    assert {
        review.reviewer: review.decisions[0].verdict for review in read_reviews(found.folder, found.file)
    } == {
        "Bo": Verdict.WRONG,
        "ann": Verdict.RIGHT,
    }


def test_decisions_about_another_file_are_refused(found, path):
    write(found, path, decided(1, "left_wrist", "right"))
    with pytest.raises(InputError, match="decisions-ann.jsonl: these decisions are about .*people.json"):
        read_review(path, replace(found.file, sha256="0" * 64))


@pytest.mark.parametrize(
    "change, told",
    [
        ({"verdict": "good"}, "is no decision"),
        ({"joint": "tail"}, "joint 'tail', expected one of left_wrist"),
        ({"verdict": "moved", "x": 3.0}, "y is None, expected image pixels"),
        ({"verdict": "moved", "x": float("nan"), "y": 0}, "x is nan, expected image pixels"),
        ({"verdict": "exchanged", "partner": "left_wrist"}, "partner 'left_wrist', expected another joint"),
        ({"verdict": "limb", "joint": "right_elbow"}, "limb: right_elbow is of no pair of limbs"),
        ({"annotation_id": "7"}, "must be whole numbers"),
        ({"color": "red"}, "is no decision"),
    ],
)
def test_a_line_that_is_no_decision(found, path, change, told):
    write(found, path, decided(1, "left_wrist", "right"))
    labels = replace(found.file, lines=found.file.pairs[:1])
    entry = {"number": 2, "time": NOW, "annotation_id": 7, "joint": "left_wrist", "verdict": "right"} | change
    with open(path, "a") as file:
        file.write(json.dumps(entry) + "\n")
    with pytest.raises(InputError, match=f"decisions-ann.jsonl, line 3: .*{told}"):
        read_review(path, labels)


@pytest.mark.parametrize(
    "text, told",
    [
        ("[]\n", "line 1: '\\[\\]', expected a JSON object"),
        ('{"format": "x"}\n', "expected 'lbi-decisions 1'"),
    ],
)
def test_a_file_of_something_else(found, path, text, told):
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        read_review(path, found.file)


@pytest.mark.parametrize("name", ["", "../x", "a b", ".hidden", "x" * 41])
def test_names_that_cannot_name_a_file(tmp_path, name):
    with pytest.raises(InputError, match="reviewer"):
        decisions_path(tmp_path, name)


def test_what_a_decision_is_about(found):
    file = found.file

    def about(verdict, **more):
        return set(concerned(decided(1, "left_wrist", verdict, **more), file))

    assert about("right") == about("wrong") == about("moved", x=1, y=2) == about("skipped") == {"left_wrist"}
    assert about("exchanged", partner="left_elbow") == {"left_wrist", "left_elbow"}
    assert about("sides") == set(file.joints)
    without = replace(file, positions=(0, 1, 2, -1))
    for verdict in ("limb", "sides"):
        assert set(concerned(decided(1, "left_wrist", verdict), without)) == {"left_wrist", "right_wrist"}


def test_a_limb_is_less_than_the_whole_person(found):
    file = with_eyes(found.file)
    at_elbow = decided(1, "left_elbow", "limb")
    assert labels_given(at_elbow, file) == {
        "left_wrist": "right_wrist", "right_wrist": "left_wrist",
        "left_elbow": "right_elbow", "right_elbow": "left_elbow",
    }  # fmt: skip
    assert labels_given(decided(1, "left_elbow", "sides"), file).keys() == set(file.joints)
    assert problem_of(at_elbow, file) == ""
    assert problem_of(decided(1, "left_eye", "limb"), file) == (
        "limb: left_eye is of no pair of limbs, or of several, expected one of left_wrist, right_wrist, left_elbow, right_elbow"
    )
    assert "as are all joints of this file" in problem_of(at_elbow, replace(file, lines=()))


@pytest.mark.parametrize(
    "later, settling",
    [
        (("moved", {"x": 1, "y": 2}), {"left_wrist": 2, "right_wrist": 1}),
        (("wrong", {}), {"left_wrist": 2, "right_wrist": 1}),
        (("right", {}), {"left_wrist": 2}),  # so the right one is not where the left one is
        (("skipped", {}), {}),
        (("exchanged", {"partner": "left_elbow"}), {"left_wrist": 2, "left_elbow": 2}),
        (("exchanged", {"partner": "right_wrist"}), {"left_wrist": 2, "right_wrist": 2}),
        (("limb", {}), dict.fromkeys(["left_wrist", "right_wrist", "left_elbow", "right_elbow"], 2)),
    ],
)
def test_a_decision_after_an_exchange(found, path, later, settling):
    verdict, more = later
    first = decided(1, "left_wrist", "exchanged", partner="right_wrist")
    write(found, path, first, decided(2, "left_wrist", verdict, **more))
    review = read_review(path, found.file)
    found_settling = settled(review.decisions, found.file)
    assert {joint: each.number for (_, joint), each in found_settling.items()} == settling
    assert [each.number for each in review.decisions] == sorted(set(settling.values()))


def test_a_file_that_two_programs_wrote_to_is_refused(found, path):
    write(
        found,
        path,
        decided(1, "left_wrist", "right"),
        decided(2, "left_elbow", "right"),
        decided(2, "right_wrist", "wrong"),
    )
    with pytest.raises(InputError, match="decisions-ann.jsonl, line 4: number 2 after 2"):
        read_review(path, found.file)


def test_a_second_download_of_a_file_is_no_other_reviewer(found, path):
    write(found, path, decided(1, "left_wrist", "right"))
    path.rename(path.with_name("decisions-ann (1).jsonl"))
    with pytest.raises(InputError, match=r"'ann \(1\)' is no reviewer's name"):
        read_reviews(found.folder, found.file)
