"""Sizes that an annotation file does not give, in the frame of its labels."""

import json

import pytest

from lib.dataset.coco_file import read_coco_file
from lib.dataset.image_sizes import image_sizes
from lib.dataset.images import ImageFolder
from tests.factories.oriented import UPRIGHT_SIZE, labelled_picture, stored_of, write_oriented

UPRIGHT, STORED = UPRIGHT_SIZE, UPRIGHT_SIZE[::-1]


def sizes(folder, given, orientations):
    """The sizes of images, of which the file gives those that are not None."""
    images = []
    for k, (size, orientation) in enumerate(zip(given, orientations)):
        write_oriented(folder / f"{k}.png", stored_of(labelled_picture(), orientation), orientation)
        images.append({"id": k, "file_name": f"{k}.png"} | dict(zip(("width", "height"), size or ())))
    (folder / "a.json").write_text(json.dumps({"images": images, "annotations": []}))
    found = image_sizes(read_coco_file(folder / "a.json"), ImageFolder(folder), list(range(len(images))))
    return list(found.of.values()), found.read


@pytest.mark.parametrize(
    ("others", "size"), [([UPRIGHT], UPRIGHT), ([STORED], STORED), ([UPRIGHT, STORED], STORED), ([], STORED)]
)
def test_a_turned_image_has_the_size_of_the_frame_that_the_others_are_labelled_in(tmp_path, others, size):
    found, read = sizes(tmp_path, [None, *others], [6] * (1 + len(others)))
    assert found == [size, *others] and read == {0}


def test_what_cannot_be_read_stays_unknown(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"images": [{"id": 3, "file_name": "gone.png"}]}))
    found = image_sizes(read_coco_file(tmp_path / "a.json"), ImageFolder(tmp_path), [3])
    assert str(found.of) == "{3: (nan, nan)}" and not found.read
