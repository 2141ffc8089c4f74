"""Images of 16 bits a channel, of which fewer are used."""

import cv2
import numpy as np
import pytest

from lib.dataset.depth import may_be_deep, significant_bits, to_eight_bits
from lib.dataset.image_spec import ImageSpec
from lib.dataset.images import read_image


@pytest.mark.parametrize(
    ("largest", "bits"),
    [(0, 16), (1, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16383, 14), (16384, 16), (65535, 16)],
)  # fmt: skip
def test_the_bits_of_cameras_that_hold_a_value(largest, bits):
    assert significant_bits(largest) == bits


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_whole_range_becomes_the_whole_range(bits):
    values = np.arange(2**bits, dtype=np.uint16)
    np.testing.assert_array_equal(to_eight_bits(values, bits), values // 2 ** (bits - 8))


def test_larger_values_become_white():
    assert to_eight_bits(np.uint16([4095, 4096, 65535]), 12).tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm", ".jp2"])
def test_twelve_bits_are_scaled(tmp_path, suffix):
    values = np.tile(np.linspace(0, 4095, 96, dtype=np.uint16), (72, 1))
    path = str(tmp_path / f"a{suffix}")
    assert cv2.imwrite(
        path, values, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if suffix == ".jp2" else []
    )
    expected = np.repeat((values >> 4)[..., None], 3, axis=2)
    np.testing.assert_allclose(read_image(ImageSpec(path, bits=12)), expected, atol=1)
    np.testing.assert_allclose(read_image(path), expected, atol=1)  # a file alone: its own largest value
    np.testing.assert_allclose(read_image(ImageSpec(path, bits=16)), expected >> 4, atol=1)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(12, 20), (12, 20, 3)])
def test_files_that_use_all_bits_are_read_as_opencv_does(tmp_path, suffix, shape):
    deep = np.random.default_rng(0).integers(0, 2**16, shape).astype(np.uint16)
    path = str(tmp_path / f"a{suffix}")
    cv2.imwrite(path, deep)
    expected = cv2.imread(path, cv2.IMREAD_COLOR)
    for image in (path, ImageSpec(path, bits=16)):
        np.testing.assert_array_equal(read_image(image, color_rgb=False), expected)


def test_images_of_eight_bits_stay_as_they_are_whatever_the_others_have(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 30, (12, 20, 3)).astype(np.uint8)
    for suffix in (".png", ".tif", ".bmp"):
        path = str(tmp_path / f"a{suffix}")
        cv2.imwrite(path, pixels)
        for image in (path, ImageSpec(path, bits=12), ImageSpec(path, bits=16)):
            np.testing.assert_array_equal(read_image(image, color_rgb=False), pixels)


def test_which_files_may_have_sixteen_bits():
    for pixels, deep in ((np.zeros((4, 4), np.uint8), False), (np.zeros((4, 4), np.uint16), True)):
        assert may_be_deep(cv2.imencode(".png", pixels)[1].tobytes()) is deep
        assert may_be_deep(cv2.imencode(".tif", pixels)[1].tobytes())
    assert not may_be_deep(cv2.imencode(".jpg", np.zeros((4, 4), np.uint8))[1].tobytes())
