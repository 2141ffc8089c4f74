"""export.py as a command; the exported files are tested in tests/models/test_export.py."""

import cv2
import numpy as np
import pytest

from lib.models.trained import load_trained
from lib.utils.errors import InputError
from pose_estimation.export import CHECK_IMAGES, build_parser, images_to_check, main, make_crops
from tests.factories.data_sets import write_image
from tests.factories.small_network import small_network, write_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path / "a.pth", small_network(), (64, 96))


@pytest.fixture
def folder(tmp_path):
    """A folder of six images."""
    for number in range(6):
        write_image(tmp_path / "images" / f"{number}.png", seed=number)
    return tmp_path / "images"


def parse(*flags):
    return build_parser().parse_args(["--model-file", "a.pth", "--output", "a.ts", *flags])


def test_images_is_the_flag_and_pictures_its_former_name():
    assert parse().images is None
    assert parse("--images", "a", "b").images == parse("--pictures", "a", "b").images == ["a", "b"]
    assert "--images" in build_parser().format_help() and "--pictures" not in build_parser().format_help()


@pytest.mark.parametrize("flag", ["--images", "--pictures"])
def test_the_images_given_are_checked(flag, checkpoint, folder, tmp_path, capsys):
    output = tmp_path / "net.ts"
    assert main(["--model-file", str(checkpoint), "--output", str(output), flag, str(folder / "1.png")]) == 0
    assert "checked on 1 crops" in capsys.readouterr().out and output.exists()


def test_the_first_images_are_used(folder):
    frames = images_to_check([str(folder)])
    assert [frame.name for frame in frames] == [f"{i}.png" for i in range(CHECK_IMAGES)]
    assert (frames[0].image == cv2.imread(str(folder / "0.png"))[..., ::-1]).all()


def test_an_image_that_cannot_be_read_is_an_error(folder):
    (folder / "2.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"2\.png"):
        images_to_check([str(folder)])


def test_without_images_the_same_people_are_drawn_each_time():
    first, again = images_to_check(None), images_to_check(None)
    assert len(first) == CHECK_IMAGES
    assert all((a.image == b.image).all() for a, b in zip(first, again))
    assert (first[0].image.shape != first[1].image.shape) or (first[0].image != first[1].image).any()


def test_crops_show_whole_images(checkpoint, folder):
    trained = load_trained(checkpoint)
    crops = make_crops(trained, images_to_check([str(folder)]))
    assert crops.shape == (CHECK_IMAGES, 3, 96, 64)
    # The image (64 x 48) is less high than the input, so that the crop is black above and below it.
    black = -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert crops[0, :, 0, 32].numpy() == pytest.approx(black, abs=1e-5)
    assert (crops[0, :, 48, 32].numpy() > black + 0.1).any()


def test_the_check_can_be_skipped(checkpoint, tmp_path, capsys):
    assert main(["--model-file", str(checkpoint), "--output", str(tmp_path / "net.ts"), "--no-check"]) == 0
    assert "not checked" in capsys.readouterr().out
