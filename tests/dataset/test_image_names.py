"""Image names as annotation tools write them, and the files that they mean."""

import pytest

from lib.dataset.image_names import agree
from lib.dataset.images import ImageFolder
from lib.utils.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "birds/c.jpg", "one/same.jpg", "two/same.jpg", "my file.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("images\\a.jpg", "a.jpg"),
        ("..\\..\\label-studio\\media\\upload\\4\\a.jpg", "a.jpg"),
        ("/home/ann/up/a.jpg", "a.jpg"),
        ("C:\\data\\birds\\c.jpg", "birds/c.jpg"),
        ("/data/local-files/?d=birds/c.jpg", "birds/c.jpg"),
        ("/data/local-files/?d=birds%2Fc.jpg", "birds/c.jpg"),
        ("http://localhost:9/x/a.jpg?sig=1", "a.jpg"),
        ("s3://bucket/birds/c.jpg", "birds/c.jpg"),
        ("my%20file.jpg", "my file.jpg"),
        ("c.jpg", "birds/c.jpg"),
        ("elsewhere/one/same.jpg", "one/same.jpg"),
    ],
)
def test_a_name_means_the_file_whose_path_ends_like_it(folder, name, file):
    assert ImageFolder(folder, nested=True).path(name, "a.json: annotation 1") == str(folder / file)


@pytest.mark.parametrize("name", ["gone.jpg", "../a.png", "", ".", "..", None, 5])
def test_a_name_without_a_file_is_an_error(folder, name):
    with pytest.raises(InputError, match=r"^a\.json: annotation 1: image "):
        ImageFolder(folder, nested=True).path(name, "a.json: annotation 1")


def test_a_name_that_several_files_end_with_is_an_error(folder):
    with pytest.raises(InputError, match="'same.jpg'.*2 times.*same.jpg.*same.jpg"):
        ImageFolder(folder, nested=True).path("same.jpg", "a.json: annotation 1")


@pytest.mark.parametrize(
    ("name", "on_disk"),
    [
        ("A1.JPG", "a1.jpg"), ("a1.jpg", "A1.JPG"), ("C:\\up\\Birds\\C.jpg", "birds/c.JPG"),
        ("u\u0308.jpg", "\u00fc.jpg"), ("\u00fc.jpg", "u\u0308.jpg"), ("http://h/%C3%BC.jpg", "u\u0308.jpg"),
        ("\\\\server\\share\\a#1.jpg", "a#1.jpg"), ("a1.jpg#t=3", "a1.jpg"), ("a1.jpg?v=1#t", "a1.jpg"),
        ("http://h/a%231.jpg?x=1#y", "a#1.jpg"), ("upload%5Ca1.jpg", "a1.jpg"),
        ("http://[h/a1.jpg", "a1.jpg"), ("\\\\[h]\\a1.jpg?x=1", "a1.jpg"),
    ],
)  # fmt: skip
def test_systems_and_servers_spell_a_name_differently(tmp_path, name, on_disk):
    (tmp_path / on_disk).parent.mkdir(exist_ok=True)
    (tmp_path / on_disk).write_bytes(b"")
    assert ImageFolder(tmp_path, nested=True).path(name, "a.json: annotation 1") == str(tmp_path / on_disk)


def test_the_longest_end_of_a_path_decides_however_it_is_spelled(folder):
    (folder / "c.jpg").write_bytes(b"")  # not the one in birds/
    for name in (
        "/data/local-files/?d=birds/c.jpg",
        "/data/?d=birds%2Fc.jpg",
        "http://h/birds/c.jpg?d=c.jpg",
    ):
        assert ImageFolder(folder, nested=True).path(name, "") == str(folder / "birds" / "c.jpg")
    (folder / "C.JPG").write_bytes(b"")
    assert ImageFolder(folder, nested=True).path("C.JPG", "") == str(folder / "C.JPG")


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [
        ("video1/0.jpg", "video2/0.jpg", False),
        ("x/video1/0.jpg", "y/video1/0.jpg", False),
        ("D:\\x\\Video1\\0.JPG", "video1/0.jpg", True),
        ("0.jpg", "video1/0.jpg", True),
        ("./video1//0.jpg", "video1/0.jpg", True),
        ("/data/local-files/?d=video1/0.jpg", "video1/0.jpg", True),
        ("/data/local-files/?d=video1/0.jpg", "video2/0.jpg", False),
        ("10.jpg", "0.jpg", False),
    ],
)
def test_names_agree_if_one_has_only_more_folders_in_front(name, other, expected):
    assert agree(name, other) is agree(other, name) is expected
