"""The contact sheet: its layout, and that unreadable samples are omitted."""

import cv2
import numpy as np

from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.doctor.findings import Level
from lib.doctor.sheet import CAPTION_HEIGHT, MIN_WIDTH, write_sheet
from tests.factories.annotations import make_annotations, write_images

CODEC = HeatmapCodec((32, 32), (8, 8), 1.0)


def test_two_sets_are_stacked(tmp_path):
    paths = write_images(tmp_path, 3)
    dataset = KeypointDataset(make_annotations(3, paths=paths), CODEC)
    finding = write_sheet(tmp_path / "sheet.png", {"source": dataset, "test": dataset})
    assert finding.level is Level.OK and str(tmp_path / "sheet.png") in finding.result
    pixels = cv2.imread(str(tmp_path / "sheet.png"))
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
