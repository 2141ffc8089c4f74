"""Images with an EXIF orientation, and a data set whose labels lie on coloured squares."""

import numpy as np
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tests.factories.annotations import make_annotations

ORIENTATION = 274
COLORS = np.array([(250, 0, 0), (0, 250, 0), (0, 0, 250)], np.uint8)
JOINTS = np.float32([(20, 12), (70, 20), (36, 50)])  # in the upright picture
UPRIGHT_SIZE = (100, 64)


def write_oriented(path, pixels, orientation, **options):
    """Write stored ``pixels`` (RGB) with an EXIF orientation, in the format that the name says."""
    if path.suffix.startswith(".tif"):
        directory = ImageFileDirectory_v2()
        directory[ORIENTATION] = orientation
        options["tiffinfo"] = directory
    else:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    Image.fromarray(pixels).save(path, **options)
    return str(path)


def upright_by_pillow(pixels, orientation):
    """What viewers show of stored ``pixels``, by Pillow."""
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


def stored_of(upright, orientation):
    """The stored pixels that ``orientation`` turns into ``upright``."""
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    return upright_by_pillow(upright, inverse)


def labelled_picture(size=UPRIGHT_SIZE):
    """An upright picture, RGB, with a square of its own color on each of JOINTS."""
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    for (x, y), color in zip(JOINTS.astype(int), COLORS):
        picture[y - 3 : y + 4, x - 3 : x + 4] = color
    return picture


def write_upright_labelled(folder, orientations, suffix=".png", size=UPRIGHT_SIZE, **options):
    """Annotations of one instance an image, labelled as viewers show the images."""
    paths = [
        write_oriented(folder / f"{k}{suffix}", stored_of(labelled_picture(size), orientation), orientation, **options)
        for k, orientation in enumerate(orientations)
    ]  # fmt: skip
    count = len(paths)
    return make_annotations(
        count,
        paths=paths,
        joints=np.tile(JOINTS, (count, 1, 1)),
        centers=np.tile(np.float32([size[0] / 2, size[1] / 2]), (count, 1)),
        sizes=np.tile(np.float32([80, 80]), (count, 1)),
        bounds=np.tile(np.float32(size), (count, 1)),
    )


def labels_on_their_joint(pixels, joints, tolerance=60):
    """For each of ``joints`` [J, 2], whether the RGB ``pixels`` have its color there."""
    return [
        bool(0 <= y < pixels.shape[0] and 0 <= x < pixels.shape[1])
        and bool(np.abs(pixels[y, x].astype(int) - color).max() < tolerance)
        for (x, y), color in zip(np.asarray(joints).round().astype(int).tolist(), COLORS.astype(int))
    ]
