"""The greedy loops in NumPy, by hand; tests/nms/test_nms.py compares them with the compiled ones."""

import numpy as np

from lib.nms.numpy_nms import keep_boxes, keep_poses


def test_boxes_by_hand():
    # IoU of the first with the others: 1 / 2, 1 / 3 (a shift by half a width), 0.
    boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 1], [1, 0, 3, 2], [5, 5, 6, 6]], np.float64)
    assert keep_boxes(boxes, 0.5).tolist() == [True, True, True, True]
    assert keep_boxes(boxes, 0.4).tolist() == [True, False, True, True]
    assert keep_boxes(boxes, 0.3).tolist() == [True, False, False, True]


def test_poses_by_hand():
    # One joint, sigma 0.5, area 2: OKS is exp(-d^2 / 4); d = 2 gives 0.368, d = 4 gives 0.018.
    poses = np.array([[[0, 0, 1]], [[2, 0, 1]], [[4, 0, 1]], [[0, 0, 1]]], np.float64)
    areas, precisions = np.full(4, 2.0), np.ones(1)
    one_image, own_image = np.array([0]), np.array([0, 3])

    def keep(starts, threshold, min_visible=-np.inf):
        return keep_poses(poses, areas, starts, precisions, threshold, min_visible).tolist()

    assert keep(own_image, 0.37) == [True, True, True, True]
    assert keep(own_image, 0.36) == [True, False, True, True]  # the second is gone, so the third stays
    assert keep(own_image, 0.01) == [True, False, False, True]
    assert keep(one_image, 0.37) == [True, True, True, False]
    assert keep(one_image, 0.37, min_visible=1) == [True] * 4  # no joint counts
