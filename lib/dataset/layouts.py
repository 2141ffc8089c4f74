"""How each kind of data set (DATASET: coco, mpii or coco_format) is laid out on disk."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lib.config.data_settings import DatasetConfig, TargetDatasetConfig
from lib.dataset import coco_file, mpii
from lib.dataset.annotations import Annotations, ReadOptions
from lib.dataset.coco import ObjectFile, read_objects
from lib.dataset.coco_format import KeypointCategory, read_category
from lib.dataset.images import ImageFolder, holds_images
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, JointMapping

USUAL_IMAGE_FOLDER = "images"


@dataclass(frozen=True)
class DatasetLayout(ABC):
    """Where a data set has its files, and how its annotations are read.

    root: folder of the data set.
    data_format: "jpg" for images in a folder, "zip" for an archive beside where that folder would be.
    drop_zero: keypoints at (0, 0) are not labelled (layouts in COCO's format).

    name: value of DATASET in the configuration.
    noun: what log lines call the annotated instances.
    splits_same_set: if VAL_SET and TRAIN_SET are the same, V is split off T (MPII has names for the parts).
    """

    root: Path
    data_format: str = "jpg"
    drop_zero: bool = False

    name: ClassVar[str]
    noun: ClassVar[str] = "people"
    splits_same_set: ClassVar[bool] = False

    @abstractmethod
    def annotation_files(self, image_set: str) -> tuple[Path, ...]:
        """The files that the annotations of ``image_set`` are read from, the JSON file first."""

    @abstractmethod
    def image_folder(self, image_set: str) -> Path:
        """The folder of the images of ``image_set``."""

    @abstractmethod
    def keypoints(self, image_set: str) -> tuple[str, ...]:
        """The data set's own keypoint names, in the order of its annotations. Raises InputError."""

    @abstractmethod
    def read(self, image_set: str, mapping: JointMapping, options: ReadOptions) -> Annotations:
        """Read the annotations of ``image_set`` (MPII: of the file that it is a part of).

        Args:
            mapping: which keypoint each joint of the network is read from.
            options: shape of the crops, and what to do about missing images.

        Raises:
            InputError: naming the file and the annotation that cannot be used.
        """

    def category(self, image_set: str) -> KeypointCategory | None:
        """The annotated category if it has to be read from the annotation file, else None."""
        return None

    def part(self, image_set: str) -> bool | None:
        """Whether ``image_set`` is the validation part of its file (True), the rest (False) or all (None)."""
        return None

    def images(self, image_set: str) -> ImageFolder:
        """The images of ``image_set``, listed on first use."""
        return ImageFolder(self.image_folder(image_set), self.data_format)


@dataclass(frozen=True)
class MPIILayout(DatasetLayout):
    """``annot/{train,valid}.json``, ``annot/gt_valid.mat`` and ``images/`` (or ``images.zip``)."""

    name = "mpii"

    def annotation_files(self, image_set: str) -> tuple[Path, ...]:
        file_set, _ = mpii.PARTS.get(image_set, (image_set, None))
        folder = Path(self.root) / "annot"
        json_file = folder / f"{file_set}.json"
        return (json_file, folder / "gt_valid.mat") if file_set == "valid" else (json_file,)

    def image_folder(self, image_set: str) -> Path:
        return Path(self.root) / "images"

    def keypoints(self, image_set: str) -> tuple[str, ...]:
        return MPII_KEYPOINTS

    def part(self, image_set: str) -> bool | None:
        _, is_validation = mpii.PARTS.get(image_set, (image_set, None))
        return is_validation

    def read(self, image_set: str, mapping: JointMapping, options: ReadOptions) -> Annotations:
        files = self.annotation_files(image_set)
        return mpii.read_mpii(files, self.images(image_set), mapping, options)


@dataclass(frozen=True)
class ObjectFileLayout(DatasetLayout):
    """A layout whose annotations are a JSON file in COCO's format."""

    @abstractmethod
    def object_file(self, image_set: str) -> ObjectFile:
        """The annotation file of ``image_set``, and what of it is read. Raises InputError."""

    def read(self, image_set: str, mapping: JointMapping, options: ReadOptions) -> Annotations:
        return read_objects(self.object_file(image_set), mapping, options)


@dataclass(frozen=True)
class COCOLayout(ObjectFileLayout):
    """``annotations/person_keypoints_<set>.json`` and ``images/<set>/`` (or ``images/<set>.zip``)."""

    name = "coco"

    def annotation_files(self, image_set: str) -> tuple[Path, ...]:
        return (coco_file.annotation_file(self.root, image_set),)

    def image_folder(self, image_set: str) -> Path:
        return coco_file.image_folder(self.root, image_set)

    def keypoints(self, image_set: str) -> tuple[str, ...]:
        return COCO_KEYPOINTS

    def object_file(self, image_set: str) -> ObjectFile:
        (file,) = self.annotation_files(image_set)
        return ObjectFile(file, self.images(image_set), drop_zero=self.drop_zero)


@dataclass(frozen=True)
class COCOFormatLayout(ObjectFileLayout):
    """Any set in COCO's format: an image set is named by its annotation file, relative to ``root``.

    image_folder_name: folder of the images in ``root``; {set} in it stands for the annotation file's stem; empty:
        looked for.
    category_names: names of the categories to read, see `read_category`.
    """

    image_folder_name: str = ""
    category_names: tuple[str, ...] = ()

    name = "coco_format"
    noun = "objects"
    splits_same_set = True

    def annotation_files(self, image_set: str) -> tuple[Path, ...]:
        return (Path(self.root) / image_set,)

    def image_folder(self, image_set: str) -> Path:
        if self.image_folder_name:
            return Path(self.root) / self.image_folder_name.replace("{set}", Path(image_set).stem)
        folder = Path(self.root) / USUAL_IMAGE_FOLDER
        if self.data_format == "zip" or folder.exists():
            return folder
        # Some tools write the images of each set beside its annotation file, or in a folder beside it.
        beside = (Path(self.root) / image_set).parent
        return next(filter(holds_images, (beside, Path(self.root))), folder)

    def images(self, image_set: str) -> ImageFolder:
        """As in the base class; file names may contain folders."""
        return ImageFolder(self.image_folder(image_set), self.data_format, nested=True, setting="IMAGES")

    def category(self, image_set: str) -> KeypointCategory:
        (file,) = self.annotation_files(image_set)
        return read_category(file, self.category_names)

    def keypoints(self, image_set: str) -> tuple[str, ...]:
        return self.category(image_set).keypoints

    def object_file(self, image_set: str) -> ObjectFile:
        (file,) = self.annotation_files(image_set)
        return ObjectFile(file, self.images(image_set), self.category(image_set).numbers, self.drop_zero)


def layout_of(dataset_config: DatasetConfig) -> DatasetLayout:
    """The layout of a data set section (DATASET_SRC, DATASET_TARGET, DATASET) of the configuration."""
    read = (Path(dataset_config.root), dataset_config.data_format, dataset_config.drop_zero_keypoints)
    if dataset_config.dataset == "mpii":
        return MPIILayout(*read)
    if dataset_config.dataset == "coco":
        return COCOLayout(*read)
    return COCOFormatLayout(*read, dataset_config.images, dataset_config.category)


@dataclass(frozen=True)
class ImageSet:
    """Images and annotations that are read together.

    dataset_config: section of the configuration (DATASET_SRC, DATASET_TARGET or DATASET), not a copy.
    name: name of the set in its layout (the section's TRAIN_SET, VAL_SET or TEST_SET).
    validation: True for only the third of it that is V, False for only the rest, None for all of it.
    """

    dataset_config: DatasetConfig
    name: str
    validation: bool | None = None

    @property
    def layout(self) -> DatasetLayout:
        """The layout of the data set."""
        return layout_of(self.dataset_config)

    @property
    def part(self) -> bool | None:
        """``validation``, also if the set's name says it (MPII's train_finetune and train_validate)."""
        return self.layout.part(self.name) if self.validation is None else self.validation


def training_set(dataset_config: DatasetConfig) -> ImageSet:
    """The whole TRAIN_SET of the section."""
    return ImageSet(dataset_config, dataset_config.train_set)


def target_sets(target: TargetDatasetConfig) -> tuple[ImageSet, ImageSet]:
    """The training set T and the validation set V of DATASET_TARGET.

    In coco_format they are two parts of one file if TRAIN_SET and VAL_SET are the same.
    """
    is_split = layout_of(target).splits_same_set and target.val_set == target.train_set
    return (
        ImageSet(target, target.train_set, False if is_split else None),
        ImageSet(target, target.val_set, True if is_split else None),
    )
