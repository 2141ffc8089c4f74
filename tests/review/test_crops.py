import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.review.crops import SMALLEST, STEP, Crops, Square, cut, surroundings
from lib.review.table import Table
from lib.utils.errors import InputError
from tests.factories.review_server import make_reviewable


@pytest.fixture
def found(tmp_path):
    return make_reviewable(tmp_path)


def crops_of(found, images=None, **columns):
    table = Table(found.file, replace(found.labels, **columns))
    return table, Crops(table, images or Path(found.file.images))


def renamed(found, *names):
    """The column of images, where all labels are of the images ``names`` in turn."""
    return {"image": np.array([names[k % len(names)] for k in range(len(found.labels))])}


def test_the_surroundings_hold_the_whole_instance_and_the_proposal(found):
    table, labels = Table(found.file, found.labels), found.labels
    for row in range(len(table)):
        person = table.rows_of_person(int(labels.annotation_id[row]))
        square = surroundings(labels, person, row)
        points = [(labels.x[k], labels.y[k]) for k in person] + [
            (labels.proposed_x[row], labels.proposed_y[row])
        ]
        for x, y in points:
            assert not np.isfinite(x) or square.x < x < square.x + square.side
            assert not np.isfinite(y) or square.y < y < square.y + square.side


def test_zooming_in_shows_less_about_the_label_and_zooming_out_more_about_the_person(found):
    table, labels = Table(found.file, found.labels), found.labels
    row = table.row(3, "right_wrist")  # at 60, 52; proposed at 55, 45
    squares = {zoom: surroundings(labels, table.rows_of_person(3), row, zoom) for zoom in (-1, 0, 2)}
    assert squares[-1].side == pytest.approx(squares[0].side * STEP)
    assert squares[2].side == pytest.approx(squares[0].side / STEP**2)
    middle = squares[2].x + squares[2].side / 2, squares[2].y + squares[2].side / 2
    assert middle == pytest.approx((57.5, 48.5))


def test_a_single_label_has_surroundings_too(found):
    labels = found.labels
    row = np.flatnonzero(labels.kind == "moved")[:1]
    square = surroundings(replace(labels, proposed_x=labels.proposed_x * np.nan), row, int(row[0]))
    assert square.side == SMALLEST


@pytest.mark.parametrize("reduce, largest", [(1, 40), (1, 13), (2, 10)])
def test_a_crop_shows_its_square(reduce, largest):
    # A ramp: the value of a pixel says where it is, and a mean of pixels where their middle is.
    x, y = np.meshgrid(np.arange(64.0), np.arange(48.0))
    image = np.stack([x, y, x * 0], -1).astype(np.float32)
    small = cv2.resize(image, (64 // reduce, 48 // reduce), interpolation=cv2.INTER_AREA)
    square = Square(10, 4, 40)
    crop = cut(small, square, reduce, largest)
    side = min(largest, 40 // reduce)
    assert crop.shape == (side, side, 3)
    middles = (np.arange(side) + 0.5) * 40 / side
    np.testing.assert_allclose(crop[side // 2, 1:-1, 0], 10 + middles[1:-1], atol=0.1)
    np.testing.assert_allclose(crop[1:-1, side // 2, 1], 4 + middles[1:-1], atol=0.1)


def test_a_crop_is_a_picture_of_the_labels_place(found):
    table, crops = crops_of(found)
    row = table.row(7, "right_wrist")  # at 40, 30, where red is 80 and green 90
    square = surroundings(found.labels, table.rows_of_person(7), row)
    picture = cv2.imdecode(np.frombuffer(crops.draw(row, 0, 900), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[0] == picture.shape[1] == round(square.side)
    u, v = (
        int((place - start) * len(picture) / square.side) for place, start in ((40, square.x), (30, square.y))
    )
    blue, green, red = picture[v, u].astype(int)
    assert abs(red - 80) < 8 and abs(green - 90) < 8 and blue < 12
    assert cv2.imdecode(np.frombuffer(crops.draw(row, -3, 64), np.uint8), cv2.IMREAD_COLOR).shape == (
        64,
        64,
        3,
    )


def test_only_images_in_the_folder_are_drawn(found, tmp_path):
    outside = tmp_path / "outside.jpg"
    outside.write_bytes((tmp_path / "images" / "a" / "5.jpg").read_bytes())
    for name in ("../outside.jpg", str(outside), "a/../../outside.jpg", "file://" + str(outside)):
        _, crops = crops_of(found, **renamed(found, name))
        with pytest.raises(InputError, match="is not in"):
            crops.draw(0, 0, 900)


def test_an_image_that_cannot_be_read_is_named(found, tmp_path):
    (tmp_path / "images" / "a" / "5.jpg").write_bytes(b"no image")
    _, crops = crops_of(found)
    with pytest.raises(InputError, match="5.jpg: cannot be read"):
        crops.draw(0, 0, 900)


def test_the_images_are_found_where_they_were_moved(found, tmp_path):
    os.rename(tmp_path / "images", tmp_path / "moved")
    _, crops = crops_of(found)
    with pytest.raises(InputError, match=r"no such folder; expected the images of .*found.json; .*--images"):
        crops.check(found.folder)
    _, crops = crops_of(found, tmp_path / "moved")
    crops.check(found.folder)
    assert crops.draw(0, 0, 900)


def test_a_folder_of_other_images_is_refused_and_one_that_lacks_some_is_not(found, tmp_path, caplog):
    _, crops = crops_of(found, **renamed(found, "b/6.jpg"))
    with pytest.raises(InputError, match="holds none of the 1 images looked for, as 'b/6.jpg'"):
        crops.check(found.folder)
    _, crops = crops_of(found, **renamed(found, "b/6.jpg", "a/5.jpg"))
    with caplog.at_level("WARNING", "lib"):
        crops.check(found.folder)
    assert "1 of 2 images looked for are not there" in caplog.text


def test_images_in_an_archive_are_drawn(found, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(tmp_path / "images" / "a" / "5.jpg", "packed/a/5.jpg")
    _, crops = crops_of(found, tmp_path / "packed")
    crops.check(found.folder)
    assert crops.draw(0, 0, 900)
