"""Small Annotations made in memory, with everything where a check expects it."""

from dataclasses import replace

import cv2
import numpy as np

from lib.dataset.annotations import PADDING, Annotations
from lib.dataset.keypoints import JointMapping
from lib.dataset.skeleton import Skeleton

NAMES = ("left_eye", "right_eye", "nose")
MAPPING = JointMapping("coco_format", Skeleton.of(NAMES), NAMES, NAMES)


def make_annotations(count=4, side=40.0, paths=None, **changed):
    """One instance of three joints in the middle of each of ``count`` images of 100 x 80 pixels.

    ``side``: of the square box in pixels. The joints span half of it.
    """
    centers = np.tile(np.float32([50, 40]), (count, 1))
    offsets = np.float32([[-side / 4, 0], [side / 4, 0], [0, 5]])
    annotations = Annotations(
        mapping=MAPPING,
        ids=np.arange(1, count + 1),
        image_paths=paths or [f"{i}.png" for i in range(count)],
        image_index=np.arange(count, dtype=np.int32),
        joints=centers[:, None] + offsets,
        visible=np.ones((count, len(NAMES)), np.float32),
        centers=centers,
        sizes=np.full((count, 2), PADDING * side, np.float32),
        bounds=np.tile(np.float32([100, 80]), (count, 1)),
    )
    return replace(annotations, **changed)


def write_images(folder, count=4, width=100, height=80):
    """Paths of ``count`` grey images."""
    paths = [str(folder / f"{i}.png") for i in range(count)]
    for path in paths:
        assert cv2.imwrite(path, np.full((height, width, 3), 128, np.uint8))
    return paths
