"""The upper part of a JPEG decodes to the same pixels as the whole."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.dataset.images import DECODE_FLAGS, read_image
from lib.dataset.jpeg import READ_AHEAD, read_header, upper_part
from tests.factories.data_sets import smooth_image

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SAMPLINGS = ("411", "420", "422", "440", "444")


def decoded(content, reduce=1):
    flags = DECODE_FLAGS[reduce] | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)


def encoded(image, **options):
    parameters = [(getattr(cv2, f"IMWRITE_JPEG_{name}"), value) for name, value in options.items()]
    is_encoded, content = cv2.imencode(".jpg", image, [int(number) for pair in parameters for number in pair])
    assert is_encoded
    return content.tobytes()


def image(width, height, kind):
    if kind == "noise":
        return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return np.full((height, width, 3), 90, np.uint8) if kind == "plain" else smooth_image(width, height)


@pytest.mark.parametrize("kind", ["noise", "plain", "smooth", "grey"])
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize(("width", "height"), [(70, 131), (5, 96), (129, 64), (1, 1)])
def test_the_rows_are_the_same(kind, sampling, width, height, capfd):
    pixels = image(width, height, kind)
    options = {"QUALITY": 85, "SAMPLING_FACTOR": getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")}
    content = encoded(pixels[..., 0] if kind == "grey" else pixels, **options)
    for reduce in DECODE_FLAGS:
        whole = decoded(content, reduce)
        for rows in range(0, height + 20, 5):
            upper = decoded(upper_part(content, rows), reduce)
            assert min(rows, height) // reduce <= len(upper) <= len(whole)
            np.testing.assert_array_equal(upper[: rows // reduce], whole[: rows // reduce])
    assert "Corrupt" not in capfd.readouterr().err


def test_fewer_rows_are_decoded():
    content = encoded(image(64, 200, "noise"))
    assert len(decoded(upper_part(content, 50))) < 100 < len(decoded(content))


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real images in {DATA}")
def test_real_images(capfd):
    paths = sorted(DATA.glob("*/images/**/*.jpg"))[::60]
    assert paths
    for path in paths:
        whole = read_image(str(path))
        for share in (0, 0.3, 0.7, 0.95):
            rows = int(share * len(whole))
            upper = read_image(str(path), rows=rows)
            np.testing.assert_array_equal(upper[:rows], whole[:rows])
    assert "Corrupt" not in capfd.readouterr().err


def test_what_is_no_plain_jpeg_stays_as_it_is():
    noise = image(64, 200, "noise")
    content = encoded(noise)
    unusual = {
        "progressive": encoded(noise, PROGRESSIVE=1),
        "restarts": encoded(noise, RST_INTERVAL=4),
        "cut off": content[: len(content) // 2],
        "png": cv2.imencode(".png", noise)[1].tobytes(),
        "empty": b"",
        "start": content[:2],
        "text": b"\xff\xd8 no image \xff\xd9",
    }
    for kind, unusual_content in unusual.items():
        assert upper_part(unusual_content, 20) == unusual_content, kind
    assert upper_part(content, 20) != content


@given(st.binary(max_size=60), st.integers(0, 40), st.integers(-5, 300))
def test_any_content_stays_as_it_is_or_gets_a_smaller_height_and_another_end(noise, at, rows):
    jpeg = encoded(image(16, 64, "smooth"))
    for content in (jpeg[:at] + noise + jpeg[at:], jpeg[:at] + noise, noise):
        upper = upper_part(content, rows)
        if upper != content:
            kept = upper.removesuffix(READ_AHEAD)
            changed = [k for k, (before, after) in enumerate(zip(content, kept)) if before != after]
            assert len(kept) < len(upper) and content[len(kept) : len(kept) + 2] == b"\xff\xd9"
            assert not changed or changed[-1] - changed[0] < 2  # the two bytes of the height


SUBJECTS = {
    "plain": {},
    "progressive": {"PROGRESSIVE": 1},
    "restarts": {"RST_INTERVAL": 3},
    "restarts each row": {"RST_INTERVAL": 8},
}


@pytest.fixture(params=SUBJECTS)
def whole(request):
    """A JPEG of 61 x 203 pixels that ends with its end marker."""
    content = encoded(smooth_image(61, 203), QUALITY=90, **SUBJECTS[request.param])
    assert content.endswith(b"\xff\xd9")
    return content


def read(tmp_path, content, **how):
    (tmp_path / "a.jpg").write_bytes(content)
    return read_image(str(tmp_path / "a.jpg"), color_rgb=False, **how)


@pytest.mark.parametrize("reduce", DECODE_FLAGS)
def test_only_the_end_marker_is_missing(tmp_path, whole, reduce):
    expected = decoded(whole, reduce)
    pixels = whole[:-2]
    for content in (pixels, pixels + b"\xff", pixels + bytes(500), pixels + b"\xff" + bytes(3)):
        np.testing.assert_array_equal(read(tmp_path, content, reduce=reduce), expected)
        np.testing.assert_array_equal(read(tmp_path, content, reduce=reduce, rows=16), expected)


def test_what_follows_the_end_marker_does_not_matter(tmp_path, whole):
    for tail in (b"\0", bytes(999), b"appended" * 99, b"\xff"):
        np.testing.assert_array_equal(read(tmp_path, whole + tail), decoded(whole))


@pytest.mark.parametrize("kind", ["smooth", "noise", "grey"])
@pytest.mark.parametrize("options", SUBJECTS.values(), ids=SUBJECTS)
def test_missing_pixels_are_never_grey_or_arbitrary(tmp_path, kind, options):
    """Cut anywhere, a file reads as the whole one does or not at all."""
    pixels = image(61, 203, kind)
    content = encoded(pixels[..., 0] if kind == "grey" else pixels, QUALITY=90, **options)
    expected = decoded(content)
    cuts = np.linspace(700, len(content) - 3, 60).astype(int).tolist() + [
        len(content) - k for k in range(3, 40)
    ]
    read_anyway = 0
    for cut in cuts:
        for tail in (b"", bytes(2000)):
            found = read(tmp_path, content[:cut] + tail)
            read_anyway += found is not None
            assert found is None or np.array_equal(found, expected)
            assert found is None or cut > len(content) - 12
    assert read_anyway < 30


def test_a_thumbnails_end_marker_is_not_the_images(tmp_path, whole):
    thumbnail = b"Exif\0\0" + encoded(smooth_image(16, 16))
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    with_thumbnail = whole[:2] + segment + whole[2:]
    np.testing.assert_array_equal(read(tmp_path, with_thumbnail), decoded(whole))
    np.testing.assert_array_equal(read(tmp_path, with_thumbnail[:-2]), decoded(whole))
    assert read(tmp_path, with_thumbnail[: -len(whole) // 2]) is None


def test_the_size_is_in_the_header(whole):
    assert read_header(whole).size == (61, 203)
    for content in (b"", b"\xff\xd8", whole[:30], cv2.imencode(".png", image(8, 8, "noise"))[1].tobytes()):
        assert read_header(content) is None
