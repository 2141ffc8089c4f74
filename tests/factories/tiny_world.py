"""A folder in which the documentation's commands run as they stand, in seconds: the same names, all of it tiny."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import scipy.io
import torch
import yaml

from lib.config.loader import load_config
from lib.models.pose_resnet import build_pose_resnet

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "WORKERS": 0,
    "THREADS": 1,
    "PRINT_FREQ": 1,
    "MODEL.INIT_WEIGHTS": False,
    "MODEL.IMAGE_SIZE": [64, 64],
    "MODEL.EXTRA.HEATMAP_SIZE": [16, 16],
    "MODEL.EXTRA.WIDTH": 4,
    "MODEL.EXTRA.NUM_DECONV_FILTERS": [8, 8, 8],
    "TRAIN.BATCH_SIZE": 4,
    "TRAIN.SRC_BATCH_SIZE": 4,
    "TRAIN.STEPS_PER_EPOCH": 2,
    "TRAIN.END_EPOCH": 1,
    "LBI.VAL_BATCH_SIZE": 4,
    "TEST.BATCH_SIZE": 8,
}


def make_world(root: Path, people: Path) -> None:
    """Fill ``root``; ``people``: the built-in data set, drawn small (coco/ and mpii/)."""
    for name in ("lib", "pose_estimation", "tests"):
        (root / name).symlink_to(ROOT / name)
    (root / "benchmarks").mkdir()
    for script in (ROOT / "benchmarks").glob("*.py"):
        (root / "benchmarks" / script.name).symlink_to(script)
    shutil.copytree(ROOT / "benchmarks/results", root / "benchmarks/results")
    shutil.copytree(ROOT / "experiments", root / "experiments")
    for path in (root / "experiments").rglob("*.yaml"):
        _shrink(path)
    shutil.copytree(people, root / "data/people")
    for name in ("coco", "mpii"):
        shutil.copytree(people / name, root / "data" / name)
    _detections(root)
    _published(
        root, "pose_mpii/pose_resnet_50_256x256.pth.tar", "mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
    )
    _published(
        root, "pose_coco/pose_resnet_50_256x192.pth.tar", "coco/resnet50/256x192_d256x3_adam_lr1e-3.yaml"
    )
    shutil.copy(root / "models/pytorch/pose_coco/pose_resnet_50_256x192.pth.tar", root)
    scipy.io.savemat(
        root / "preds.mat", {"preds": np.ones((len(_people(root / "data/mpii/annot/valid.json")), 16, 2))}
    )
    _images(root)


def _people(path: Path) -> list:
    return json.loads(path.read_text())


def _shrink(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    for key, value in SMALL.items():
        *groups, name = key.split(".")
        node = content
        for group in groups:
            node = node.setdefault(group, {})
        node[name] = value
    path.write_text(yaml.safe_dump(content))


def _detections(root: Path) -> None:
    """The annotated boxes of val2017 as detected ones."""
    (file,) = (root / "data/coco/annotations").glob("*val2017.json")
    boxes = [
        {"image_id": person["image_id"], "category_id": 1, "bbox": person["bbox"], "score": 0.9}
        for person in json.loads(file.read_text())["annotations"]
    ]
    folder = root / "data/coco/person_detection_results"
    folder.mkdir()
    (folder / "COCO_val2017_detections_AP_H_56_person.json").write_text(json.dumps(boxes))


def _published(root: Path, name: str, cfg: str) -> None:
    """Random weights in the form of SimpleBaseline's."""
    config = load_config(root / "experiments" / cfg)
    path = root / "models/pytorch" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {f"module.{key}": tensor for key, tensor in build_pose_resnet(config.model).state_dict().items()},
        path,
    )


def _images(root: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (96, 80, 3), dtype=np.uint8)
    (root / "photos").mkdir()
    for path in (root / "photos/one.jpg", root / "000000000139.jpg"):
        cv2.imwrite(str(path), image)
    box = {"image_id": 139, "category_id": 1, "bbox": [5, 5, 60, 80], "score": 0.8}
    (root / "detections.json").write_text(json.dumps([box]))
    (root / "clips").mkdir()
    video = cv2.VideoWriter(str(root / "clips/a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 5, (80, 96))
    for _ in range(2):
        video.write(image)
    video.release()
