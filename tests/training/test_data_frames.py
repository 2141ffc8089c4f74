"""A whole data set whose pictures a phone stored lying and a tool showed upright."""

import shutil

import cv2
import numpy as np
import pytest

from lib.config.loader import load_config
from lib.training.data import build_data
from lib.utils.errors import InputError
from tests.factories.excavators import make_excavators
from tests.factories.oriented import stored_of, write_oriented

CONFIG = "experiments/custom/excavator.yaml"


@pytest.fixture(scope="module")
def excavators(tmp_path_factory):
    return make_excavators(tmp_path_factory.mktemp("excavators"), source=6, target=9, test=3)


def data_of(root):
    roots = {"DATASET_SRC.ROOT": str(root / "source"), "DATASET_TARGET.ROOT": str(root / "target")}
    return build_data(load_config(CONFIG, roots | {"OUTPUT_DIR": str(root / "output")}), True)


def copy_of(root, folder):
    shutil.copytree(root, folder)
    return folder, sorted(path for path in folder.glob("*/images/**/*") if path.suffix == ".png")


def test_every_sample_is_that_of_the_upright_pictures(excavators, tmp_path):
    root, images = copy_of(excavators, tmp_path / "turned")
    assert len(images) >= 18
    for k, path in enumerate(images):
        orientation = (6, 8, 5, 7, 3)[k % 5]
        upright = cv2.imread(str(path))[..., ::-1]
        write_oriented(path, np.ascontiguousarray(stored_of(upright, orientation)), orientation)
    sound, turned = data_of(excavators), data_of(root)
    for part in ("source", "target"):
        one, other = getattr(sound, part), getattr(turned, part)
        assert len(one) == len(other) > 0
        for i in range(len(one)):
            np.testing.assert_array_equal(one[i, 1].image, other[i, 1].image)
            np.testing.assert_array_equal(one[i, 1].heatmaps, other[i, 1].heatmaps)
    for one, other in ((sound.validation, turned.validation), (sound.test, turned.test)):
        np.testing.assert_array_equal(one.dataset[0, 0].image, other.dataset[0, 0].image)


@pytest.mark.parametrize("folder", ["source", "target"])
def test_a_resized_image_stops_the_run(excavators, tmp_path, folder):
    root, images = copy_of(excavators, tmp_path / "resized")
    path = next(path for path in images if path.is_relative_to(root / folder))
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (48, 40)))
    with pytest.raises(InputError, match=rf"{path.name} has 48 x 40 pixels, its annotation says \d+ x \d+"):
        data_of(root)
