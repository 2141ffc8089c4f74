"""Data as in the usual toolbox (SimpleBaseline, arXiv 1804.06208), for comparison.

Each person is a dictionary of small arrays; samples are made from the whole image, joint by joint.
"""

import copy
import json
from pathlib import Path

import cv2
import numpy as np
from torchvision import transforms

from lib.dataset.coco_file import annotation_file, image_folder
from lib.dataset.keypoints import COCO_KEYPOINTS

JOINTS = len(COCO_KEYPOINTS)
PIXEL_STD = 200
PADDING = 1.25
LEFT_RIGHT = [(k, k + 1) for k in range(1, JOINTS, 2)]
TO_TENSOR = transforms.Compose(
    [transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
)


def plain_people(root: Path, image_set: str, aspect: float) -> list[dict]:
    """The labelled people of a COCO file: image, center, scale, joints_3d and joints_3d_vis [17, 3], ..."""
    with open(annotation_file(root, image_set), encoding="utf-8") as file:
        tree = json.load(file)
    images = {image["id"]: image for image in tree["images"]}
    folder = str(image_folder(root, image_set))
    people = []
    for annotation in tree["annotations"]:
        image = images[annotation["image_id"]]
        x, y, w, h = annotation["bbox"]
        x1, y1 = max(0, x), max(0, y)
        x2 = min(image["width"] - 1, x1 + max(0, w - 1))
        y2 = min(image["height"] - 1, y1 + max(0, h - 1))
        if annotation["iscrowd"] or annotation["area"] <= 0 or x2 < x1 or y2 < y1:
            continue
        if max(annotation["keypoints"]) == 0:
            continue
        joints, visible = np.zeros((JOINTS, 3)), np.zeros((JOINTS, 3))
        for j in range(JOINTS):
            joints[j, 0] = annotation["keypoints"][3 * j]
            joints[j, 1] = annotation["keypoints"][3 * j + 1]
            visible[j, :2] = min(1, annotation["keypoints"][3 * j + 2])
        center, scale = _center_and_scale(x1, y1, x2 - x1, y2 - y1, aspect)
        people.append({
            "image": f"{folder}/{image['file_name']}", "center": center, "scale": scale,
            "joints_3d": joints, "joints_3d_vis": visible, "filename": "", "imgnum": 0,
        })  # fmt: skip
    return people


def _center_and_scale(x, y, w, h, aspect):
    center = np.array([x + w * 0.5, y + h * 0.5], np.float32)
    if w > aspect * h:
        h = w / aspect
    else:
        w = h * aspect
    return center, np.array([w / PIXEL_STD, h / PIXEL_STD], np.float32) * PADDING


def plain_sample(person: dict, image_size, heatmap_size, sigma, factor=1.0, rotation=0.0, flip=False):
    """Image [3, H, W], heatmaps [17, h, w], weights [17, 1], and the toolbox's metadata."""
    person = copy.deepcopy(person)
    joints, visible = person["joints_3d"], person["joints_3d_vis"]
    pixels = cv2.imread(person["image"], cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    center, scale = person["center"], person["scale"] * factor
    if flip:
        width = pixels.shape[1]
        pixels = pixels[:, ::-1, :]
        joints[:, 0] = width - joints[:, 0] - 1
        for left, right in LEFT_RIGHT:
            joints[[left, right]] = joints[[right, left]]
            visible[[left, right]] = visible[[right, left]]
        center[0] = width - center[0] - 1
    matrix = _affine(center, scale, rotation, image_size)
    crop = cv2.warpAffine(pixels, matrix, tuple(image_size), flags=cv2.INTER_LINEAR)
    image = TO_TENSOR(crop)
    for j in range(JOINTS):
        if visible[j, 0] > 0:
            joints[j, :2] = matrix @ np.array([joints[j, 0], joints[j, 1], 1.0])
    heatmaps, weights = plain_heatmaps(joints, visible, image_size, heatmap_size, sigma)
    meta = {"image": person["image"], "joints": joints, "center": center, "scale": scale}
    return image, heatmaps, weights, meta


def _affine(center, scale, rotation, output_size):
    """The crop's affine matrix from three points: center, middle of the upper edge, and a right angle to them."""
    angle, width = np.deg2rad(rotation), scale[0] * PIXEL_STD
    up = np.array([np.sin(angle), -np.cos(angle)]) * width / 2
    source, target = np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)
    source[0], source[1] = center, center + up
    target[0] = np.array(output_size) / 2
    target[1] = target[0] - (0, output_size[0] / 2)
    for points in (source, target):
        across = points[0] - points[1]
        points[2] = points[1] + np.array([-across[1], across[0]], np.float32)
    return cv2.getAffineTransform(source, target)


def plain_heatmaps(joints, visible, image_size, heatmap_size, sigma):
    """Heatmaps with a Gaussian patch of 6 sigma + 1 pixels pasted for each joint."""
    width, height = heatmap_size
    stride = np.array(image_size) / np.array(heatmap_size)
    maps = np.zeros((len(joints), height, width), np.float32)
    weights = np.ones((len(joints), 1), np.float32)
    weights[:, 0] = visible[:, 0]
    reach = int(sigma * 3)
    size = 2 * reach + 1
    for j in range(len(joints)):
        mu_x, mu_y = (int(np.floor(joints[j, k] / stride[k] + 0.5)) for k in (0, 1))
        left, top, right, bottom = mu_x - reach, mu_y - reach, mu_x + reach + 1, mu_y + reach + 1
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            weights[j] = 0
            continue
        x = np.arange(0, size, 1, np.float32)
        patch = np.exp(-((x - reach) ** 2 + (x[:, None] - reach) ** 2) / (2 * sigma**2))
        if weights[j] > 0.5:
            rows, columns = slice(max(0, top), min(bottom, height)), slice(max(0, left), min(right, width))
            maps[j, rows, columns] = patch[
                rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
    return maps, weights
