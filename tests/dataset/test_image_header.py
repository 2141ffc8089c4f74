"""Sizes, orientations and turns of image files, against Pillow's own."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from lib.dataset.image_header import ImageHeader, as_stored, read_header, turn_upright
from lib.dataset.image_spec import ImageSpec
from lib.dataset.images import read_image
from tests.factories.data_sets import smooth_image
from tests.factories.oriented import upright_by_pillow, write_oriented

STORED = smooth_image(40, 24)
SUFFIXES = (".png", ".tif", ".webp", ".jpg")


def header_of(path):
    with open(path, "rb") as file:
        return read_header(file)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_are_those_of_pillow(orientation):
    turned = turn_upright(STORED, orientation)
    np.testing.assert_array_equal(turned, upright_by_pillow(STORED, orientation))
    height, width = turned.shape[:2]
    assert ImageHeader((40, 24), orientation).upright_size == (width, height)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_header_of_each_format(tmp_path, suffix, orientation):
    path = write_oriented(tmp_path / f"a{suffix}", STORED, orientation)
    assert header_of(path) == ImageHeader((40, 24), orientation)


def test_a_file_without_orientation_or_with_nonsense(tmp_path):
    Image.fromarray(STORED).save(tmp_path / "plain.png")
    assert header_of(tmp_path / "plain.png") == ImageHeader((40, 24), 1)
    assert header_of(write_oriented(tmp_path / "a.jpg", STORED, 77)) == ImageHeader((40, 24), 1)
    for content in (b"", b"no image", b"II*\0", (tmp_path / "a.jpg").read_bytes()[:10]):
        assert read_header(io.BytesIO(content)) is None


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_read_as_stored_and_turned_when_asked(tmp_path, suffix, orientation):
    """OpenCV turns a TIFF even with IMREAD_IGNORE_ORIENTATION, and before 4.13 it never turns a WebP."""
    options = {"lossless": True} if suffix == ".webp" else {}
    path = write_oriented(tmp_path / f"a{suffix}", STORED, orientation, **options)
    stored = read_image(path)
    assert stored.shape == STORED.shape
    assert np.abs(stored.astype(int) - STORED).max() <= (25 if suffix == ".jpg" else 0)
    upright = read_image(ImageSpec(path, upright=True))
    np.testing.assert_array_equal(upright, upright_by_pillow(stored, orientation))


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
@pytest.mark.parametrize("options", [{}, {"big_tiff": True}, {"compression": "tiff_lzw"}])
def test_tiff_of_any_kind_is_read_as_stored(tmp_path, mode, options):
    deep = STORED[..., 0].astype(np.uint16) * 257
    pixels = {"L": STORED[..., 0], "RGB": STORED, "I;16": deep}[mode]
    expected = STORED if mode == "RGB" else STORED[..., :1].repeat(3, axis=2)
    path = write_oriented(tmp_path / "a.tiff", np.ascontiguousarray(pixels), 6, **options)
    np.testing.assert_array_equal(read_image(path), expected)


def big_endian_tiff(orientation):
    """A grey TIFF of 2 x 1 pixels, as TIFF 6.0 describes it."""
    tags = [(256, 3, 2), (257, 3, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (274, 3, orientation),
            (277, 3, 1), (278, 3, 1), (279, 4, 2)]  # fmt: skip
    entries = b"".join(
        struct.pack(">HHI", tag, kind, 1) + (struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value))
        for tag, kind, value in tags
    )  # fmt: skip
    return b"MM\0*" + struct.pack(">I", 10) + b"\x10\xf0" + struct.pack(">H", len(tags)) + entries + bytes(4)


def test_big_endian_tiff(tmp_path):
    (tmp_path / "a.tif").write_bytes(big_endian_tiff(3))
    assert read_image(str(tmp_path / "a.tif"))[0, :, 0].tolist() == [0x10, 0xF0]
    assert as_stored(big_endian_tiff(3)) == big_endian_tiff(1) != big_endian_tiff(3)


def test_what_is_no_whole_tiff_stays_as_it_is():
    whole = big_endian_tiff(3)
    for content in (
        b"",
        b"II",
        b"MM",
        b"II*\0\xff\xff\xff\xff",
        b"II\x07\0" + bytes(20),
        b"\x89PNG",
        whole[:60],
    ):
        assert as_stored(content) == content
