import base64

import cv2
import numpy as np

from lib.report.gallery import LARGEST_JPEG, QUALITIES, image_uri, lowest
from lib.visualization.labels import CELL

LABELLED = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1]], bool)


def test_the_lowest_labelled_keypoint_of_each_person():
    weights = np.array([[0.5, 0.2, 0.0], [0.9, 0.0, 0.3], [0.1, 0.15, 0.8]])
    assert lowest(weights, LABELLED, 2) == [(2, 0), (0, 1)]
    assert lowest(weights, LABELLED, 9) == [(2, 0), (0, 1), (1, 2)]
    assert lowest(-weights, LABELLED, 2) == [(1, 0), (2, 2)]
    assert lowest(weights, np.zeros_like(LABELLED), 2) == []


def test_a_image_in_a_uri():
    colours = np.full((32, 32, 3), (200, 30, 60), np.uint8)
    kind, _, content = image_uri(colours).partition(",")
    assert kind == "data:image/jpeg;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(decoded[..., ::-1].astype(int) - colours).max() < 8


def test_a_noisy_image_is_kept_small():
    noise = np.random.default_rng(0).integers(0, 256, (CELL, CELL, 3), np.uint8)
    _, best = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, QUALITIES[0]])
    assert len(image_uri(noise)) * 3 / 4 <= LARGEST_JPEG + 24 < best.size
