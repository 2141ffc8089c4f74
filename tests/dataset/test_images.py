import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import lib.dataset.images as images_module
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.image_spec import ImageSpec
from lib.dataset.images import ImageFolder, read_image
from lib.dataset.keypoint_dataset import Augmentation, KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS
from lib.dataset.loader import drop_unreadable, evaluation_batches
from lib.dataset.splits import is_validation
from lib.utils.errors import InputError
from tests.factories.data_sets import (
    coco_image,
    coco_person,
    mpii_person,
    read_coco,
    read_mpii,
    smooth_image,
    write_coco,
    write_mpii,
)


def pack(archive, members, compression=zipfile.ZIP_STORED):
    """A zip archive with these members, {name: bytes}."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return archive


def pack_folder(folder, prefix=""):
    """``folder``.zip in place of ``folder``."""
    files = sorted(folder.iterdir())
    pack(folder.with_name(f"{folder.name}.zip"), {prefix + file.name: file.read_bytes() for file in files})
    for file in files:
        file.unlink()
    folder.rmdir()


def encoded(image, suffix=".png"):
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.fixture(params=["file", "member"])
def stored(request):
    """What ``read_image`` takes for an image in a file, as it is or packed into an archive."""

    def of(path):
        if request.param == "file":
            return str(path)
        archive = pack(path.parent / "packed.zip", {path.name: path.read_bytes()}, zipfile.ZIP_DEFLATED)
        path.unlink()
        return f"{archive}@/{path.name}"

    return of


def test_colours_are_red_green_blue(tmp_path, stored):
    Image.new("RGB", (5, 4), (200, 100, 50)).save(tmp_path / "plain.png")
    path = stored(tmp_path / "plain.png")
    assert read_image(path)[2, 3].tolist() == [200, 100, 50]
    assert read_image(path, color_rgb=False)[2, 3].tolist() == [50, 100, 200]


@pytest.mark.parametrize(
    ("mode", "name", "colour", "expected"),
    [
        ("L", "grey.jpg", 90, (90, 90, 90)),
        ("L", "grey.png", 90, (90, 90, 90)),
        ("CMYK", "cmyk.jpg", (55, 155, 205, 0), (200, 100, 50)),
        ("RGBA", "alpha.png", (200, 100, 50, 128), (200, 100, 50)),
        ("1", "bits.png", 1, (255, 255, 255)),
        ("P", "palette.png", 0, (0, 0, 0)),
    ],
)
def test_unusual_colours_read_as_three_channels(tmp_path, stored, mode, name, colour, expected):
    Image.new(mode, (20, 12), colour).save(tmp_path / name)
    image = read_image(stored(tmp_path / name))
    assert image.shape == (12, 20, 3) and image.dtype == np.uint8
    np.testing.assert_allclose(image[6, 10].astype(int), expected, atol=4)


@pytest.mark.parametrize("shape", [(12, 20), (12, 20, 3)])
def test_sixteen_bits_are_cut_to_eight(tmp_path, stored, shape):
    deep = np.random.default_rng(0).integers(0, 2**16, shape).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    image = read_image(stored(tmp_path / "deep.png"), color_rgb=False).astype(int)
    expected = np.broadcast_to(deep.reshape(12, 20, -1) / 257, (12, 20, 3))
    np.testing.assert_allclose(image, expected, atol=1.01)


def test_the_cameras_orientation_is_not_applied(tmp_path, stored):
    # Annotations count the stored pixels.
    image = Image.fromarray(smooth_image(40, 24))
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter turn
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert cv2.imread(str(tmp_path / "turned.jpg")).shape == (40, 24, 3), "the file says nothing of a turn"
    path = stored(tmp_path / "turned.jpg")
    loaded = read_image(path)
    assert loaded.shape == (24, 40, 3)
    assert np.abs(loaded.astype(int) - smooth_image(40, 24)).mean() < 5
    # Unless asked for: orientation 6 turns the stored image clockwise.
    turned = read_image(ImageSpec(path, upright=True))
    np.testing.assert_array_equal(turned, np.rot90(loaded, -1))


def test_a_folder_lists_its_files(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").write_bytes(b"")
    folder = ImageFolder(tmp_path / "set")
    assert folder.path("a.jpg", "x") == str(tmp_path / "set" / "a.jpg")
    with pytest.raises(InputError, match=r"^annotation 3: image 'b.jpg' is not in .*set$"):
        folder.path("b.jpg", "annotation 3")


@pytest.mark.parametrize("prefix", ["", "set/"])
def test_an_archive_lists_its_folder_or_its_top(tmp_path, prefix):
    members = {"set/": b"", f"{prefix}a.jpg": b"1", f"{prefix}sub/b.jpg": b"2", "other/c.jpg": b"3"}
    if not prefix:
        del members["set/"]
    archive = pack(tmp_path / "set.zip", members)
    folder = ImageFolder(tmp_path / "set", "zip")
    assert folder.path("a.jpg", "x") == f"{archive}@/{prefix}a.jpg"
    for name in ("b.jpg", "c.jpg", "d.jpg"):
        with pytest.raises(InputError, match=rf"^person 3: image '{name}' is not in .*set\.zip$"):
            folder.path(name, "person 3")


@pytest.mark.parametrize(
    "name", ["../x.jpg", "/etc/hostname", "set/../../x.jpg", "sub/b.jpg", "..", ".", "", None, 5]
)
def test_no_name_leaves_the_archive(tmp_path, name):
    members = [
        "../x.jpg",
        "/etc/hostname",
        "set/../../x.jpg",
        "set/sub/b.jpg",
        "set/..",
        "set/.",
        "..",
        "set/a.jpg",
    ]
    pack(tmp_path / "set.zip", dict.fromkeys(members, b"1"))
    (tmp_path / "x.jpg").write_bytes(encoded(smooth_image(8, 8)))
    folder = ImageFolder(tmp_path / "set", "zip")
    assert list(folder.paths) == ["a.jpg"]
    with pytest.raises(InputError, match=r"^person 3: image .* is not .*set\.zip$"):
        folder.path(name, "person 3")


def test_a_member_is_never_a_file_beside_the_archive(tmp_path):
    (tmp_path / "x.jpg").write_bytes(encoded(smooth_image(8, 8)))
    archive = pack(tmp_path / "set.zip", {"a.jpg": b"1"})
    for member in ("../x.jpg", "x.jpg", str(tmp_path / "x.jpg")):
        assert read_image(f"{archive}@/{member}") is None


@pytest.mark.parametrize(
    "content", [None, b"", b"PK", b"not an archive at all" * 9, "cut", "wrong directory"]
)
def test_an_archive_that_cannot_be_opened_is_named(tmp_path, content):
    archive = pack(tmp_path / "set.zip", {"a.jpg": b"1" * 999, "b.jpg": b"2" * 999})
    whole = archive.read_bytes()
    archive.unlink()
    if content == "cut":
        content = whole[:-30]
    elif content == "wrong directory":
        content = whole.replace(b"PK\x01\x02", b"PK\x09\x09")
    if content is not None:
        archive.write_bytes(content)
    with pytest.raises(InputError) as caught:
        _ = ImageFolder(tmp_path / "set", "zip").paths
    message = str(caught.value)
    assert message.startswith(f"{archive}: ") and "\n" not in message
    assert ("No such file" if content is None else "not a zip archive") in message
    assert read_image(f"{archive}@/a.jpg") is None


def test_a_folder_in_the_archives_place(tmp_path):
    (tmp_path / "set.zip").mkdir()
    with pytest.raises(InputError, match="cannot read the image archive"):
        _ = ImageFolder(tmp_path / "set", "zip").paths


@pytest.mark.parametrize(
    "damage", ["missing", "checksum", "empty", "text", "cut", "encrypted", "bz2", "lzma"]
)
def test_a_member_that_cannot_be_read_is_none(tmp_path, damage):
    if damage in ("bz2", "lzma"):
        pytest.importorskip(damage)
    good = encoded(smooth_image(64, 48, seed=1))
    bad = {"empty": b"", "text": b"not an image\n", "cut": good[:30]}.get(damage, good)
    packing = {"bz2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}.get(damage, zipfile.ZIP_STORED)
    archive = pack(tmp_path / "set.zip", {"bad.png": bad}, packing)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("good.png", good)
    content = bytearray(archive.read_bytes())
    if damage == "checksum":
        content[content.index(good) + len(good) // 2] ^= 0xFF
    elif damage == "encrypted":
        content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    name = "gone.png" if damage == "missing" else "bad.png"
    assert read_image(f"{archive}@/{name}") is None
    np.testing.assert_array_equal(
        read_image(f"{archive}@/good.png"), smooth_image(64, 48, seed=1)[:, :, ::-1]
    )


@pytest.mark.parametrize("honest", [True, False], ids=["says its size", "says a smaller one"])
@pytest.mark.parametrize("limit", [10_000, 100])
def test_a_member_above_the_limit_is_refused(tmp_path, monkeypatch, limit, honest):
    content = encoded(smooth_image(20, 20)).ljust(9_000, b"\0")  # an image, whatever follows
    archive = pack(tmp_path / "set.zip", {"a.png": content}, zipfile.ZIP_DEFLATED)
    if not honest:
        archive.write_bytes(archive.read_bytes().replace(struct.pack("<L", 9_000), struct.pack("<L", 90)))
    monkeypatch.setattr(images_module, "MAX_MEMBER_BYTES", limit)
    image = read_image(f"{archive}@/a.png")
    assert (image is not None) == (honest and limit > 9_000)


def test_the_limit_holds_while_unpacking(tmp_path, monkeypatch):
    """A member that says nothing of its 64 MB must not be unpacked first and measured then."""
    archive = pack(tmp_path / "set.zip", {"a.png": bytes(2**26)}, zipfile.ZIP_DEFLATED)
    archive.write_bytes(archive.read_bytes().replace(struct.pack("<L", 2**26), struct.pack("<L", 2**20)))
    monkeypatch.setattr(images_module, "MAX_MEMBER_BYTES", 2**16)
    tracemalloc.start()
    assert read_image(f"{archive}@/a.png") is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


def test_an_archive_is_opened_once_in_each_process(tmp_path, monkeypatch):
    archive = pack(tmp_path / "set.zip", {f"{n}.png": encoded(smooth_image(8, 8, n)) for n in range(3)})
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, path):
            super().__init__(path)
            opened.append(os.getpid())

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    for process in (11, 22, 11):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        assert all(read_image(f"{archive}@/{n}.png") is not None for n in range(3))
    assert opened == [11, 22]


def coco_pair(root, prefix, people=12, images=4):
    """The same people, their images in a folder and in an archive."""
    entries = [coco_image(n) for n in range(1, images + 1)]
    annotations = [coco_person(n, 1 + n % images) for n in range(people)]
    for kind in ("jpg", "zip"):
        write_coco(root / kind, annotations, entries)
    pack_folder(root / "zip" / "images" / "train2017", prefix)
    return [read_coco(root / kind, "train2017", COCO_KEYPOINTS, 0.75, kind) for kind in ("jpg", "zip")]


def assert_same_people(one, other):
    for name in ("ids", "image_index", "joints", "visible", "centers", "sizes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert [Path(path).name for path in one.image_paths] == [Path(path).name for path in other.image_paths]
    for path, packed in zip(one.image_paths, other.image_paths):
        assert path != packed
        np.testing.assert_array_equal(read_image(path), read_image(packed))


@pytest.mark.parametrize("prefix", ["", "train2017/"])
@pytest.mark.parametrize("workers", [0, 2])
def test_coco_in_an_archive_gives_the_same_samples(tmp_path, prefix, workers):
    people = coco_pair(tmp_path, prefix)
    assert_same_people(*people)  # opens the archive in this process, before the workers fork
    batches = [
        list(evaluation_batches(KeypointDataset(p, HeatmapCodec((24, 32), (6, 8), 1)), 3, workers, False))
        for p in people
    ]
    assert len(batches[0]) == 4
    for plain, packed in zip(*batches, strict=True):
        assert list(plain.problem) == list(packed.problem) == [""] * 3
        for x, y in zip(plain[:-1], packed[:-1]):
            assert torch.equal(x, y)


def test_two_workers_read_one_archive_at_the_same_time(tmp_path):
    people = coco_pair(tmp_path, "train2017/", people=300, images=30)[1]
    expected = [read_image(path) for path in people.image_paths]
    dataset = KeypointDataset(people, HeatmapCodec((24, 32), (6, 8), 1), Augmentation(True, 40.0, 0.3))
    alone, together = (list(evaluation_batches(dataset, 10, workers, False)) for workers in (0, 2))
    for one, two in zip(alone, together, strict=True):
        assert not any(two.problem)
        assert torch.equal(one.image, two.image)
    for path, image in zip(people.image_paths, expected):  # the workers left this process's position alone
        np.testing.assert_array_equal(read_image(path), image)


def test_a_damaged_member_goes_through_the_workers(tmp_path):
    people = coco_pair(tmp_path, "train2017/")[1]
    archive = tmp_path / "zip" / "images" / "train2017.zip"
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["train2017/000000000002.jpg"] = b"damaged"
    del members["train2017/000000000003.jpg"]
    pack(archive, members)
    dataset = KeypointDataset(people, HeatmapCodec((24, 32), (6, 8), 1))
    (batch,) = evaluation_batches(dataset, 12, 1, False)
    rest, problems = drop_unreadable(batch, "skip")
    assert rest.index.tolist() == [n for n in range(12) if n % 4 not in (1, 2)]
    assert len(problems) == 6
    for problem in problems:
        assert problem.startswith(
            (f"{archive}@/train2017/000000000002.jpg", f"{archive}@/train2017/000000000003.jpg")
        )


def test_an_image_that_the_archive_lacks_is_named(tmp_path):
    path = write_coco(tmp_path, [coco_person(4711, 1)])
    pack(tmp_path / "images" / "train2017.zip", {"train2017/000000000009.jpg": b"1"})
    with pytest.raises(InputError) as caught:
        read_coco(tmp_path, "train2017", COCO_KEYPOINTS, 0.75, "zip")
    message = str(caught.value)
    for part in (
        path.name,
        "annotation 4711",
        "'000000000001.jpg'",
        str(tmp_path / "images" / "train2017.zip"),
    ):
        assert part in message


@pytest.mark.parametrize("prefix", ["", "images/"])
def test_mpii_in_an_archive_gives_the_same_people_and_the_same_split(tmp_path, prefix):
    everyone = [mpii_person(f"{n * 37 % 100:03}.jpg", center=[n, n]) for n in range(20)]
    for kind in ("jpg", "zip"):
        write_mpii(tmp_path / kind, everyone)
    pack_folder(tmp_path / "zip" / "images", prefix)
    people = [read_mpii(tmp_path / kind, "train", MPII_KEYPOINTS, 0.75, kind) for kind in ("jpg", "zip")]
    assert_same_people(*people)
    np.testing.assert_array_equal(*(is_validation(p, "image") for p in people))
    with pytest.raises(InputError, match=r"images: cannot read the image folder"):
        read_mpii(tmp_path / "zip", "train", MPII_KEYPOINTS, 0.75)
