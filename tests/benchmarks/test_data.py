"""The large annotation file, and the usual toolbox's way as an independent reading of the same."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.big_coco import write_big_coco
from benchmarks.data import GREY_LEVELS, Samples, memory, ratios, write_noisy_coco
from benchmarks.plain_data import plain_people
from lib.dataset.coco import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS
from tests.factories.data_sets import read_coco

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
    samples = Samples(read_coco(tmp_path, SET, COCO_KEYPOINTS, 0.75))
    flipped = 0
    for index in range(6):
        for visit in range(3):
            image, heatmaps, weights, _ = samples.plain(index, visit)
            sample = samples.here[index, visit]
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
    start = dict(json_load=10.0, usual=20.0, read=12.0, read_and_keep=13.0, kept=0.5, kept_other_time=0.8)
    kinds = {"private": 1.0, "private_of_people": 1.0}
    rows = {f"{kept}_{m}": kinds for kept in ("arrays", "list") for m in ("fork", "spawn")}
    found = ratios(start, rows, {"all": {"seconds": {"usual": 3.0, "here": 2.0, "reduced": 1.0}}})
    assert found["start_up_from_kept_arrays / json.load"] == 0.05
    assert found["samples_per_second_all: here / usual"] == 1.5
