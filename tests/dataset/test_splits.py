"""The split of a training set into T and V: by image or by annotation, the same on every machine."""

from pathlib import Path

import numpy as np
import pytest

from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.dataset.splits import is_validation
from tests.factories.data_sets import mpii_person, read_mpii, write_mpii


def crowd(images=11, seed=0):
    """One to four people in each image, in random order; their centers number them."""
    rng = np.random.default_rng(seed)
    people = [mpii_person(f"{n:03}.jpg") for n in range(images) for _ in range(rng.integers(1, 5))]
    for number, person in enumerate(people):
        person["center"] = [number, number]
    return [people[i] for i in rng.permutation(len(people))]


def read(root, people):
    write_mpii(root, people)
    return read_mpii(root, "train", MPII_KEYPOINTS, 0.75)


def image_names(annotations, chosen):
    return {Path(annotations.image_paths[k]).name for k in annotations.image_index[chosen]}


@pytest.mark.parametrize("images", [1, 2, 3, 11, 12, 13])
def test_by_image(tmp_path, images):
    annotations = read(tmp_path, crowd(images))
    validation = is_validation(annotations, "image")
    held = image_names(annotations, validation)
    assert held == {f"{n:03}.jpg" for n in range(0, images, 3)}
    assert not held & image_names(annotations, ~validation)


def test_by_image_depends_on_neither_the_order_of_the_file_nor_its_folder(tmp_path):
    people = crowd()
    validated = []
    for name, order in zip("zya", (people, people[::-1], sorted(people, key=str))):
        annotations = read(tmp_path / name, order)
        validated.append(sorted(annotations.centers[is_validation(annotations, "image"), 0]))
    assert validated[0] == validated[1] == validated[2]


def test_by_annotation_is_every_third(tmp_path):
    annotations = read(tmp_path, crowd())
    validation = is_validation(annotations, "annotation")
    assert np.flatnonzero(validation).tolist() == list(range(0, len(annotations), 3))
    assert image_names(annotations, validation) & image_names(annotations, ~validation)
