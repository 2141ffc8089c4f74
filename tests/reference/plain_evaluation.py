"""Heatmaps to joints in the image to PCKh, one joint after another."""

import math

import numpy as np


def decode_joint(heatmap):
    """(x, y, score) of one heatmap [h, w]: its highest pixel, a quarter towards the higher neighbours."""
    height, width = heatmap.shape
    y, x = divmod(int(np.argmax(heatmap)), width)
    score = heatmap[y, x]
    if score <= 0:
        return 0.0, 0.0, score
    moved_x, moved_y = float(x), float(y)
    if 1 < x < width - 1 and 1 < y < height - 1:
        moved_x += 0.25 * np.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
        moved_y += 0.25 * np.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
    return moved_x, moved_y, score


def decode(heatmaps):
    """Joints float32 [N, J, 2] in heatmap pixels and scores [N, J] of heatmaps [N, J, h, w]."""
    people, joints = heatmaps.shape[:2]
    coords = np.zeros((people, joints, 2), np.float32)
    scores = np.zeros((people, joints), heatmaps.dtype)
    for n in range(people):
        for j in range(joints):
            coords[n, j, 0], coords[n, j, 1], scores[n, j] = decode_joint(heatmaps[n, j])
    return coords, scores


def to_image(coords, centers, sizes, heatmap_size):
    """Image pixels [N, J, 2] of ``coords`` [N, J, 2] in the heatmaps of crops."""
    joints = np.zeros(coords.shape)
    for n, (center, size) in enumerate(zip(centers, sizes)):
        for j in range(coords.shape[1]):
            for axis in (0, 1):
                of_crop = (float(coords[n, j, axis]) - heatmap_size[axis] / 2) / heatmap_size[axis]
                joints[n, j, axis] = center[axis] + of_crop * size[axis]
    return joints


def correct_share(joints, truth, visible, head_sizes, threshold=0.5):
    """PCKh [J] in percent; NaN for a joint that is never visible."""
    shares = []
    for j in range(joints.shape[1]):
        hits = []
        for n, head in enumerate(head_sizes):
            if visible[n, j]:
                (x, y), (true_x, true_y) = joints[n, j], truth[n, j]
                hits.append(math.hypot(x - true_x, y - true_y) / head <= threshold)
        shares.append(100 * sum(hits) / len(hits) if hits else math.nan)
    return shares
