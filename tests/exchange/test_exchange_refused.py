"""exchange_labels.py refuses what it cannot use, in one line, and writes nothing."""

import json

import pytest

from pose_estimation.exchange_labels import main
from tests.factories.exchanges import found_with_image, give
from tests.factories.found_labels import make_found


@pytest.fixture
def found(tmp_path):
    return found_with_image(tmp_path)


def refused(capsys, *argv):
    assert main([str(each) for each in argv]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_folders(found, tmp_path, capsys):
    flags = ("--tool", "cvat", "--output", tmp_path / "out")
    assert "is no folder" in refused(capsys, "to", tmp_path / "nothing", *flags)
    (tmp_path / "empty").mkdir()
    assert "found.json" in refused(capsys, "to", tmp_path / "empty", *flags)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/note.txt").touch()
    assert "new or empty" in refused(capsys, "to", found.folder, *flags)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["note.txt"]


def test_an_annotation_file_that_has_changed(found, tmp_path, capsys):
    found.path.write_text(found.path.read_text() + " ")
    error = refused(capsys, "to", found.folder, "--tool", "cvat", "--output", tmp_path / "out")
    assert "SHA-256" in error and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--tool", "cvat", "--suspects", "0"), "--suspects is 0"),
        (("--tool", "cvat", "--scorer", "me"), "--scorer"),
        (("--tool", "yolo", "--image-prefix", "x"), "--image-prefix"),
    ],
)
def test_options_without_a_meaning(found, tmp_path, capsys, flags, words):
    assert words in refused(capsys, "to", found.folder, *flags, "--output", tmp_path / "out")


@pytest.mark.parametrize("tool", ["deeplabcut", "yolo"])
def test_tools_that_want_the_images_beside_their_labels(tmp_path, capsys, tool):
    found = make_found(tmp_path)
    error = refused(capsys, "to", found.folder, "--tool", tool, "--output", tmp_path / "out")
    assert "a/5.jpg" in error and "--images" in error
    assert not (found.folder / f"exchange-{tool}.json").exists()


def test_sleap_io_is_not_installed(found, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sleap_io", None)
    error = refused(capsys, "to", found.folder, "--tool", "sleap", "--output", tmp_path / "out")
    assert "pip install sleap-io" in error


def test_nothing_of_what_was_given_comes_back(found, tmp_path, capsys):
    give(found, "cvat")
    other = tmp_path / "other.xml"
    other.write_text('<annotations><image id="0" name="b.jpg" width="9" height="9"/></annotations>')
    flags = ("--tool", "cvat", "--input", other, "--reviewer")
    error = refused(capsys, "from", found.folder, *flags, "ann")
    assert "none of the 2 instances came back" in error and "b.jpg" in error
    assert "reviewer" in refused(capsys, "from", found.folder, "--tool", "cvat", "--input", found.folder / "out/annotations.xml", "--reviewer", "a/b")  # fmt: skip
    assert not list(found.folder.glob("decisions-*"))


TEXTS = {
    "cvat": {
        "": "no XML",
        "<annotations/>": "CVAT for images 1.1",
        '<annotations><track id="0"/></annotations>': "video",
        "<annotations><image/></annotations>": "no name",
        '<annotations><image name="a/5.jpg"><points label="x" points="1;2"/></image></annotations>': "one place",
    },
    "label_studio": {
        "{}": "list of tasks",
        "[1]": "list of tasks",
        '[{"data": {}}]': "no name",
        '[{"data": {"name": "a/5.jpg"}}]': "JSON-MIN",
        '[{"data": {"name": "a/5.jpg"}, "annotations": [{"result": [{"type": "keypointlabels"}]}]}]': "region",
        '[{"data": {"name": "a/5.jpg"}, "annotations": [{"result": null}]}]': "result",
    },
    "fiftyone": {
        "[]": "write_json",
        '{"samples": [{}]}': "lbi_image",
        '{"samples": [{"lbi_image": "a/5.jpg", "labels": {"keypoints": [{"points": [[0, 0]]}]}}]}': "4 points",
    },
    "deeplabcut": {
        "": "scorer",
        "scorer,a\nbodyparts,b\ncoords,x\n": "no bodypart left_elbow",
    },
}


@pytest.mark.parametrize(("tool", "text"), [(tool, text) for tool, texts in TEXTS.items() for text in texts])
def test_files_of_something_else(found, tmp_path, capsys, tool, text):
    give(found, tool)
    path = tmp_path / "back"
    path.write_text(text)
    error = refused(capsys, "from", found.folder, "--tool", tool, "--input", path, "--reviewer", "ann")
    assert str(path) in error and TEXTS[tool][text] in error


def test_lines_of_yolo_that_are_no_poses(found, tmp_path, capsys):
    output = give(found, "yolo")
    flags = ("--tool", "yolo", "--reviewer", "ann", "--input")
    assert "no folder" in refused(capsys, "from", found.folder, *flags, tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "no text files" in refused(capsys, "from", found.folder, *flags, tmp_path / "empty")
    (output / "labels/train/a/5.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    error = refused(capsys, "from", found.folder, *flags, output)
    assert "5.txt, line 1" in error and "4 points" in error


def test_a_table_of_deeplabcut_with_words_for_places(found, capsys):
    path = give(found, "deeplabcut") / "CollectedData_lbi.csv"
    path.write_text(path.read_text().replace("20.00", "left", 1))
    error = refused(
        capsys, "from", found.folder, "--tool", "deeplabcut", "--input", path, "--reviewer", "ann"
    )
    assert "a/5.jpg" in error and "pixels" in error


def test_files_that_are_not_there(found, tmp_path, capsys):
    for tool in ("cvat", "label_studio", "fiftyone", "deeplabcut"):
        give(found, tool)
        (found.folder / "out").rename(tmp_path / tool)
        path = tmp_path / "nothing.x"
        error = refused(capsys, "from", found.folder, "--tool", tool, "--input", path, "--reviewer", "ann")
        assert str(path) in error


def test_a_record_is_of_one_tool(found, capsys):
    path = give(found, "cvat") / "annotations.xml"
    error = refused(capsys, "from", found.folder, "--tool", "yolo", "--input", path, "--reviewer", "ann")
    assert "exchange-yolo.json" in error
    assert json.loads((found.folder / "exchange-cvat.json").read_text())["given"][0]["images"] == {
        "a/5.jpg": "a/5.jpg"
    }
