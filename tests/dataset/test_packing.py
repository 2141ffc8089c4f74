"""Samples from a pack: those of the images to the last bit, after whatever happened to the pack or the images."""

import itertools
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from lib.dataset import images, pack_file, packing
from lib.dataset.crop import crop_matrix
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import Augmentation, KeypointDataset, denormalize
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS
from lib.dataset.packing import Packing, opened, packed
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.dataset.test_keypoint_dataset import crop_of, people_on
from tests.factories.data_sets import read_coco, read_mpii, smooth_image

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

CODEC = HeatmapCodec(image_size=(48, 64), heatmap_size=(12, 16), sigma=1)
USUAL = Augmentation(flip=True, rotation=40.0, scale=0.3)
SKIP = Packing("skip", threads=2)
IMAGES = 5
SMALL = (2.0, 15.0, 40.0)  # widths of people whose regions are not whole images


def write_noise(path, seed, width=180, height=140):
    """An image of sharp noise, in which a pixel beside the right one is another color."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 120, (height, width, 3)) + smooth_image(width, height, seed) // 2
    assert cv2.imwrite(str(path), noise.astype(np.uint8))


def make_people(folder, suffix=".jpg", count=20, seed=2, widths=(2.0, 15.0, 40.0, 120.0, 700.0)):
    """Tiny and huge people anywhere: inside of five images, across their borders and far outside."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{n}{suffix}" for n in range(IMAGES)]
    for n, path in enumerate(paths):
        write_noise(path, n)
    sizes = rng.choice(widths, (count, 1)) * (1, 64 / 48)
    centers = rng.uniform(-30, 200, (count, 2))
    centers[3] = (5000, -900)
    return people_on(
        paths, count, joints=rng.uniform(-20, 200, (count, 13, 2)), centers=centers, sizes=sizes
    )  # fmt: skip


def dataset_of(people, augmentation=USUAL, **settings):
    return KeypointDataset(people, CODEC, augmentation, seed=1, **settings)


@pytest.fixture(params=["settled", "just written"])
def times(monkeypatch, request):
    """Whether the times of the images prove that they have not changed."""
    granularity = -(10**10) if request.param == "settled" else 10**12
    monkeypatch.setattr("lib.dataset.file_state.MTIME_GRANULARITY_NS", granularity)
    return request.param


@pytest.fixture
def decoded(monkeypatch):
    """The sizes of the images that are decoded to make packs."""
    decoded, decode = [], packing.decode_image

    def recorded(content, image, reduce):
        decoded.append(len(content))
        return decode(content, image, reduce)

    monkeypatch.setattr(packing, "decode_image", recorded)
    return decoded


def assert_same(one, other, visits=4):
    for key in itertools.product(range(len(one)), range(visits)):
        a, b = one[key], other[key]
        assert a.problem == b.problem
        for x, y in zip(a[:-1], b[:-1], strict=True):
            assert torch.equal(x, y)


def assert_fresh(dataset, path, how=SKIP):
    """The pack at ``path``, opened now, gives the samples of the images as they are now."""
    with captured_messages() as messages:
        assert_same(packed(dataset, path, how), dataset)
    return messages


@pytest.mark.parametrize("augmentation", [None, USUAL, Augmentation(True, 170.0, 0.6)], ids=["none", "usual", "strong"])  # fmt: skip
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("color_rgb", [True, False], ids=["rgb", "bgr"])
def test_samples_are_those_of_the_images_to_the_last_bit(tmp_path, augmentation, suffix, color_rgb):
    dataset = dataset_of(make_people(tmp_path / "images", suffix), augmentation, color_rgb=color_rgb)
    with_pack = packed(dataset, tmp_path / "a.pack", Packing())
    assert dataset.pack is None and len(with_pack.pack) == len(dataset) == 20
    assert_same(with_pack, dataset, visits=8)


def test_pixels_are_those_of_opencvs_warp_of_the_whole_image(tmp_path):
    people = make_people(tmp_path / "images")
    dataset = packed(dataset_of(people), tmp_path / "a.pack", Packing())
    turned = set()
    for index, visit in itertools.product(range(len(dataset)), range(6)):
        size, rotation, mirror = crop_of(dataset, index, visit)
        matrix = crop_matrix(people.centers[index], size, CODEC.image_size, rotation, mirror)
        image = cv2.imread(people.image_paths[people.image_index[index]])[:, :, ::-1]
        expected = cv2.warpAffine(image, matrix, CODEC.image_size, flags=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(denormalize(dataset[index, visit].image), expected)
        turned.add((rotation != 0, mirror))
    assert len(turned) == 4


def test_the_next_start_decodes_nothing(tmp_path, times, decoded):
    dataset, path = dataset_of(make_people(tmp_path / "images")), tmp_path / "a.pack"
    packed(dataset, path, SKIP)
    assert len(decoded) == 2 * IMAGES  # once to estimate the space
    decoded.clear()
    before = path.read_bytes()
    assert assert_fresh(dataset, path) == []
    assert decoded == [] and path.read_bytes() == before
    # Other processes only open it.
    assert_same(opened(dataset, path), dataset)


def test_people_of_one_image_are_decoded_once_and_share_pixels(tmp_path, decoded):
    people = make_people(tmp_path / "images", count=40)
    packed(dataset_of(people), tmp_path / "a.pack", SKIP)
    assert len(decoded) == 2 * IMAGES
    assert (tmp_path / "a.pack").stat().st_size < 3 * 180 * 140 * IMAGES + 10_000


def changed_image(people, path):
    write_noise(people.image_paths[1], 77)
    return people


def changed_back_in_time(people, path):
    stat = os.stat(people.image_paths[1])
    write_noise(people.image_paths[1], 77)
    os.utime(people.image_paths[1], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return people


def other_size(people, path):
    write_noise(people.image_paths[2], 78, 300, 200)
    return people


def moved_box(people, path):
    centers = people.centers.copy()
    centers[6] = (175, 135)  # 13 pixels further up, where nobody else of its image is
    return replace(people, centers=centers)


def larger_boxes(people, path):
    return replace(people, sizes=people.sizes * np.float32(1.5))


def another_person(people, path):
    return people.subset(np.r_[np.arange(len(people)), 0, 5][::-1].copy())


def cut_off(people, path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)
    return people


def empty(people, path):
    path.write_bytes(b"")
    return people


def damaged_pixels(people, path):
    content = bytearray(path.read_bytes())
    content[2000:2100] = bytes(100)
    path.write_bytes(content)
    return people


def damaged_end(people, path):
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    return people


def other_version(people, path):
    content = path.read_bytes()
    head = pack_file.HEADER.pack(pack_file.MAGIC, pack_file.VERSION + 1, bytes(16))
    path.write_bytes(head + content[len(head) :])
    return people


# {change: what the log says}
CHANGES = {
    changed_image: "1 images have changed", changed_back_in_time: "1 images have changed",
    other_size: "1 images have changed", moved_box: "packing 1 images", larger_boxes: "packing",
    another_person: "", cut_off: "not finished, or is cut off", empty: "packing 5 images",
    damaged_pixels: "pixels are damaged; keeping 4 images", damaged_end: "cut off; keeping 5 images",
    other_version: "version 3 of the format",
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_never_gives_stale_pixels(tmp_path, times, change):
    people, path = make_people(tmp_path / "images", widths=SMALL), tmp_path / "a.pack"
    packed(dataset_of(people), path, SKIP)
    changed = change(people, path)
    messages = assert_fresh(dataset_of(changed), path)
    assert CHANGES[change] in " ".join(messages)
    assert assert_fresh(dataset_of(changed), path) == []  # from now on it is up to date


@pytest.mark.parametrize(
    ("before", "wider"),
    [(Augmentation(True, 5.0, 0.3), USUAL), (USUAL, Augmentation(True, 40.0, 0.5))],
    ids=["rotation", "scale"],
)
def test_a_stronger_augmentation_needs_more_pixels_and_a_weaker_one_has_them(
    tmp_path, before, wider, decoded
):
    people, path = make_people(tmp_path / "images", widths=SMALL), tmp_path / "a.pack"
    packed(dataset_of(people, before), path, SKIP)
    decoded.clear()
    for weaker in (None, Augmentation(False, 2.0, 0.1)):
        assert_fresh(dataset_of(people, weaker), path)
    assert not decoded
    assert_fresh(dataset_of(people, wider), path)
    assert decoded


def test_content_that_is_the_same_at_other_times_is_not_decoded_again(tmp_path, monkeypatch, decoded):
    monkeypatch.setattr("lib.dataset.file_state.MTIME_GRANULARITY_NS", -(10**10))
    people, path = make_people(tmp_path / "images"), tmp_path / "a.pack"
    packed(dataset_of(people), path, SKIP)
    decoded.clear()
    reads, read_content = [], packing.read_content
    monkeypatch.setattr(packing, "read_content", lambda p: reads.append(p) or read_content(p))
    for image in people.image_paths:
        os.utime(image, ns=(1, 10**18))
    assert assert_fresh(dataset_of(people), path) == []
    assert len(reads) == IMAGES and decoded == []  # compared by content, once
    assert assert_fresh(dataset_of(people), path) == []
    assert len(reads) == IMAGES


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interruption_keeps_what_was_packed(tmp_path, monkeypatch, decoded, error):
    people, path = make_people(tmp_path / "images"), tmp_path / "a.pack"
    append, appended = pack_file.append, []

    def interrupted(*arguments):
        if len(appended) == 3:
            raise error
        appended.append(append(*arguments))
        return appended[-1]

    with monkeypatch.context() as patch:
        patch.setattr(pack_file, "append", interrupted)
        with pytest.raises(error):
            packed(dataset_of(people), path, SKIP)
    decoded.clear()
    with captured_messages() as messages:
        again = packed(dataset_of(people), path, SKIP)
    assert "keeping 3 images" in " ".join(messages) and "packing 2 images" in " ".join(messages)
    assert len(decoded) == 4  # of two images, each also to estimate the space
    assert_same(again, dataset_of(people))


def test_a_pack_of_other_settings_is_replaced_and_not_enlarged(tmp_path):
    people, path = make_people(tmp_path / "images", count=10), tmp_path / "a.pack"
    small = dataset_of(replace(people, sizes=people.sizes / 40), None)
    users = packed(small, path, SKIP)
    users[0, 0]  # maps the file
    with captured_messages() as messages:
        packed(dataset_of(people), path, SKIP)
    assert "most of it is of other settings" in " ".join(messages)
    assert_same(users, small)  # a run that has it open goes on
    again = pickle.loads(pickle.dumps(users))
    with pytest.raises(InputError, match=r"a\.pack: another run has replaced this pack"):
        again[0, 0]
    path.unlink()
    with pytest.raises(InputError, match=r"a\.pack: cannot be read any more"):
        pickle.loads(pickle.dumps(users))[0, 0]


def test_images_of_a_zip_archive(tmp_path, times, decoded):
    people = make_people(tmp_path / "images")
    archive = tmp_path / "images.zip"

    def write():
        images._open_archive.cache_clear()  # as in the process of another start
        with zipfile.ZipFile(archive, "w") as file:
            for path in people.image_paths:
                file.write(path, os.path.basename(path))

    write()
    zipped = replace(
        people, image_paths=tuple(f"{archive}@/{os.path.basename(p)}" for p in people.image_paths)
    )
    assert_same(packed(dataset_of(zipped), tmp_path / "a.pack", SKIP), dataset_of(people))
    decoded.clear()
    write_noise(people.image_paths[4], 90)
    write()
    assert assert_fresh(dataset_of(zipped), tmp_path / "a.pack")
    assert len(decoded) == 2
    assert_same(packed(dataset_of(zipped), tmp_path / "a.pack", SKIP), dataset_of(people))


def test_unreadable_images(tmp_path):
    people, path = make_people(tmp_path / "images"), tmp_path / "a.pack"
    with open(people.image_paths[2], "wb") as file:
        file.write(b"not an image")
    os.unlink(people.image_paths[4])
    dataset = dataset_of(people)
    with pytest.raises(
        InputError, match=r"2\.jpg: cannot be read as an image \(annotation 102\); DATASET.ON_BAD"
    ):
        packed(dataset, path, Packing("raise"))
    with captured_messages() as messages:
        assert_same(packed(dataset, path, SKIP), dataset)
    assert "2 images cannot be read" in messages[-1]
    # Tried again at every start, so that a mended image is used.
    write_noise(people.image_paths[2], 2)
    messages = assert_fresh(dataset, path)
    assert "1 images cannot be read" in messages[-1]
    # An image that becomes unreadable later is no longer used, either.
    with open(people.image_paths[0], "wb") as file:
        file.write(b"not an image")
    assert "2 images cannot be read" in assert_fresh(dataset, path)[-1]


def test_reduced_decode_stores_large_people_smaller(tmp_path):
    people = make_people(tmp_path / "images")
    full, small = (tmp_path / name for name in ("full.pack", "small.pack"))
    packed(dataset_of(people), full, SKIP)
    reduced = dataset_of(people, reduced_decode=True)
    with_pack = packed(reduced, small, SKIP)
    assert small.stat().st_size < full.stat().st_size
    _, reduce = reduced.regions()
    assert set(reduce.tolist()) == {1, 8}
    for index, visit in itertools.product(range(len(people)), range(4)):
        sample, expected = with_pack[index, visit], reduced[index, visit]
        size, rotation, mirror = crop_of(reduced, index, visit)
        # The crop never has fewer pixels than the network's input because of it.
        assert reduce[index] <= max(1, size[0] / CODEC.image_size[0] + 1e-3)
        if people.sizes[index, 0] in (2, 15, 40, 700):  # in these, no factor makes a difference
            assert torch.equal(sample.image, expected.image)
        assert torch.equal(sample.heatmaps, expected.heatmaps)
    # The same file for the other setting is not mistaken for it.
    assert_same(packed(dataset_of(people), small, SKIP), dataset_of(people))


def test_too_little_space_is_said_before_anything_is_written(tmp_path, monkeypatch):
    people, path = make_people(tmp_path / "images"), tmp_path / "a.pack"
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10_000))
    with pytest.raises(InputError, match=r"a\.pack: too little space to pack 5 images, about 0\.0 GB.*DATASET\.PACK false"):  # fmt: skip
        packed(dataset_of(people), path, SKIP)
    assert path.stat().st_size == pack_file.HEADER.size


def test_a_full_disk_is_an_error_of_the_user_and_keeps_what_is_written(tmp_path, monkeypatch):
    people, path = make_people(tmp_path / "images"), tmp_path / "a.pack"

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pack_file, "finish", full)
        with pytest.raises(InputError, match=r"a\.pack: cannot write the pack \(No space left on device\)"):
            packed(dataset_of(people), path, SKIP)
    assert "keeping 5 images" in " ".join(assert_fresh(dataset_of(people), path))


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real images in {DATA}")
@pytest.mark.parametrize("name", ["coco", "mpii"])
def test_real_photographs(tmp_path, name):
    read, image_set, names = {
        "coco": (read_coco, "val2017", COCO_KEYPOINTS), "mpii": (read_mpii, "train", MPII_KEYPOINTS)
    }[name]  # fmt: skip
    people = read(DATA / name, image_set, names, 0.75)
    dataset = dataset_of(people.subset(np.arange(0, len(people), 2)))
    assert_same(packed(dataset, tmp_path / "a.pack", SKIP), dataset, visits=2)
