"""The large annotation file, and the usual toolbox's way as an independent reading of the same."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks.big_coco import write_big_coco
from benchmarks.data import memory, ratios
from benchmarks.pack_table import write_pack_table
from benchmarks.plain_data import plain_people
from benchmarks.sample_steps import grid_samples, step_times
from benchmarks.samples import GREY_LEVELS, USUAL, Samples, real_people, write_noisy_coco
from lib.dataset.coco_file import annotation_file
from lib.dataset.crop import crop_matrix
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.dataset.packing import Packing, packed
from lib.utils.log import captured_messages
from tests.factories.data_sets import (
    coco_person,
    mpii_person,
    read_coco,
    smooth_image,
    write_coco,
    write_mpii,
)

CODEC = HeatmapCodec((192, 256), (48, 64), 2)
SET = "train2017"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("big")
    write_big_coco(folder, images=120, people=400, labelled=200)
    return folder


def test_the_large_file_is_as_asked_for(root, tmp_path):
    tree = json.loads(annotation_file(root, SET).read_text())
    assert len(tree["images"]) == 120 and len(tree["annotations"]) == 400
    assert sum(person["num_keypoints"] > 0 for person in tree["annotations"]) == 200
    for person in tree["annotations"]:
        assert person["num_keypoints"] == sum(v > 0 for v in person["keypoints"][2::3])
    again = write_big_coco(tmp_path / "again", images=120, people=400, labelled=200)
    assert again.read_bytes() == annotation_file(root, SET).read_bytes()
    other = write_big_coco(tmp_path / "other", images=120, people=400, labelled=200, seed=1)
    assert other.read_bytes() != again.read_bytes()
    # 236 MB is what COCO's train2017 has.
    assert 500 < annotation_file(root, SET).stat().st_size / 400 < 1200


def test_people_are_those_that_the_usual_toolbox_reads(root):
    expected = plain_people(root, SET, 0.75)
    people = read_coco(root, SET, COCO_KEYPOINTS, 0.75)
    assert len(people) == len(expected) == 200
    for i, person in enumerate(expected):
        assert Path(people.image_paths[people.image_index[i]]) == Path(person["image"])
        np.testing.assert_array_equal(people.joints[i], person["joints_3d"][:, :2])
        np.testing.assert_array_equal(people.visible[i], person["joints_3d_vis"][:, 0])
        np.testing.assert_allclose(people.centers[i], person["center"], rtol=1e-6)
        np.testing.assert_allclose(people.sizes[i], 200 * person["scale"], rtol=1e-5)


def test_samples_are_the_usual_toolboxs(tmp_path):
    write_noisy_coco(tmp_path, people=6)
    samples = Samples(read_coco(tmp_path, SET, COCO_KEYPOINTS, 0.75), tmp_path)
    flipped = 0
    for index in range(6):
        for visit in range(3):
            image, heatmaps, weights, _ = samples.plain(index, visit)
            sample = samples.packed[index, visit]
            assert torch.equal(sample.image, samples.here[index, visit].image)
            flipped += int(sample.flipped)
            np.testing.assert_allclose(sample.heatmaps, heatmaps, rtol=2.4e-7, atol=0)
            np.testing.assert_array_equal(sample.target_weight, weights[:, 0])
            levels = (GREY_LEVELS * (sample.image - image)).abs()
            assert float((levels < 1.01).float().mean()) > 0.98
            if not sample.flipped:  # mirrored, positions may round the other way (see test_joints.py)
                assert float(levels.max()) < 1.01
    assert 0 < flipped < 18


def test_memory_of_this_process_and_ratios():
    before = memory()
    held = torch.ones(2**21 * 4)  # 32 MiB
    after = memory()
    assert 25 < after["private"] - before["private"] < 60
    assert after["private"] <= after["proportional"] <= after["resident"]
    del held
    start = dict(
        json_load=10.0, usual=20.0, read=12.0, read_and_keep=13.0, kept=0.5, kept_other_time=0.8, pack=2.0
    )
    kinds = {"private": 1.0, "private_of_people": 1.0}
    rows = {f"{kept}_{m}": kinds for kept in ("arrays", "list") for m in ("fork", "spawn")}
    found = ratios(
        start, rows, {"all": {"seconds": {"usual": 3.0, "here": 2.0, "reduced": 1.0, "pack": 0.5}}}
    )
    assert found["start_up_from_kept_arrays / json.load"] == 0.05
    assert found["start_up_from_kept_arrays_with_a_pack / json.load"] == 0.2
    assert found["samples_per_second_all: here / usual"] == 1.5
    assert found["samples_per_second_all: pack / usual"] == 6


def test_the_table_of_a_large_pack_is_taken_for_a_complete_one(root, tmp_path):
    people = KeypointDataset(read_coco(root, SET, COCO_KEYPOINTS, 0.75), CODEC, USUAL)
    size = write_pack_table(people, tmp_path / "a.pack")
    assert size["people"] == len(people) == 200 and size["images"] == len(
        np.unique(people.annotations.image_index)
    )
    with captured_messages() as messages:
        packed_people = packed(people, tmp_path / "a.pack", Packing())  # its images are empty files
    assert not messages
    rows = packed_people.pack.rows
    assert (rows[:, 1] > 0).all()
    stored = np.unique(rows, axis=0)  # people of one image share regions
    assert 3e-9 * np.prod(stored[:, 4:6] - stored[:, 2:4], axis=1).sum() == pytest.approx(
        size["GB"], rel=0.05
    )


def test_parts_of_a_sample(tmp_path):
    write_noisy_coco(tmp_path, people=3)
    people = read_coco(tmp_path, SET, COCO_KEYPOINTS, 0.75)
    times = step_times(people, repeat=1)
    assert all(value > 0 for value in times.values()) and len(times) == 11
    # grid_sample makes the same crops, or it would not be compared.
    image = smooth_image(90, 70)
    matrix = crop_matrix((40, 30), (60, 80), (96, 128), 25.0, True)
    expected = cv2.warpAffine(image, matrix, (96, 128), flags=cv2.INTER_LINEAR)
    (crop,) = grid_samples([image], [matrix], (96, 128))
    levels = (255 * (0.225 * crop[0] + 0.45)).permute(1, 2, 0).numpy() - expected
    assert (np.abs(levels) < 2).mean() > 0.98


def test_real_images_have_the_joints_of_coco(tmp_path):
    assert real_people(tmp_path) == {}
    write_coco(tmp_path / "coco", [coco_person()])
    for image_set in ("train", "valid"):
        write_mpii(tmp_path / "mpii", [mpii_person()], image_set)
    people = real_people(tmp_path)
    assert {name: part.joints.shape for name, part in people.items()} == {
        "coco": (1, 17, 2),
        "mpii": (2, 17, 2),
    }
