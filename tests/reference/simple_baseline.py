"""SimpleBaseline's data formulas (arXiv 1804.06208), step by step and as plain as they come."""

import math

import cv2
import numpy as np


def three_point_matrix(center, size, output_size, rotation=0.0):
    """Affine map [2, 3] of a crop, through three points: middle, middle of the top, and a right angle."""
    angle = math.radians(rotation)
    up = (math.sin(angle) * size[0] / 2, -math.cos(angle) * size[0] / 2)
    source = [center, (center[0] + up[0], center[1] + up[1])]
    middle = (output_size[0] / 2, output_size[1] / 2)
    crop = [middle, (middle[0], middle[1] - output_size[0] / 2)]
    for points in (source, crop):
        (ax, ay), (bx, by) = points
        points.append((bx - (ay - by), by + (ax - bx)))
    return cv2.getAffineTransform(np.array(source, np.float32), np.array(crop, np.float32))


def gaussian_heatmaps(joints, visible, image_size, heatmap_size, sigma):
    """Heatmaps [J, h, w] and weights [J], by pasting a patch of 6 sigma + 1 pixels."""
    width, height = heatmap_size
    reach = math.floor(3 * sigma)
    maps, weights = np.zeros((len(joints), height, width)), np.zeros(len(joints))
    for j, (x, y) in enumerate(joints):
        if not visible[j]:
            continue
        mu_x = math.floor(x / (image_size[0] / width) + 0.5)
        mu_y = math.floor(y / (image_size[1] / height) + 0.5)
        for row in range(max(0, mu_y - reach), min(height, mu_y + reach + 1)):
            for column in range(max(0, mu_x - reach), min(width, mu_x + reach + 1)):
                squared = (column - mu_x) ** 2 + (row - mu_y) ** 2
                maps[j, row, column] = math.exp(-squared / (2 * sigma**2))
                weights[j] = 1
    return maps, weights


def left_right_pairs(names):
    """[(position of left_x, position of right_x)], read off the names."""
    lefts = [name for name in names if name.startswith("left_")]
    return [(names.index(left), names.index("right_" + left.removeprefix("left_"))) for left in lefts]
