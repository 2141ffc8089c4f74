"""MPII Human Pose: ``annot/{train,valid}.json``, ``annot/gt_valid.mat`` and ``images/`` (or ``images.zip``)."""

from pathlib import Path

import numpy as np

from lib.core.errors import InputError
from lib.core.evaluation import head_sizes_from_scales, read_mpii_truth
from lib.dataset.annotations import PADDING, Annotations, numbers, read_json
from lib.dataset.keypoints import MPII_KEYPOINTS, joint_mapping
from lib.dataset.pictures import PictureFolder

# The parts that the target's training set is cut into: (file, is it the validation part).
SPLITS = {"train_finetune": ("train", False), "train_validate": ("train", True)}
VALIDATION_SHARE = 3  # every third image (or annotation) is for validation


def read_mpii(
    root: str | Path,
    image_set: str,
    names: tuple[str, ...],
    aspect: float,
    split: str = "image",
    data_format: str = "jpg",
) -> Annotations:
    """The people of ``image_set``: train, valid, or train_finetune / train_validate.

    The last two are train cut in two thirds and one third; ``split`` says by what: ``image``
    keeps the people of one picture on one side, ``annotation`` is the original's cut.
    ``data_format`` zip reads the pictures from ``images.zip``.
    A crop's height is the box's side, whatever the input's aspect, so that people appear at the
    same scale as in crops of COCO. The people's ids are their positions in the file.
    Raises InputError naming the file and the annotation for whatever cannot be used.
    """
    file_set, validation = SPLITS.get(image_set, (image_set, None))
    path = Path(root) / "annot" / f"{file_set}.json"
    people = read_json(path)
    if not isinstance(people, list):
        raise InputError(f"{path}: expected a list of people")
    folder = PictureFolder(Path(root) / "images", data_format)
    pictures: dict[str, int] = {}
    count = len(people)
    picture = np.empty(count, np.int32)
    joints, visible = np.empty((count, len(MPII_KEYPOINTS), 2)), np.empty((count, len(MPII_KEYPOINTS)))
    centers, scales = np.empty((count, 2)), np.empty(count)
    for i, person in enumerate(people):
        where = f"{path}: person {i}"
        try:
            fields = [person[key] for key in ("joints", "joints_vis", "center", "scale", "image")]
        except (KeyError, TypeError):
            raise InputError(f"{where} needs joints, joints_vis, center, scale and image") from None
        joints[i] = numbers(fields[0], joints.shape[1:], where, "joints")
        visible[i] = numbers(fields[1], visible.shape[1:], where, "joints_vis") > 0
        centers[i] = numbers(fields[2], (2,), where, "center")
        scales[i] = numbers(fields[3], (), where, "scale")
        if scales[i] <= 0:
            raise InputError(f"{where}: scale should be positive, found {scales[i]}")
        picture[i] = pictures.setdefault(folder.path(fields[4], where), len(pictures))

    mapping = joint_mapping("mpii", names)
    index = list(mapping.index)
    side = 200 * scales * PADDING
    head_sizes = head_sizes_from_scales(scales)
    middle = centers.copy()
    middle[:, 1] += 15 * scales  # the annotated centre lies above the middle of the body
    if file_set == "valid":
        truth = read_mpii_truth(Path(root) / "annot" / "gt_valid.mat")
        if len(truth.head_sizes) != count:
            raise InputError(
                f"{path}: {count} people, but gt_valid.mat beside it has {len(truth.head_sizes)}"
            )
        joints, visible, head_sizes = truth.joints, truth.visible, truth.head_sizes
    everyone = Annotations(
        mapping=mapping,
        ids=np.arange(count, dtype=np.int64),
        pictures=tuple(pictures),
        picture=picture,
        joints=(joints[:, index] - 1).astype(np.float32),  # MATLAB counts pixels from 1
        visible=visible[:, index].astype(np.float32),
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
    by_name = np.argsort(np.argsort(annotations.pictures))
    return by_name[annotations.picture] % VALIDATION_SHARE == 0
