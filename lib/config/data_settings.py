"""The settings of the data sets: DATASET, DATASET_SRC and DATASET_TARGET; see schema.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lib.config.setting import setting

Layout = Literal["coco", "mpii", "coco_format"]

LAYOUT = (
    "layout of the {} on disk; coco_format: any dataset in COCO format, "
    "whose sets are named by their annotation file in ROOT"
)
SIGMAS = (
    "coco_format: OKS sigma of each keypoint in the order of the annotation file, or one for all "
    "(COCO: 0.025 for eyes to 0.107 for hips)"
)


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """The settings that all datasets have."""

    dataset: Layout
    root: str
    images: str = setting(
        "",
        "coco_format: image folder in ROOT; {set} in it stands for the annotation file's name without .json "
        "(empty: images, or if there is none the annotation file's folder, or ROOT, and all folders in it)",
    )
    category: tuple[str, ...] = setting(
        (),
        "coco_format: category to read, several with the same keypoints, or '*' for all of them (empty: the only "
        "category with keypoints)",
    )
    drop_zero_keypoints: bool = setting(
        False,
        "coco, coco_format: leave out keypoints at exactly (0, 0), which some tools write for unlabelled ones",
    )
    data_format: Literal["jpg", "zip"] = setting(
        "jpg", "images are files of a folder (jpg), or members of a zip archive next to it (zip)"
    )
    flip: bool = setting(True, "flip training images horizontally with probability 0.5")
    rot_factor: float = setting(
        40.0,
        "standard deviation of the random rotation in training, in degrees (clipped at twice the value)",
        minimum=0,
        maximum=360,
    )
    scale_factor: float = setting(
        0.3,
        "standard deviation of the random scale in training, and the bound it is clipped to",
        minimum=0,
        maximum=0.9,
    )
    train_set: str


@dataclass(frozen=True, kw_only=True)
class SingleDatasetConfig(DatasetConfig):
    """DATASET: the dataset of train.py and valid.py, and how images of any dataset are read."""

    dataset: Layout = setting("mpii", LAYOUT.format("single dataset (train.py, valid.py)"))
    root: str = setting("data/mpii", "root folder of the single dataset (train.py, valid.py)")
    train_set: str = setting("train", "set to train on")
    test_set: str = setting("valid", "set to evaluate on, during training and at the end")
    sigmas: tuple[float, ...] = setting((0.05,), SIGMAS, minimum=1e-4, maximum=10)
    color_rgb: Literal["auto", True, False] = setting(
        "auto",
        "read images as RGB (true) or BGR (false); auto: RGB, but in valid.py as the weights were trained "
        "(published pose checkpoints: BGR)",
    )
    cache: bool = setting(False, "keep decoded images in memory, in every worker; for datasets that fit")
    annotation_cache: bool = setting(
        True, "cache annotations of large files as arrays in OUTPUT_DIR/annotations, for a faster start"
    )
    reduced_decode: bool = setting(
        False,
        "decode JPEG images at 1/2, 1/4 or 1/8 of their size if the person is far larger than the "
        "network input: faster, but pixel values differ",
    )
    pack: bool = setting(False, "keep decoded pixels in OUTPUT_DIR/packs: faster, 240 kB of disk per person")
    on_bad_image: Literal["raise", "skip"] = setting(
        "raise",
        "image that is unreadable or has another size than annotated: stop the run (raise), or skip and count it (skip)",
    )
    image_bits: int = setting(
        0,
        "significant bits of 16-bit images, 8 to 16; 0: as many as the largest value of a sample has",
        minimum=0,
        maximum=16,
    )

    @property
    def reads_rgb(self) -> bool:
        """Whether images are read as RGB: unless COLOR_RGB is false."""
        return self.color_rgb is not False


@dataclass(frozen=True, kw_only=True)
class SourceDatasetConfig(DatasetConfig):
    dataset: Layout = setting("coco", LAYOUT.format("source dataset"))
    root: str = setting("data/coco", "root folder of the source dataset")
    train_set: str = setting("train2017", "source set to train on")
    joints: Mapping[str, str] = setting(
        {},
        "names of the target's keypoints in the source, if they differ: {target name: source name}; "
        "an empty name: the source does not label this keypoint",
    )


@dataclass(frozen=True, kw_only=True)
class TargetDatasetConfig(DatasetConfig):
    dataset: Layout = setting("mpii", LAYOUT.format("target dataset"))
    root: str = setting("data/mpii", "root folder of the target dataset")
    train_set: str = setting(
        "train_finetune", "T, the training part of the target; train_finetune: two thirds of train"
    )
    val_set: str = setting(
        "train_validate",
        "V, the validation part of the target; train_validate: the remaining third of train; "
        "coco_format: an annotation file, or the same as TRAIN_SET, which is then split likewise",
    )
    test_set: str = setting("valid", "test part of the target, never used for model selection")
    split: Literal["image", "annotation"] = setting(
        "image", "split train into T and V by image, or by annotation as in the original LBI code"
    )
    sigmas: tuple[float, ...] = setting((0.05,), SIGMAS, minimum=1e-4, maximum=10)
