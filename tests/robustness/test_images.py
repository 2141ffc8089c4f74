"""Spoilt images: read as three channels of bytes, or reported with file and annotation."""

import json
import os
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import default_collate

from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.images import ImageFolder, read_image
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.dataset.loader import drop_unreadable
from lib.utils.errors import InputError
from tests.factories.data_sets import coco_image, coco_person, read_coco, smooth_image, write_coco
from tests.harness.mutations import FEW_AND_MANY, PLACES, put, spoilt_bytes, try_many, within

PICTURE = smooth_image(40, 24)
DEEP = PICTURE.astype(np.uint16) * 257
KINDS = {
    "colour.jpg": (".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "grey.jpg": (".jpg", PICTURE[..., 0], []),
    "colour.png": (".png", PICTURE, []),
    "grey.png": (".png", PICTURE[..., 0], []),
    "deep.png": (".png", DEEP, []),
    "deep_grey.png": (".png", DEEP[..., 0], []),
    "alpha.png": (".png", np.dstack([PICTURE, PICTURE[..., :1]]), []),
    "plain.bmp": (".bmp", PICTURE, []),
    "deep.tiff": (".tiff", DEEP, []),
    "real.tiff": (".tiff", PICTURE.astype(np.float32), []),
    "plain.webp": (".webp", PICTURE, []),
    "plain.ppm": (".ppm", PICTURE, []),
}


def encoded(kind):
    suffix, image, options = KINDS[kind]
    return cv2.imencode(suffix, image, options)[1].tobytes()


def pil_bytes(path, mode, **options):
    Image.fromarray(PICTURE).convert(mode).save(path, **options)
    return path.read_bytes()


def assert_image(image):
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size > 0


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"real.tiff"}))  # real numbers are no colours
@pytest.mark.parametrize("name", ["right", "wrong.jpg", "wrong.png", "none"])
def test_every_kind_by_any_name(tmp_path, kind, name):
    path = tmp_path / (kind if name == "right" else name)
    path.write_bytes(encoded(kind))
    image = read_image(str(path))
    assert_image(image)
    assert image.shape == (24, 40, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_samples_are_of_the_stored_pixels_whatever_the_camera_says(tmp_path, orientation):
    """As pycocotools' users expect: COCO's width, height and keypoints count the stored pixels."""
    write_coco(tmp_path, [coco_person()], [coco_image(width=40, height=24)])
    path = tmp_path / "images" / "train2017" / "000000000001.jpg"
    exif = Image.Exif()
    samples = []
    for number in (1, orientation):
        exif[0x0112] = number
        Image.fromarray(PICTURE).save(path, exif=exif, quality=95)
        people = read_coco(tmp_path, "train2017", COCO_KEYPOINTS, 0.75)
        samples.append(KeypointDataset(people, HeatmapCodec((24, 32), (6, 8), 1))[0, 0])
    for one, other in zip(samples[0][:3], samples[1][:3]):
        assert one.equal(other)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_spoilt_files(tmp_path, examples):
    write_coco(tmp_path, [coco_person()], [coco_image(width=40, height=24)])
    path = tmp_path / "images" / "train2017" / "000000000001.jpg"
    people = read_coco(tmp_path, "train2017", COCO_KEYPOINTS, 0.75)
    dataset = KeypointDataset(people, HeatmapCodec((24, 32), (6, 8), 1))
    wholes = [encoded(kind) for kind in KINDS]
    wholes.append(pil_bytes(tmp_path / "cmyk.jpg", "CMYK"))
    wholes.append(pil_bytes(tmp_path / "palette.png", "P"))
    placed = st.tuples(
        st.sampled_from(wholes).flatmap(spoilt_bytes),
        st.one_of(st.just("file"), st.just("file"), st.sampled_from(PLACES)),
    )

    def check(content_and_place):
        put(path, *content_and_place)
        image = read_image(str(path))
        sample = dataset[0, 0]
        if image is None:
            assert str(path) in sample.problem and "annotation 7" in sample.problem
        else:
            assert_image(image)
            # Of another size than annotated it is not used: its pixels are in another frame than the labels.
            is_other_size = image.shape[1::-1] != tuple(people.bounds[0].astype(int))
            assert bool(sample.problem) == is_other_size
        assert all(np.isfinite(part.numpy()).all() for part in sample[:3])

    try_many(examples, placed, check)


def test_a_pipe_in_a_images_place_does_not_wait_for_somebody_to_write(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with within(10):
        assert read_image(str(tmp_path / "a.jpg")) is None


def test_a_image_that_says_it_is_enormous_is_not_read(tmp_path):
    whole = bytearray(encoded("colour.png"))
    whole[16:24] = (100_000).to_bytes(4, "big") * 2
    whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(whole)
    assert read_image(str(tmp_path / "a.png")) is None


@pytest.mark.parametrize(
    "name",
    ["../secret.jpg", "../../etc/passwd", "/etc/passwd", "a/../../secret.jpg", "..\\secret.jpg", "C:\\secret.jpg",
     "a.jpg\0.png", "\0", "file:///etc/passwd", "", ".", "..", "AB.JPG"],
)  # fmt: skip
def test_no_name_in_an_annotation_leaves_the_folder(tmp_path, name):
    path = write_coco(tmp_path, [coco_person(4711)], [coco_image(file_name="a.jpg")])
    (tmp_path / "images" / "secret.jpg").write_bytes(encoded("colour.jpg"))
    text = path.read_text().replace('"a.jpg"', json.dumps(name))
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_coco(tmp_path, "train2017", COCO_KEYPOINTS, 0.75)
    message = str(caught.value)
    assert path.name in message and "annotation 4711" in message and repr(name) in message


@pytest.mark.parametrize(
    "name", ["./a.jpg", "sub/a.jpg", "a.jpg/", "~/a.jpg", "../../etc/a.jpg", "file:///etc/a.jpg"]
)
def test_a_path_of_elsewhere_means_the_image_in_the_folder(tmp_path, name):
    path = write_coco(tmp_path, [coco_person(4711)], [coco_image(file_name="a.jpg")])
    path.write_text(path.read_text().replace('"a.jpg"', json.dumps(name)))
    people = read_coco(tmp_path, "train2017", COCO_KEYPOINTS, 0.75)
    assert list(people.image_paths) == [str(tmp_path / "images" / "train2017" / "a.jpg")]


def test_a_link_that_leads_nowhere_or_to_itself(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    listed = ImageFolder(folder)
    for name in ("loop.jpg", "gone.jpg"):
        assert read_image(listed.path(name, "x")) is None
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(InputError, match="round: cannot read the image folder"):
        _ = ImageFolder(tmp_path / "round").paths


def test_a_batch_says_which_image_of_which_annotation(tmp_path):
    write_coco(tmp_path, [coco_person(1), coco_person(2, 2)], [coco_image(1), coco_image(2)])
    (tmp_path / "images" / "train2017" / "000000000002.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    people = read_coco(tmp_path, "train2017", COCO_KEYPOINTS, 0.75)
    dataset = KeypointDataset(people, HeatmapCodec((24, 32), (6, 8), 1))
    batch = default_collate([dataset[i, 0] for i in range(2)])
    with pytest.raises(InputError, match=r"000000000002\.jpg: cannot be read as an image \(annotation 2\)"):
        drop_unreadable(batch, "raise")
