import pytest

from lib.utils.files import open_atomically, path_atomically, rotate_directory, write_atomically, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    write_text(path, "old")

    def fail(file):
        file.write(b"half of the ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
    write_text(path, "new")
    assert path.read_text() == "new"


def test_set_aside_takes_the_first_free_number(tmp_path):
    for expected in ("run.1", "run.2"):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "file").write_text(expected)
        assert rotate_directory(tmp_path / "run") == tmp_path / expected
    assert (tmp_path / "run.1" / "file").read_text() == "run.1"
    (tmp_path / "run").mkdir()
    assert rotate_directory(tmp_path / "run") is None and rotate_directory(tmp_path / "none") is None


def test_a_file_opened_by_name_has_the_right_ending_and_is_there_at_the_end(tmp_path):
    with path_atomically(tmp_path / "new" / "clip.mp4") as temporary:
        assert temporary.suffix == ".mp4" and temporary.parent == tmp_path / "new"
        temporary.write_bytes(b"whole")
        assert not (tmp_path / "new" / "clip.mp4").exists()
    assert (tmp_path / "new" / "clip.mp4").read_bytes() == b"whole"
    with pytest.raises(KeyboardInterrupt), open_atomically(tmp_path / "new" / "clip.mp4") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "new").iterdir()] == [
        ("clip.mp4", b"whole")
    ]
