"""What apply_corrections.py refuses, and files that have moved."""

import json
import os
import shutil

import pytest

from pose_estimation.apply_corrections import main
from tests.factories.found_labels import make_found
from tests.factories.reviews import decide

L, R = "left_wrist", "right_wrist"


@pytest.fixture
def found(tmp_path):
    (tmp_path / "found").mkdir()
    found = make_found(tmp_path / "found")
    decide(found.folder, found.file, "ann", (3, L, "wrong"))
    return found


@pytest.fixture
def output(tmp_path):
    return tmp_path / "new.json"


def refused(capsys, *argv):
    assert main(list(map(str, argv))) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_file_that_has_moved(found, output, tmp_path, capsys):
    moved = tmp_path / "elsewhere.json"
    os.rename(found.path, moved)
    assert f"{found.path}: cannot be read" in refused(capsys, found.folder, "--output", output)
    assert main([str(found.folder), "--labels", str(moved), "--output", str(output)]) == 0
    assert json.loads(output.read_text())["annotations"][1]["keypoints"][:3] == [0, 0, 0]


def test_a_file_that_has_changed(found, output, tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text(found.path.read_text() + " ")
    for flags in ([], ["--dry-run"], ["--weights"]):
        error = refused(capsys, found.folder, "--labels", other, "--output", output, *flags)
        assert f"{other}: not the file whose labels were judged" in error and not output.exists()


def test_the_folder_is_missing_or_another(found, output, tmp_path, capsys):
    assert "none: is no folder" in refused(capsys, tmp_path / "none", "--output", output)
    assert "has no found.json" in refused(capsys, tmp_path, "--output", output)


def test_there_are_no_decisions(found, output, capsys):
    (found.folder / "decisions-ann.jsonl").unlink()
    error = refused(capsys, found.folder, "--output", output)
    assert f"{found.folder}: has no decisions (decisions-REVIEWER.jsonl)" in error


def test_decisions_about_another_file(found, output, capsys):
    path = found.folder / "decisions-ann.jsonl"
    path.write_text(path.read_text().replace(found.file.sha256, "0" * 64))
    assert "these decisions are about" in refused(capsys, found.folder, "--output", output)


@pytest.mark.parametrize("flags", [[], ["--overwrite"]])
def test_the_output_is_the_input(found, capsys, flags):
    before = found.path.read_bytes()
    link = found.folder / "link.json"
    os.link(found.path, link)
    for output in (found.path, link, found.folder / "labels.csv", found.folder / "decisions-ann.jsonl"):
        error = refused(capsys, found.folder, "--output", output, *flags)
        assert f"--output {output}: is read here" in error
    assert found.path.read_bytes() == before and (found.folder / "labels.csv").stat().st_size > 100


def test_an_output_that_exists_is_only_replaced_if_asked_for(found, output, capsys):
    output.write_text("mine")
    assert "exists; choose another file, or replace it with --overwrite" in refused(
        capsys, found.folder, "--output", output
    )
    assert output.read_text() == "mine"
    assert main([str(found.folder), "--output", str(output), "--overwrite"]) == 0
    assert json.loads(output.read_text())["annotations"][1]["num_keypoints"] == 2


def test_arguments_that_make_no_sense(found, tmp_path, output, capsys):
    assert "--output is missing" in refused(capsys, found.folder)
    assert "is a folder" in refused(capsys, found.folder, "--output", tmp_path)
    assert "--show is -1" in refused(capsys, found.folder, "--output", output, "--show", "-1")
    assert "--prefer bo" in refused(capsys, found.folder, "--output", output, "--prefer", "bo")


@pytest.mark.parametrize("verdict", ["right", "wrong"])
def test_a_decision_about_an_annotation_that_the_file_does_not_have(found, output, capsys, verdict):
    decide(found.folder, found.file, "bo", (99, L, verdict))
    error = refused(capsys, found.folder, "--output", output)
    assert "annotation 99: has decisions, but is not among the labels that were judged" in error
    assert not output.exists()


def test_a_copy_of_the_folder(found, output, tmp_path):
    """The whole folder elsewhere, the labels where they were."""
    shutil.copytree(found.folder, tmp_path / "copy")
    assert main([str(tmp_path / "copy"), "--output", str(output)]) == 0 and output.exists()
