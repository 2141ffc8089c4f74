"""MPII Human Pose: ``annot/{train,valid}.json``, ``annot/gt_valid.mat`` and ``images/`` (or ``images.zip``)."""

from pathlib import Path

import numpy as np

from lib.dataset.annotations import (
    PADDING,
    Annotations,
    column,
    fields_of,
    read_json,
    without_garbage_collection,
)
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import MPII_KEYPOINTS, JointMapping, joint_mapping
from lib.dataset.mpii_truth import head_sizes_from_scales, read_mpii_truth
from lib.dataset.packed_strings import PackedStrings
from lib.utils.errors import InputError

# The parts that the target's training set is cut into: (file, is it the validation part).
SPLITS = {"train_finetune": ("train", False), "train_validate": ("train", True)}
VALIDATION_SHARE = 3  # every third image (or annotation) is for validation


def annotation_files(root: str | Path, image_set: str) -> tuple[Path, ...]:
    """The JSON file that ``image_set`` is in, and for valid the MAT file with its true places."""
    file_set, _ = SPLITS.get(image_set, (image_set, None))
    folder = Path(root) / "annot"
    json_file = folder / f"{file_set}.json"
    return (json_file, folder / "gt_valid.mat") if file_set == "valid" else (json_file,)


def image_folder(root: str | Path) -> Path:
    return Path(root) / "images"


@without_garbage_collection()
def read_mpii(
    root: str | Path,
    image_set: str,
    names: tuple[str, ...],
    aspect: float,
    split: str = "image",
    data_format: str = "jpg",
    mapping: JointMapping | None = None,
) -> Annotations:
    """The people of ``image_set``: train, valid, or train_finetune / train_validate.

    The last two are train cut in two thirds and one third; ``split`` says by what: ``image``
    keeps the people of one image on one side, ``annotation`` is the original's cut.
    ``data_format`` zip reads the images from ``images.zip``.
    A crop's height is the box's side, whatever the input's aspect, so that people appear at the
    same scale as in crops of COCO. ``mapping``: how ``names`` are read (None: by name).
    The people's ids are their positions in the file.
    Raises InputError naming the file and the annotation for whatever cannot be used.
    """
    _, validation = SPLITS.get(image_set, (image_set, None))
    path, *mat = annotation_files(root, image_set)
    people = read_json(path)
    if not isinstance(people, list):
        raise InputError(f"{path}: expected a list of people")
    folder = ImageFolder(image_folder(root), data_format)
    count = len(people)

    def where(k: int) -> str:
        return f"{path}: person {k}"

    joints, visible, centers, scales, files = fields_of(
        people,
        ("joints", "joints_vis", "center", "scale", "image"),
        lambda k: f"{where(k)} needs joints, joints_vis, center, scale and image",
    )
    joints = column(joints, (len(MPII_KEYPOINTS), 2), where, "joints")
    visible = column(visible, (len(MPII_KEYPOINTS),), where, "joints_vis") > 0
    centers = column(centers, (2,), where, "center")
    scales = column(scales, (), where, "scale")
    for k in np.flatnonzero(scales <= 0):
        raise InputError(f"{where(k)}: scale should be positive, found {scales[k]}")
    images: dict[str, int] = {}
    image = [images.setdefault(folder.path(name, where(k)), len(images)) for k, name in enumerate(files)]

    mapping = mapping or joint_mapping("mpii", names)
    index = list(mapping.index)
    side = 200 * scales * PADDING
    head_sizes = head_sizes_from_scales(scales)
    middle = centers.copy()
    middle[:, 1] += 15 * scales  # the annotated centre lies above the middle of the body
    if mat:
        truth = read_mpii_truth(mat[0])
        if len(truth.head_sizes) != count:
            raise InputError(
                f"{path}: {count} people, but gt_valid.mat beside it has {len(truth.head_sizes)}"
            )
        joints, visible, head_sizes = truth.joints, truth.visible, truth.head_sizes
    everyone = Annotations(
        mapping=mapping,
        ids=np.arange(count, dtype=np.int64),
        image_paths=PackedStrings.of(images),
        image_index=np.array(image, np.int32),
        joints=(joints[:, index] - 1).astype(np.float32),  # MATLAB counts pixels from 1
        visible=(visible[:, index] & (np.array(index) >= 0)).astype(np.float32),
        centers=(middle - 1).astype(np.float32),
        sizes=np.stack([side * aspect, side], axis=1).astype(np.float32),
        head_sizes=head_sizes.astype(np.float32),
    )
    if validation is not None:
        everyone = everyone.subset(validation_part(everyone, split) == validation)
    if not len(everyone):
        raise InputError(f"{path}: no person in {image_set}")
    return everyone


def validation_part(annotations: Annotations, split: str) -> np.ndarray:
    """[N] true where a person belongs to the validation third, the same on every machine."""
    if split == "annotation":
        return np.arange(len(annotations)) % VALIDATION_SHARE == 0
    by_name = np.argsort(np.argsort(list(annotations.image_paths)))
    return by_name[annotations.image_index] % VALIDATION_SHARE == 0
