"""The images of a data set, none of which is read from another one's file."""

import pytest

from lib.dataset.image_index import MISSING, ImageIndex
from lib.dataset.images import ImageFolder
from lib.utils.errors import InputError


def index_of(folder, *files):
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    return ImageIndex(ImageFolder(folder, nested=True))


def positions(index, *names):
    return list(
        index.positions({k: (name, f"a.json: annotation {k}") for k, name in enumerate(names)}).values()
    )


def test_each_image_is_listed_once_however_it_is_spelled(tmp_path):
    index = index_of(tmp_path, "v1/a.jpg", "v1/b.jpg")
    assert positions(index, "v1/b.jpg", "v1/a.jpg", "./v1/b.jpg", "v1\\b.jpg") == [0, 1, 0, 0]
    assert list(index.names) == ["v1/b.jpg", "v1/a.jpg"]
    assert list(index.paths) == [str(tmp_path / "v1/b.jpg"), str(tmp_path / "v1/a.jpg")]
    assert sum(index.notes.filled_in.values()) == 2
    index.refuse_missing()


@pytest.mark.parametrize("names", [("v1/a.jpg", "v2/a.jpg"), ("v2/a.jpg", "v1/a.jpg")])
def test_a_missing_folder_is_not_read_from_another_one(tmp_path, names):
    index = index_of(tmp_path, "v1/a.jpg")
    found = index.positions({name: (name, "a.json: annotation 5") for name in names})
    assert found == {"v1/a.jpg": 0, "v2/a.jpg": MISSING}
    with pytest.raises(
        InputError, match=r"annotation 5: image 'v2/a.jpg' is not in .*'v1/a.jpg'.*1 of 2 images"
    ):
        index.refuse_missing()


def test_two_names_that_end_like_one_file_are_an_error(tmp_path):
    with pytest.raises(InputError, match=r"annotation 1: image 'v2/a.jpg'.*another image, 'v1/a.jpg'"):
        positions(index_of(tmp_path, "a.jpg"), "v1/a.jpg", "v2/a.jpg")


def test_a_name_that_several_files_end_with_is_missing(tmp_path):
    index = index_of(tmp_path, "v1/a.jpg", "v2/a.jpg")
    assert positions(index, "v3/a.jpg", "v1/a.jpg") == [0, MISSING]  # what is there comes first
    with pytest.raises(InputError, match=r"'v3/a.jpg' is not in .* 2 times: .*1 of 2 images"):
        index.refuse_missing()
