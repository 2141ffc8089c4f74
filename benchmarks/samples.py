"""Samples of the same people made in several ways: as the usual toolbox does, and as here. Used by data.py."""

import functools
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch

from benchmarks import big_coco
from benchmarks.plain_data import JOINTS, plain_sample
from benchmarks.timing import median_times
from lib.config.loader import load_config
from lib.dataset import pack_file
from lib.dataset.annotations import Annotations, ReadOptions
from lib.dataset.build import build_codec
from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoint_dataset import Augmentation, KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, joint_mapping
from lib.dataset.layouts import COCOLayout, MPIILayout
from lib.dataset.pack_file import Contents
from lib.dataset.packing import Packing, Wanted, cut_image, packed

CONFIG = Path(__file__).resolve().parents[1] / "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3_lbi.yaml"
USUAL = Augmentation(flip=True, rotation=40.0, scale=0.3)
GREY_LEVELS = 255 * torch.tensor([0.229, 0.224, 0.225])[:, None, None]  # per unit of a normalised image
COCO = joint_mapping("coco", COCO_KEYPOINTS)


def configuration(root: Path, output: Path, cached: bool = True, reduced: bool = False):
    """Settings with COCO below ``root`` as the source.

    Args:
        cached: DATASET.ANNOTATION_CACHE.
        reduced: DATASET.REDUCED_DECODE.
    """
    settings = {
        "DATASET_SRC.ROOT": str(root),
        "OUTPUT_DIR": str(output),
        "MODEL.NUM_JOINTS": 17,
        "DATASET.ANNOTATION_CACHE": cached,
        "DATASET.REDUCED_DECODE": reduced,
    }
    return load_config(CONFIG, settings)


def write_noisy_coco(root: Path, people: int = 40) -> None:
    """Write COCO's layout with images of 640 x 480 that compress about as well as real ones."""
    big_coco.write_big_coco(root, images=people, people=people, labelled=people)
    rng = np.random.default_rng(0)
    tree = json.loads(annotation_file(root, big_coco.SET).read_text())
    for image in tree["images"]:
        height, width = image["height"], image["width"]
        coarse = rng.uniform(0, 255, (height // 8, width // 8, 3)).astype(np.float32)
        pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        pixels = np.clip(pixels + rng.normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / "images" / big_coco.SET / image["file_name"]), pixels)


def plain_of(people: Annotations, index: int) -> dict:
    """One person as the usual toolbox's dictionary."""
    joints, visible = np.zeros((17, 3)), np.zeros((17, 3))
    joints[:, :2], visible[:, :2] = people.joints[index], people.visible[index][:, None]
    return {
        "image": people.image_paths[people.image_index[index]], "center": people.centers[index].copy(),
        "scale": people.sizes[index] / 200, "joints_3d": joints, "joints_3d_vis": visible,
        "filename": "", "imgnum": 0,
    }  # fmt: skip


def real_people(data: Path) -> dict[str, Annotations]:
    """The people of real images below ``data`` (coco/ and mpii/), as far as there are any; 17 joints each."""
    found = {}
    sets = [name for name in (big_coco.SET, "val2017") if annotation_file(data / "coco", name).is_file()]
    if sets:
        every = [COCOLayout(data / "coco").read(name, COCO, ReadOptions(0.75)) for name in sets]
        found["coco"] = functools.reduce(Annotations.joined, every)
    if (data / "mpii").is_dir():
        mapping = joint_mapping("mpii", MPII_KEYPOINTS)
        parts = [
            MPIILayout(data / "mpii").read(name, mapping, ReadOptions(0.75)) for name in ("train", "valid")
        ]
        one, two = (replace(people, head_sizes=None) for people in parts)
        people = one.joined(two)
        more = ((0, 0), (0, JOINTS - len(MPII_KEYPOINTS)))  # a joint without a label
        joints, visible = np.pad(people.joints, (*more, (0, 0))), np.pad(people.visible, more)
        found["mpii"] = replace(people, mapping=COCO, joints=joints, visible=visible)
    return found


class Samples:
    """The same samples, made in several ways: all people of a set, augmented as in training.

    Args:
        people: of COCO's joints.
        folder: for the packs.
    """

    def __init__(self, people: Annotations, folder: Path):
        codec = build_codec(configuration(Path(), Path()).model)
        self.usual = [plain_of(people, i) for i in range(len(people))]
        self.here = KeypointDataset(people, codec, USUAL)
        self.reduced = KeypointDataset(people, codec, USUAL, reduced_decode=True)
        self.pack_files = {"pack": folder / "whole.pack", "reduced pack": folder / "reduced.pack"}
        self.packed = packed(self.here, self.pack_files["pack"], Packing())
        self.reduced_packed = packed(self.reduced, self.pack_files["reduced pack"], Packing())
        self.codec = codec

    def drawn(self, index: int, visit: int) -> tuple[float, float, bool]:
        """The random augmentation of a sample."""
        return USUAL.draw(np.random.default_rng([0, visit, index]))

    def plain(self, index: int, visit: int):
        """A sample of the usual toolbox, with the same augmentation."""
        codec = self.codec
        change = self.drawn(index, visit)
        return plain_sample(self.usual[index], codec.image_size, codec.heatmap_size, codec.sigma, *change)

    def seconds(self, repeat: int) -> dict[str, float]:
        """Seconds per sample of each way, median over passes; the images are in the system's cache."""
        ways = {
            "usual": self.plain,
            "here": lambda i, visit: self.here[i, visit],
            "reduced": lambda i, visit: self.reduced[i, visit],
            "pack": lambda i, visit: self.packed[i, visit],
            "reduced pack": lambda i, visit: self.reduced_packed[i, visit],
        }
        count = len(self.usual)
        passes = {
            name: lambda sample=sample: [sample(i, 0) for i in range(count)] for name, sample in ways.items()
        }
        return {name: seconds / count for name, seconds in median_times(passes, repeat).items()}

    def sizes(self) -> dict[str, float]:
        """Bytes and seconds of the packs, per person."""
        count, people = len(self.usual), self.here.annotations
        images = {people.image_paths[k] for k in np.unique(people.image_index)}
        sizes = {"people": float(count), "images": float(len(images))}
        sizes["kB of image files"] = sum(Path(path).stat().st_size for path in images) / count / 1000
        sizes |= {f"kB of the {name}": f.stat().st_size / count / 1000 for name, f in self.pack_files.items()}
        return sizes | {"ms to make the pack": 1000 * self.seconds_of_packing() / count}

    def seconds_of_packing(self) -> float:
        """Seconds to decode all images with one thread and to write their regions, onto the disk."""
        with pack_file.locked(self.pack_files["pack"].with_name("timed.pack")) as file:
            begun = time.perf_counter()
            pack_file.begin(file)
            wanted, records = Wanted.by(self.here), []
            for number, instances in enumerate(wanted.by_image()):
                parts = cut_image(wanted, number, instances) or ()
                records += [pack_file.append(file, record, pixels) for record, pixels in parts]
            pack_file.finish(file, Contents.of(records))
            return time.perf_counter() - begun

    def differences(self, visits: int = 3) -> dict[str, float]:
        """Differences from the usual way: of pixels in grey levels (of 255), and of heatmaps."""
        levels: dict[str, list[torch.Tensor]] = {}
        heatmaps, equal = 0.0, 0
        for visit in range(visits):
            for i in range(len(self.usual)):
                image, maps, _, _ = self.plain(i, visit)
                here, smaller, from_pack = self.here[i, visit], self.reduced[i, visit], self.packed[i, visit]
                difference = (GREY_LEVELS * (here.image - image)).abs()
                levels.setdefault("mirrored" if here.flipped else "upright", []).append(difference)
                heatmaps = max(heatmaps, float((here.heatmaps - torch.from_numpy(maps)).abs().max()))
                equal += all(torch.equal(x, y) for x, y in zip(here[:-1], from_pack[:-1]))
                for name, sample in (("reduced", smaller), ("reduced_pack", self.reduced_packed[i, visit])):
                    if not torch.equal(here.image, sample.image):
                        difference = (GREY_LEVELS * (sample.image - here.image)).abs()
                        levels.setdefault(name, []).append(difference)
        count = visits * len(self.usual)
        differences = {
            "largest_heatmap_difference": heatmaps,
            "share_from_pack_equal_to_the_last_bit": equal / count,
            "share_decoded_smaller": len(levels.get("reduced", ())) / count,
        }
        for name, images in levels.items():
            every = torch.stack(images)
            differences[f"{name}_largest_level"] = float(every.max())
            differences[f"{name}_mean_level"] = float(every.mean())
            differences[f"{name}_share_within_one_level"] = float((every < 1.01).float().mean())
        return differences


def measure_samples(people: Annotations, repeat: int) -> dict[str, dict[str, float]]:
    """Seconds per sample of each way, sizes of the packs, and the differences of the samples."""
    with tempfile.TemporaryDirectory() as folder:
        samples = Samples(people, Path(folder))
        return {
            "seconds": samples.seconds(repeat),
            "sizes": samples.sizes(),
            "differences": samples.differences(),
        }
