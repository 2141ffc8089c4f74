import stat

import pytest

from lib.utils.files import (
    TEMPORARY,
    open_atomically,
    path_atomically,
    remove_temporary_files,
    rotate_directories,
    write_atomically,
    write_text,
)


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


def test_a_rotated_directory_takes_the_first_free_number(tmp_path):
    for expected in ("run.1", "run.2"):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "file").write_text(expected)
        assert rotate_directories(tmp_path / "run") == [tmp_path / expected]
    assert (tmp_path / "run.1" / "file").read_text() == "run.1"
    (tmp_path / "run").mkdir()
    assert rotate_directories(tmp_path / "run", tmp_path / "none") == []


def test_the_folders_of_a_run_take_the_same_number(tmp_path):
    output, log = tmp_path / "output" / "run", tmp_path / "log" / "run"
    for folder in (output, log, log.with_name("run.1")):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    assert rotate_directories(output, log) == [output.with_name("run.2"), log.with_name("run.2")]


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


def test_everybody_may_read_what_was_written(tmp_path):
    write_text(tmp_path / "a.txt", "text")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


def test_the_previous_file_is_kept_once_the_new_one_is_complete(tmp_path):
    path, previous = tmp_path / "last.pth", tmp_path / "previous.pth"
    for text in (b"one", b"two", b"three"):
        with open_atomically(path, previous) as file:
            file.write(text)
            assert not path.exists() or path.read_bytes() != text
    assert (path.read_bytes(), previous.read_bytes()) == (b"three", b"two")
    with pytest.raises(ZeroDivisionError), open_atomically(path, previous) as file:
        file.write(b"four")
        raise ZeroDivisionError
    assert (path.read_bytes(), previous.read_bytes()) == (b"three", b"two")


def test_only_temporary_files_are_removed(tmp_path):
    for name in (f"{TEMPORARY}last.abc.pth", "last.pth", "unfinished.txt"):
        (tmp_path / name).write_text("")
    remove_temporary_files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pth", "unfinished.txt"]
