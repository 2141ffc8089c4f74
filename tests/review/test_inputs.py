import pytest

from lib.review.inputs import record_inputs
from lib.utils.errors import InputError


@pytest.fixture
def files(tmp_path):
    paths = {"--labels": tmp_path / "a.json", "--trusted": tmp_path / "b.json"}
    for flag, path in paths.items():
        path.write_text(flag)
    return paths


def test_the_same_files_again_are_welcome(files, tmp_path):
    record_inputs(tmp_path / "found", files)
    moved = files["--labels"].rename(tmp_path / "c.json")
    record_inputs(tmp_path / "found", files | {"--labels": moved})


def test_other_files_are_refused_once_something_was_made(files, tmp_path):
    record_inputs(tmp_path / "found", {"--labels": files["--labels"]})
    record_inputs(tmp_path / "found", files)  # nothing came of the first call
    (tmp_path / "found/training").mkdir()
    with pytest.raises(InputError, match="made with --labels, --trusted, now --labels; choose another"):
        record_inputs(tmp_path / "found", {"--labels": files["--labels"]})
    files["--trusted"].write_text("changed")
    with pytest.raises(InputError, match="made with another file as --trusted; choose another"):
        record_inputs(tmp_path / "found", files)


def test_decisions_that_were_added_since_are_for_another_folder(files, tmp_path):
    decisions = tmp_path / "first/decisions-ann.jsonl"
    decisions.parent.mkdir()
    decisions.write_text("one")
    known = files | {f"--reviewed {decisions}": decisions}
    (tmp_path / "found/training").mkdir(parents=True)
    record_inputs(tmp_path / "found", known)
    record_inputs(tmp_path / "found", known)
    decisions.write_text("two")
    with pytest.raises(InputError, match=f"{decisions} is not what it was when this was begun; take another"):
        record_inputs(tmp_path / "found", known)


def test_labels_in_doubt_are_not_trusted(files, tmp_path):
    files["--trusted"].write_text(files["--labels"].read_text())
    with pytest.raises(InputError, match="b.json: is the same file as --labels"):
        record_inputs(tmp_path / "found", files)
    assert not (tmp_path / "found").exists()


def test_a_file_that_is_not_there(files, tmp_path):
    with pytest.raises(InputError, match="gone.json: cannot be read"):
        record_inputs(tmp_path / "found", files | {"--trusted": tmp_path / "gone.json"})


def test_a_damaged_record(files, tmp_path):
    (tmp_path / "inputs.json").write_text("[]")
    (tmp_path / "found.json").touch()
    with pytest.raises(InputError, match="made with something else"):
        record_inputs(tmp_path, files)
