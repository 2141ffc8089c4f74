"""Out to each tool, changed there, and back: the decisions are what was changed, and the corrected file has it."""

import json

import pytest

from lib.exchange.tools import TOOLS
from pose_estimation.apply_corrections import main as apply
from tests.factories.exchanges import DECISIONS, LE, L, R, found_with_image, give, take
from tests.factories.tool_edits import TOOL_EDITS

# x, y, v of the joints in the corrected file: 7's left wrist is moved, its right elbow hidden; 3's wrists have changed
# places, and it has got a right elbow.
CORRECTED = {
    7: [50.5, 60.25, 2, 40, 30, 2, 22.5, 20, 1, 0, 0, 0],
    3: [60, 52, 2, 10, 50, 2, 15, 40, 2, 44, 33.5, 2],
}
UNTOUCHED = {
    "cvat": "annotations.xml",
    "fiftyone": "samples.json",
    "deeplabcut": "CollectedData_lbi.csv",
    "yolo": "",
}


@pytest.fixture
def found(tmp_path):
    return found_with_image(tmp_path)


def test_all_tools_are_tried():
    assert set(TOOL_EDITS) == set(TOOLS) - {"sleap"}  # which tests/interop tries with sleap-io


@pytest.mark.parametrize("tool", TOOL_EDITS)
def test_what_is_changed_is_decided_and_applied(found, tool, capsys):
    path = TOOL_EDITS[tool](give(found, tool))
    decisions = take(found, tool, path)
    assert set(decisions) == DECISIONS and len(decisions) == len(DECISIONS)
    printed = capsys.readouterr().out
    assert "2 instances came back" in printed and "2 moved, 1 wrong, 1 exchanges, 0 right" in printed
    assert "warning" not in printed
    assert apply([str(found.folder), "--output", str(found.folder / "new.json")]) == 0
    content = json.loads((found.folder / "new.json").read_text())
    assert {each["id"]: each["keypoints"] for each in content["annotations"]} == CORRECTED


@pytest.mark.parametrize("tool", UNTOUCHED)
def test_what_comes_back_as_it_was_is_decided_only_if_that_is_said(found, tool, capsys):
    output = give(found, tool, "--suspects", 2)
    path = output / UNTOUCHED[tool]
    assert take(found, tool, path) == [] and "2 suspects unchanged: undecided" in capsys.readouterr().out
    right = [(7, L, "right", None, None), (7, R, "right", None, None)]
    assert sorted(take(found, tool, path, "--unchanged", "right")) == right
    assert "2 suspects unchanged: right" in capsys.readouterr().out


@pytest.mark.parametrize("tool", TOOL_EDITS)
def test_the_same_file_twice_adds_nothing(found, tool, capsys):
    path = TOOL_EDITS[tool](give(found, tool))
    once = take(found, tool, path)
    capsys.readouterr()
    assert take(found, tool, path) == once
    assert "0 moved, 0 wrong, 0 exchanges, 0 right; 4 were known" in capsys.readouterr().out


def test_what_was_decided_before_stands_when_it_comes_back_as_it_was(found, capsys):
    output = give(
        found, "cvat", "--suspects", 3
    )  # the wrists of 7, and the right wrist of 3, which is exchanged
    take(found, "cvat", TOOL_EDITS["cvat"](output))
    decisions = take(found, "cvat", output / "annotations.xml")
    assert set(decisions) == DECISIONS
    assert "warning: 5 labels came back as they were, but were decided otherwise" in capsys.readouterr().out


def test_a_later_change_replaces_an_earlier_one(found):
    output = give(found, "cvat")
    path = TOOL_EDITS["cvat"](output)
    take(found, "cvat", path)
    path.write_text(path.read_text().replace("50.50,60.25", "51.00,60.00"))
    decisions = take(found, "cvat", path)
    assert (7, L, "moved", (51, 60), None) in decisions and len(decisions) == len(DECISIONS)


def test_a_dry_run_writes_nothing(found, capsys):
    path = TOOL_EDITS["cvat"](give(found, "cvat"))
    assert take(found, "cvat", path, "--dry-run") == []
    assert "2 moved, 1 wrong" in capsys.readouterr().out
    assert not (found.folder / "decisions-ann.jsonl").exists()


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_lost_is_printed(found, tool, capsys, monkeypatch):
    monkeypatch.setattr("lib.exchange.sleap.write", lambda exchange, folder: None)
    give(found, tool, "--suspects", 2)
    (*_, said), counted = (
        [line for line in capsys.readouterr().out.splitlines() if "cannot hold" in line] or [""],
        {
            "cvat": "",
            "fiftyone": "",
            "label_studio": "1 marks of labels as occluded",
            "sleap": "2 kinds of mistakes of suspects, 2 proposed places of suspects, 1 marks of labels as occluded",
            "deeplabcut": "7 probabilities of being wrong, 2 kinds of mistakes of suspects, 2 proposed places of "
            "suspects, 1 marks of labels as occluded",
            "yolo": "7 probabilities of being wrong, 2 kinds of mistakes of suspects, 2 proposed places of suspects",
        },
    )
    assert said.partition(": ")[2] == counted[tool]


def test_the_next_ones_are_given_when_the_first_are_decided(found, capsys):
    path = give(found, "cvat", "--suspects", 2) / "annotations.xml"
    take(found, "cvat", path, "--unchanged", "right")
    (found.folder / "out").rename(found.folder / "first")
    text = (give(found, "cvat", "--suspects", 2) / "annotations.xml").read_text()
    assert text.count('name="suspect">yes') == 2 and "2 suspects; 2 instances" in capsys.readouterr().out
    assert LE in text
