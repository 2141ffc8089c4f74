from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.predict.sources import FrameReader, Source, count_frames, find_sources
from lib.utils.errors import InputError


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("b.jpg", "a.PNG", "000000000139.jpg"):
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, (20, 30, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "inside").mkdir()
    return tmp_path


def write_video(path, count, size=(64, 48), rate=10.0):
    """Each image is brighter than the one before."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, size)
    for number in range(count):
        video.write(np.full((size[1], size[0], 3), 20 + 6 * number, np.uint8))
    video.release()
    return path


def names(sources):
    return [source.path.name for source in sources]


def test_files_folders_and_globs_each_file_once(folder):
    everything = ["000000000139.jpg", "a.PNG", "b.jpg"]
    assert names(find_sources([str(folder)])) == everything
    assert names(find_sources([f"{folder}/*.jpg"])) == ["000000000139.jpg", "b.jpg"]
    assert names(find_sources([str(folder / "b.jpg"), str(folder)])) == ["b.jpg", "000000000139.jpg", "a.PNG"]
    assert names(find_sources([str(folder / "notes.txt")])) == ["notes.txt"]
    (folder / "[1].jpg").write_bytes((folder / "b.jpg").read_bytes())
    assert names(find_sources([str(folder / "[1].jpg")])) == ["[1].jpg"]


@pytest.mark.parametrize(
    "path, expected", [("no.jpg", "no such file"), ("*.gif", "no file matches"), ("inside", "no image")]
)
def test_nothing_there(path, expected, folder):
    with pytest.raises(InputError, match=expected):
        find_sources([str(folder / path)])


def test_numbers_are_those_of_file_names():
    numbers = [Source(Path(name)).number for name in ("000139.jpg", "1a.jpg", "²3.jpg")]
    assert numbers == [139, None, None]


def test_images_are_rgb_and_upright(folder):
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:, :16] = (0, 0, 255)  # the left half red, in OpenCV's BGR
    _, jpeg = cv2.imencode(".jpg", stored)
    turn_right = b"\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    (folder / "b.jpg").write_bytes(jpeg[:2].tobytes() + turn_right + jpeg[2:].tobytes())
    (frame,) = FrameReader([Source(folder / "b.jpg")])
    assert frame.image.shape == (32, 16, 3) and frame.name == "b.jpg"
    assert frame.image[4, 8, 0] > 200 and frame.image[4, 8, 2] < 50 and frame.image[28, 8].max() < 50


def test_a_video_image_by_image(tmp_path):
    source = Source(write_video(tmp_path / "clip.mp4", 12, rate=8.0))
    reader = FrameReader([source])
    frames = list(reader)
    assert reader.problems == []
    assert [frame.name for frame in frames] == [f"clip.mp4#{i}" for i in range(12)]
    assert np.all(np.diff([frame.image.mean() for frame in frames]) > 3)
    assert {frame.rate for frame in frames} == {8.0} and frames[0].image.shape == (48, 64, 3)
    assert count_frames([source, Source(tmp_path / "a.jpg")]) == 13


def test_bad_files_are_reported_and_the_rest_is_read(folder):
    (folder / "b.jpg").write_bytes(b"no image")
    (folder / "c.mp4").write_bytes(b"no video")
    reader = FrameReader(find_sources([str(folder)]))
    frames = list(reader)
    assert [frame.name for frame in frames] == ["000000000139.jpg", "a.PNG"]
    assert [problem.partition(": ")[2] for problem in reader.problems] == [
        "cannot be read as an image",
        "cannot be read as a video",
    ]


def test_sixteen_bit_images_have_one_scale(tmp_path):
    """A camera of 12 bits: an image without bright pixels is not made brighter than the others."""
    for name, largest in (("dark", 900), ("bright", 4000)):
        pixels = np.full((20, 30), largest, np.uint16)
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    frames = {frame.name: frame.image for frame in FrameReader(find_sources([str(tmp_path)]))}
    assert frames["dark.png"].max() == 900 >> 4 and frames["bright.png"].max() == 4000 >> 4
