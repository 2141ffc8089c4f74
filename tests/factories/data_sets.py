"""Tiny COCO and MPII layouts on disk, for tests of the readers and of what stands on them."""

import json

import cv2
import numpy as np
from scipy.io import savemat

from lib.dataset.annotations import ReadOptions
from lib.dataset.keypoints import joint_mapping
from lib.dataset.layouts import COCOLayout, MPIILayout

NAMES_IN_GT_VALID = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip


def smooth_image(width, height, seed=0):
    """[height, width, 3] uint8 in soft colours, so that interpolation hardly depends on rounding."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (4, 4, 3)).astype(np.float32)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_image(path, width=64, height=48, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), smooth_image(width, height, seed))


def coco_person(number=7, image_id=1, **changed):
    """One annotation; keypoint k is at (10 + k, 8 + k), seen, hidden and unlabelled in turn."""
    keypoints = [value for k in range(17) for value in (10 + k, 8 + k, 2 - k % 3)]
    return {
        "id": number, "image_id": image_id, "category_id": 1, "iscrowd": 0, "area": 400.5,
        "bbox": [8, 6, 21, 31], "num_keypoints": 12, "keypoints": keypoints, **changed,
    }  # fmt: skip


def coco_image(image_id=1, **changed):
    return {"id": image_id, "file_name": f"{image_id:012}.jpg", "width": 64, "height": 48, **changed}


def write_coco(root, people, images=None, image_set="train2017"):
    """The layout with these annotations, and its JSON file's path; ``images``: entries of its list."""
    images = [coco_image()] if images is None else images
    folder = root / "images" / image_set
    for number, image in enumerate(images):
        write_image(folder / image["file_name"], image["width"], image["height"], number)
    path = root / "annotations" / f"person_keypoints_{image_set}.json"
    write_json(path, {"images": images, "annotations": people})
    return path


def read_coco(root, image_set, names, aspect, data_format="jpg"):
    """The annotations of a COCO layout, with the network's joints ``names``."""
    return COCOLayout(root, data_format).read(image_set, joint_mapping("coco", names), ReadOptions(aspect))


def mpii_person(image="a.jpg", **changed):
    """One entry; joint k is at (11 + k, 21 + 2k), all there but the first."""
    person = {
        "image": image, "scale": 0.16, "center": [25, 20],
        "joints": [[11 + k, 21 + 2 * k] for k in range(16)], "joints_vis": [0] + [1] * 15, **changed,
    }  # fmt: skip
    if "joints" not in changed:
        person["joints"][0] = [-1, -1]
    return person


def write_mpii(root, people, image_set="train", truth_people=None):
    """The layout with these entries, and its JSON file's path; head boxes of ``valid`` are 30 x 40."""
    for number, name in enumerate(dict.fromkeys(person["image"] for person in people)):
        write_image(root / "images" / name, seed=number)
    path = root / "annot" / f"{image_set}.json"
    write_json(path, people)
    if image_set == "valid":
        write_gt_valid(root / "annot" / "gt_valid.mat", people if truth_people is None else truth_people)
    return path


def read_mpii(root, image_set, names, aspect, data_format="jpg"):
    """All annotations of the file that ``image_set`` of an MPII layout is in, with the joints ``names``."""
    return MPIILayout(root, data_format).read(image_set, joint_mapping("mpii", names), ReadOptions(aspect))


def write_gt_valid(path, people):
    joints = np.array([person["joints"] for person in people], np.float64).reshape(-1, 16, 2)
    seen = np.array([person["joints_vis"] for person in people]).reshape(-1, 16)
    names = np.empty((1, 16), object)
    names[0] = NAMES_IN_GT_VALID
    savemat(path, {
        "dataset_joints": names,
        "jnt_missing": (1 - seen.T).astype(np.uint8),
        "pos_gt_src": joints.transpose(1, 2, 0),
        "headboxes_src": np.tile(np.array([[5, 6], [35, 46]], np.float64)[:, :, None], len(people)),
    })  # fmt: skip


def write_json(path, tree):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree), encoding="utf-8")


# What a damaged or hand-edited file may hold in place of any value.
NASTY_VALUES = [
    None, True, -1, 0, 1.5, 1e300, 10**30, -(2**63), 2**64, 10**400,
    float("nan"), float("inf"), -float("inf"),
    "", "x", "12", "two\nlines", "\ud800", "../x.jpg", "/etc/hostname", "a\0b",
    [], [1], [None], ["1"] * 4, [[1, 2], [3]], [[]], [0] * 51, [1e300] * 4, {}, {"id": 1},
]  # fmt: skip
