"""Labels lie on the pixels that they were set on, or the run says which image does not fit."""

import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.config.schema import Config
from lib.dataset.crop import apply_matrix, crop_matrix
from lib.dataset.frames import SAMPLED, sampled_images, settled
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.images import problem_of, read_image
from lib.dataset.keypoint_dataset import KeypointDataset, denormalize
from lib.dataset.packing import Packing, packed
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.annotations import make_annotations, write_images
from tests.factories.oriented import (
    JOINTS,
    labelled_picture,
    labels_on_their_joint,
    write_oriented,
    write_upright_labelled,
)

IMAGES = Config().dataset
CODEC = HeatmapCodec((96, 96), (24, 24), 1)


def settle(annotations, on_bad="raise", bits=0):
    """The settled annotations, and what is said."""
    annotations = settled(annotations, "train.json", replace(IMAGES, on_bad_image=on_bad, image_bits=bits))
    return annotations, "; ".join(annotations.notes.sentences().values())


def on_joints(annotations):
    """For each instance, how many labels lie on their joint, in the whole image."""
    return [
        sum(labels_on_their_joint(read_image(annotations.image(i)), annotations.joints[i]))
        for i in range(len(annotations))
    ]


def crops_on_joints(dataset):
    """The same in the samples of a data set."""
    annotations, counts = dataset.annotations, []
    for i in range(len(dataset)):
        sample = dataset[i, 0]
        assert not sample.problem
        matrix = crop_matrix(annotations.centers[i], annotations.sizes[i], CODEC.image_size)
        counts.append(
            sum(labels_on_their_joint(denormalize(sample.image), apply_matrix(matrix, annotations.joints[i])))
        )
    return counts


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_images_that_were_labelled_upright_are_turned(tmp_path, suffix):
    people, said = settle(write_upright_labelled(tmp_path, range(1, 9), suffix))
    assert on_joints(people) == [3] * 8
    assert people.upright.all() and "4 of 8" in said


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("reduced", [False, True])
def test_samples_caches_and_packs_are_turned_alike(tmp_path, suffix, reduced):
    people, _ = settle(write_upright_labelled(tmp_path, range(1, 9), suffix))
    plain = KeypointDataset(people, CODEC, reduced_decode=reduced)
    cached = KeypointDataset(people, CODEC, reduced_decode=reduced, cache=True)
    in_pack = packed(plain, tmp_path / "a.pack", Packing())
    for dataset in (plain, cached, in_pack):
        assert crops_on_joints(dataset) == [3] * 8
    for i in range(8):
        expected = plain[i, 0].image.numpy()
        np.testing.assert_array_equal(cached[i, 0].image, expected)
        np.testing.assert_array_equal(in_pack[i, 0].image, expected)


@pytest.mark.parametrize("orientation", [6, 8])
def test_a_turned_jpeg_decoded_smaller_stays_under_its_labels(tmp_path, orientation):
    size = (397, 251)  # no multiple of 8: the pixels left over lie on another side than in the stored image
    upright = np.zeros((size[1], size[0], 3), np.uint8)
    upright[:, 200:], upright[120:, :200] = (250, 250, 250), (120, 120, 120)
    stored = np.rot90(upright, 1 if orientation == 6 else -1)
    path = write_oriented(tmp_path / "a.jpg", np.ascontiguousarray(stored), orientation, quality=98)
    people = make_annotations(1, paths=[path], bounds=np.float32([size]))
    for reduce in (2, 4, 8):
        small = read_image(people.image(0), reduce=reduce).astype(int)
        assert small.shape[:2] == (-(-size[1] // reduce), -(-size[0] // reduce))
        whole = read_image(people.image(0)).astype(int)
        height, width = size[1] // reduce, size[0] // reduce
        means = (
            whole[: height * reduce, : width * reduce].reshape(height, reduce, width, reduce, 3).mean((1, 3))
        )
        np.testing.assert_allclose(small[:height, :width], means, atol=2)


def test_a_pack_of_stored_pixels_is_not_used_for_upright_labels(tmp_path):
    """The labels of the same images were exported once as stored, then upright."""
    people = write_upright_labelled(tmp_path, [6, 6, 1])
    as_stored = replace(people, bounds=people.bounds[[0, 1, 2]].copy())
    as_stored.bounds[:2] = people.bounds[:2, ::-1]
    as_stored, _ = settle(as_stored)
    assert not as_stored.upright.any()
    packed(KeypointDataset(as_stored, CODEC), tmp_path / "a.pack", Packing())
    people, _ = settle(people)
    for _ in range(2):  # made, then found
        with captured_messages() as messages:
            dataset = packed(KeypointDataset(people, CODEC), tmp_path / "a.pack", Packing())
        assert crops_on_joints(dataset) == [3] * 3
    assert not any("packing" in message for message in messages)


def test_labels_on_stored_pixels_stay(tmp_path):
    """COCO's own convention: width and height are those of the stored pixels, whatever EXIF says."""
    paths = [write_oriented(tmp_path / f"{o}.jpg", labelled_picture(), o, quality=95) for o in range(1, 9)]
    people = make_annotations(
        8, paths=paths, joints=np.tile(JOINTS, (8, 1, 1)), bounds=np.tile(np.float32([100, 64]), (8, 1))
    )
    people, said = settle(people)
    assert on_joints(people) == [3] * 8 and not people.upright.any() and not said


def test_square_and_mirrored_images_follow_the_other_images_of_the_file(tmp_path):
    (tmp_path / "square").mkdir()
    square = write_upright_labelled(tmp_path / "square", range(1, 9), size=(80, 80))
    alone, said = settle(square)
    assert not alone.upright.any() and on_joints(alone)[0] == 3 and sum(on_joints(alone)) < 24
    assert "7 of 8" in said and "orientation" in said and "1.png" in said
    both, _ = settle(write_upright_labelled(tmp_path, [6]).joined(square))
    assert on_joints(both) == [3] * 9


def test_where_images_of_a_file_disagree_each_is_read_as_its_size_says(tmp_path):
    people = write_upright_labelled(tmp_path, [6, 8, 3])
    stored = write_oriented(tmp_path / "stored.png", labelled_picture(), 6)
    other = make_annotations(1, paths=[stored], joints=JOINTS[None], bounds=np.float32([[100, 64]]))
    people, said = settle(people.joined(other))
    assert on_joints(people) == [3, 3, 0, 3] and not people.upright.any()
    assert "1 of 4 images looked at have an EXIF orientation" in said


@pytest.mark.parametrize("size", [(50, 40), (80, 100), (100, 81)])
def test_an_image_of_another_size_is_named(tmp_path, size):
    paths = write_images(tmp_path)
    cv2.imwrite(paths[2], np.zeros((size[1], size[0], 3), np.uint8))
    people = make_annotations(4, paths=paths)
    with pytest.raises(InputError) as caught:
        settled(people, "train.json", IMAGES)
    message = str(caught.value)
    parts = ("train.json", "1 of 4", paths[2], f"{size[0]} x {size[1]}", "100 x 80", "ON_BAD_IMAGE")
    assert all(part in message for part in parts) and "\n" not in message
    assert ("EXIF" in message) == (size == (80, 100))
    # Left out, and named again where it is used.
    people, said = settle(people, "skip")
    assert "1 of 4" in said
    samples = KeypointDataset(people, CODEC)
    assert [bool(samples[i, 0].problem) for i in range(4)] == [False, False, True, False]
    assert all(part in samples[2, 0].problem for part in (paths[2], f"{size[0]} x {size[1]}", "100 x 80"))
    assert read_image(people.image(2)) is None and problem_of(people.image(2)) in samples[2, 0].problem


def test_missing_and_damaged_images_are_for_others_to_find(tmp_path):
    paths = write_images(tmp_path)
    Path(paths[1]).unlink()
    Path(paths[2]).write_bytes(b"no image")
    people, said = settle(make_annotations(4, paths=paths))
    assert not said and len(people) == 4


def test_sizes_that_are_not_known_are_not_compared(tmp_path):
    paths = write_images(tmp_path)
    for bounds in (None, np.full((4, 2), np.nan, np.float32), np.zeros((4, 2), np.float32)):
        people, said = settle(make_annotations(4, paths=paths, bounds=bounds))
        assert not said and not KeypointDataset(people, CODEC)[0, 0].problem


def test_sizes_taken_from_the_images_tell_nothing(tmp_path):
    paths = [write_oriented(tmp_path / f"{o}.jpg", labelled_picture(), o) for o in (1, 6, 3)]
    people = make_annotations(3, paths=paths, bounds=np.tile(np.float32([100, 64]), (3, 1)))
    filled_in = replace(people, sized=np.zeros(3, bool))
    assert settle(people)[1] == ""
    assert "2 of 3 images looked at have an EXIF orientation" in settle(filled_in)[1]


def test_images_in_an_archive(tmp_path):
    people = write_upright_labelled(tmp_path, [6, 3])
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in people.image_paths:
            archive.write(path, Path(path).name)
            Path(path).unlink()
    people = replace(people, image_paths=[f"{tmp_path}/set.zip@/{k}.png" for k in range(2)])
    assert on_joints(settle(people)[0]) == [3, 3]


def test_a_sample_is_spread_over_all_images():
    count = 10 * SAMPLED
    images = sampled_images(make_annotations(count), SAMPLED)
    numbers = [int(image.path.removesuffix(".png")) for image in images]
    assert len(numbers) == SAMPLED and numbers[0] == 0 and numbers[-1] == count - 1
    assert set(np.diff(numbers)) <= {10, 11}
    assert sampled_images(make_annotations(1), SAMPLED)[0].path == "0.png"


@pytest.fixture
def deep(tmp_path):
    """Three 16-bit images of a camera with 12 bits, of which only one has a bright pixel."""
    paths = [str(tmp_path / f"{k}.png") for k in range(3)]
    for k, path in enumerate(paths):
        pixels = np.random.default_rng(k).integers(0, 200, (80, 100), dtype=np.uint16)
        pixels[5, 5] = 4000 if k == 1 else 0
        cv2.imwrite(path, pixels)
    return make_annotations(3, paths=paths)


def test_the_bits_of_16_bit_images_are_those_of_the_set(deep, tmp_path):
    people, said = settle(deep)
    assert people.bits.tolist() == [12] * 3 and "12 bits" in said and "4000" in said
    for i in range(3):  # all on one scale, though two of them would fit into 8 bits
        pixels = cv2.imread(people.image(i).path, cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(read_image(people.image(i))[..., 0], pixels >> 4)
    by_setting, said = settle(deep, bits=16)
    assert by_setting.bits.tolist() == [16] * 3 and not said
    # A pack of one scale is not used for the other.
    path = tmp_path / "a.pack"
    for annotations in (people, by_setting):
        plain = KeypointDataset(annotations, CODEC)
        in_pack = packed(plain, path, Packing())
        np.testing.assert_array_equal(in_pack[1, 0].image, plain[1, 0].image)


def test_usual_images_use_all_their_bits(tmp_path):
    people, said = settle(make_annotations(4, paths=write_images(tmp_path)))
    assert people.bits.tolist() == [16] * 4 and not said
    assert [people.image(i).key for i in range(4)] == list(people.image_paths)


def test_dark_images_among_bright_ones_of_16_bits_are_told(tmp_path):
    paths = [str(tmp_path / f"{k}.png") for k in range(3)]
    for path, largest in zip(paths, (4095, 65535, 50000)):
        cv2.imwrite(path, np.full((80, 100), largest, np.uint16))
    people = make_annotations(3, paths=paths)
    settled_people, said = settle(people)
    assert settled_people.bits.tolist() == [16] * 3
    assert "1 of 3 images of 16 bits" in said and "4095" in said
    assert settle(people, bits=16)[1] == ""


def test_one_image_without_a_size_hides_nothing_of_the_others(tmp_path):
    people = replace(write_upright_labelled(tmp_path, [6, 6, 3]), sized=np.array([True, False, True]))
    people, said = settle(people)
    assert on_joints(people) == [3, 3, 3] and "1 of 3 images looked at were labelled upright" in said
    with pytest.raises(InputError, match="1 of 3 images looked at have another size"):
        settle(replace(people, bounds=people.bounds + np.float32([[9, 0], [0, 0], [0, 0]])))
