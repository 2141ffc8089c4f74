"""The training that finds wrong labels: its data from two annotation files, its settings from data and machine."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.config.loader import parse_overrides, with_settings
from lib.config.schema import Config
from lib.dataset.annotations import PADDING, read_json
from lib.dataset.build import read_annotations
from lib.dataset.coco_format import read_category
from lib.dataset.heatmap import network_heatmap_size
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS
from lib.dataset.layouts import training_set
from lib.doctor.suggestions import FEW_TRUSTED, Seen, suggested_settings
from lib.utils.device import pick_device
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

# Training steps, relative to what is usual for as much data.
EFFORTS = {"quick": 0.4, "normal": 1.0, "thorough": 3.0}
USUAL = "normal"
MPII_FOLDER, COCO_FOLDER, COCO_PREFIX = "annot", "annotations", "person_keypoints_"
NETWORK_SIZE = ("MODEL.IMAGE_SIZE", "MODEL.EXTRA")
READERS = 8  # processes that read images for a GPU, at most; on a CPU the training itself uses all cores
UNDECIDED = 10**7  # steps per epoch for which a number is always suggested


@dataclass(frozen=True)
class LabelledImages:
    """An annotation file, in COCO's format or MPII's layout (annot/*.json), and the folder of its images.

    images: None for where the layout has them.
    flag: of the command line, for messages; empty if there is none.
    """

    labels: str | Path
    images: str | Path | None = None
    flag: str = ""

    def __str__(self) -> str:
        return f"{self.flag} {self.labels}".strip()

    def section(self) -> dict[str, Any]:
        """{setting of a data set section: value}; the set is that of TRAIN_SET.

        Raises:
            InputError: the file is of no known layout, or a folder is missing.
        """
        path = Path(self.labels).resolve()
        images = None if self.images is None else Path(self.images)
        if images is not None and not images.is_dir():
            raise InputError(f"{self}: there is no image folder {images}")
        content = read_json(path)
        if isinstance(content, list):
            return self._mpii(path)
        if not isinstance(content, dict) or "annotations" not in content:
            raise InputError(f"{self}: expected an object with 'annotations' (COCO's format), or MPII's list")
        name = path.stem.removeprefix(COCO_PREFIX)
        if images is None and (of_coco := path.parent.parent / "images" / name).is_dir():
            images = of_coco
        section = {"DATASET": "coco_format", "ROOT": str(path.parent), "TRAIN_SET": path.name}
        return section | ({} if images is None else {"IMAGES": str(images.resolve())})

    def _mpii(self, path: Path) -> dict[str, Any]:
        root = path.parent.parent
        if path.parent.name != MPII_FOLDER:
            raise InputError(f"{self}: a list, as of MPII, whose place is {MPII_FOLDER}/{path.name}")
        if self.images is not None and Path(self.images).resolve() != (root / "images").resolve():
            raise InputError(f"{self}: MPII's images are in {root / 'images'}, not in {self.images}")
        return {"DATASET": "mpii", "ROOT": str(root), "TRAIN_SET": path.stem}


@dataclass(frozen=True)
class LabelsRun:
    """What is to be done.

    doubtful, trusted: the labels.
    effort: one of EFFORTS.
    given: {setting: value} of the user, which override all others.
    """

    doubtful: LabelledImages
    trusted: LabelledImages
    effort: str
    given: dict[str, Any]

    def configuration(self) -> Config:
        """The settings of the training. Reads the annotations of both files.

        Raises:
            InputError: naming the file, annotation or setting that cannot be used.
        """
        if self.effort not in EFFORTS:
            raise InputError(f"effort is {short_repr(self.effort)}, expected one of {', '.join(EFFORTS)}")
        # The size of the network, which has to fit together, is for the end.
        of_data = {key: value for key, value in self.given.items() if not key.startswith(NETWORK_SIZE)}
        config = with_settings(Config(), data_settings(self.doubtful, self.trusted, self.given) | of_data)
        seen = _seen(config)
        if seen.target < FEW_TRUSTED:
            LOG.warning(
                f"only {seen.target} trusted instances; what is found with fewer than {FEW_TRUSTED} may be little"
            )
        undecided = with_settings(config, {"TRAIN.STEPS_PER_EPOCH": UNDECIDED})
        suited = _parsed(suggested_settings(undecided, seen))
        steps = suited["TRAIN.STEPS_PER_EPOCH"] * EFFORTS[self.effort]
        suited |= {"TRAIN.STEPS_PER_EPOCH": max(1, round(steps)), "TRAIN.RESUME": True}
        suited |= {"LBI.FREEZE_WEIGHTS_EPOCH": suited["TRAIN.LR_STEP"][0]}
        suited |= {"WORKERS": 0 if seen.gpu_bytes is None else min(READERS, os.cpu_count() or 1)}
        pretrained = suited.get("MODEL.PRETRAINED", config.model.pretrained)
        if pretrained and not Path(pretrained).exists():
            LOG.warning(
                f"no pretrained weights in {pretrained}: starting from random ones, which takes longer"
            )
            suited["MODEL.PRETRAINED"] = ""
        wanted = suited | self.given
        if "MODEL.IMAGE_SIZE" in self.given and "MODEL.EXTRA.HEATMAP_SIZE" not in self.given:
            layers = wanted.get("MODEL.EXTRA.NUM_DECONV_LAYERS", config.model.extra.num_deconv_layers)
            wanted["MODEL.EXTRA.HEATMAP_SIZE"] = list(
                network_heatmap_size(wanted["MODEL.IMAGE_SIZE"], layers)
            )
        return with_settings(config, wanted)


def data_settings(doubtful: LabelledImages, trusted: LabelledImages, given: dict[str, Any]) -> dict[str, Any]:
    """The settings of the data sets and of the joints, {setting: value}; those ``given`` decide on categories.

    T, V and the test set are the trusted labels, all of them. Raises InputError for files of no known layout.
    """
    source, target = doubtful.section(), trusted.section()
    if "DATASET_SRC.CATEGORY" not in given and _is_coco(source, target):
        folder = Path(source["ROOT"]).parent
        source = {"DATASET": "coco", "ROOT": str(folder), "TRAIN_SET": _coco_name(source)}
    name = target["TRAIN_SET"]
    target |= {"VAL_SET": name, "TEST_SET": name}
    return {
        **{f"DATASET_SRC.{key}": value for key, value in source.items()},
        **{f"DATASET_TARGET.{key}": value for key, value in target.items()},
        "MODEL.NUM_JOINTS": _joint_count(source, target, given.get("DATASET_TARGET.CATEGORY", ())),
        "LBI.META_DATA": "target",
        "LBI.VAL_IN_TRAIN": target["DATASET"] == "coco_format",  # where V is a part of the file
        "DATASET.CACHE": True,
    }


def _is_coco(source: dict[str, Any], target: dict[str, Any]) -> bool:
    """Whether the source is COCO's own, in COCO's folders, and the target MPII's: only then is the head mapped."""
    if target["DATASET"] != "mpii" or source["DATASET"] != "coco_format":
        return False
    folder, name = Path(source["ROOT"]), _coco_name(source)
    usual = folder.parent / "images" / name
    in_place = folder.name == COCO_FOLDER and source["TRAIN_SET"].startswith(COCO_PREFIX)
    if not in_place or source.get("IMAGES") != str(usual):
        return False
    return read_category(folder / source["TRAIN_SET"]).keypoints == COCO_KEYPOINTS


def _coco_name(source: dict[str, Any]) -> str:
    return Path(source["TRAIN_SET"]).stem.removeprefix(COCO_PREFIX)


def _joint_count(source: dict[str, Any], target: dict[str, Any], category: str | Sequence[str]) -> int:
    if target["DATASET"] == "mpii":
        return len(MPII_KEYPOINTS if source["DATASET"] == "mpii" else SHARED_KEYPOINTS)
    wanted = [category] if isinstance(category, str) else category
    return len(read_category(Path(target["ROOT"], target["TRAIN_SET"]), wanted).keypoints)


def _seen(config: Config) -> Seen:
    source = read_annotations(config, training_set(config.dataset_src))
    trusted = read_annotations(config, training_set(config.dataset_target))
    boxes = np.concatenate([each.sizes.max(axis=1) for each in (source, trusted)]) / PADDING
    device, _ = pick_device(config.device, config.gpus)
    return Seen(
        source=len(source),
        target=len(trusted),
        box=float(np.median(boxes)),
        gpu_bytes=_gpu_bytes(device),
        validation=len(trusted),
    )


def _gpu_bytes(device: torch.device) -> int | None:
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def _parsed(words: dict[str, str]) -> dict[str, Any]:
    """Values of settings from their words on a command line."""
    return parse_overrides([word for key, value in words.items() for word in (key, value.strip("'"))])
