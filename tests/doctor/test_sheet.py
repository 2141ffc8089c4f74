"""The contact sheet: its layout, and that unreadable samples are omitted."""

from dataclasses import replace

import cv2
import numpy as np

from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import JointMapping
from lib.dataset.skeleton import Skeleton
from lib.doctor.findings import Level
from lib.doctor.sheet import CAPTION_HEIGHT, MIN_WIDTH, legend, write_sheet
from lib.visualization.skeletons import joint_colour
from tests.factories.annotations import make_annotations, write_images

UNSIDED = JointMapping("coco_format", Skeleton.of("abc"), ("a", "b", "c"), ("a", "b", "c"))
EYES = Skeleton.of(("left_eye", "right_eye", "nose"))
CODEC = HeatmapCodec((32, 32), (8, 8), 1.0)


def test_two_sets_are_stacked(tmp_path):
    paths = write_images(tmp_path, 3)
    dataset = KeypointDataset(make_annotations(3, paths=paths), CODEC)
    finding = write_sheet(tmp_path / "sheet.png", {"source": dataset, "test": dataset})
    assert finding.level is Level.OK and str(tmp_path / "sheet.png") in finding.result
    pixels = cv2.imread(str(tmp_path / "sheet.png"))
    pixels = pixels[CAPTION_HEIGHT:]  # without the legend
    height, width, _ = pixels.shape
    assert width == MIN_WIDTH and height % 2 == 0
    half = height // 2
    assert half > CAPTION_HEIGHT + 2 * 32
    np.testing.assert_array_equal(pixels[CAPTION_HEIGHT:half], pixels[half + CAPTION_HEIGHT :])
    # The caption is white on dark; the samples are grey with coloured joints.
    assert pixels[:CAPTION_HEIGHT].max() > 200 and pixels[:CAPTION_HEIGHT].min() == 40
    assert np.ptp(pixels[CAPTION_HEIGHT:half].astype(int), axis=2).max() > 50


def test_samples_that_cannot_be_read_are_omitted(tmp_path):
    unreadable = KeypointDataset(make_annotations(2), CODEC)
    finding = write_sheet(tmp_path / "sheet.png", {"source": unreadable})
    assert finding.level is Level.ERROR and not (tmp_path / "sheet.png").exists()
    readable = KeypointDataset(make_annotations(2, paths=write_images(tmp_path, 2)), CODEC)
    assert write_sheet(tmp_path / "both.png", {"source": unreadable, "test": readable}).level is Level.OK
    write_sheet(tmp_path / "alone.png", {"test": readable})
    both, alone = (cv2.imread(str(tmp_path / name)) for name in ("both.png", "alone.png"))
    np.testing.assert_array_equal(both, alone)


def test_legend():
    """A caption holds as many names as fit, each in the colour of its side; a name of another script is left out."""
    (caption,) = legend(EYES, MIN_WIDTH)
    assert caption.shape == (CAPTION_HEIGHT, MIN_WIDTH, 3)
    colours = {tuple(pixel) for pixel in caption.reshape(-1, 3).tolist()}
    assert {joint_colour(EYES, joint) for joint in range(3)} <= colours
    assert len(legend(Skeleton.of(["a" * 30 + str(k) for k in range(6)]), MIN_WIDTH)) > 1
    (number,), (other,) = (legend(Skeleton.of([name]), MIN_WIDTH) for name in ("\u76ee", "\u8033\u6735"))
    np.testing.assert_array_equal(number, other)


def test_joints_are_numbered(tmp_path):
    """The sheet with the numbers differs from one whose joint has another number, and only beside the joint."""
    annotations = make_annotations(1, paths=write_images(tmp_path, 1))
    sheets = []
    for labelled in (0, 1):
        visible = np.zeros_like(annotations.visible)
        visible[:, labelled] = 1
        joints = np.full_like(annotations.joints, 40)
        one = replace(annotations, visible=visible, joints=joints, mapping=UNSIDED)
        write_sheet(tmp_path / "sheet.png", {"test": KeypointDataset(one, CODEC)})
        sheets.append(cv2.imread(str(tmp_path / "sheet.png")).astype(int))
    different = np.argwhere((sheets[0] != sheets[1]).any(axis=2))
    assert 0 < len(different) < 200 and np.ptp(different, axis=0).max() < 20
