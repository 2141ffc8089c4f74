"""Read the annotations of MPII Human Pose, in the JSON form of SimpleBaseline."""

from pathlib import Path

import numpy as np

from lib.dataset.annotations import (
    PADDING,
    Annotations,
    ReadOptions,
    columns_of,
    float_column,
    read_json,
    without_garbage_collection,
)
from lib.dataset.image_index import IMAGE_MISSING, ImageIndex, with_image
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import MPII_KEYPOINTS, JointMapping
from lib.dataset.mpii_truth import head_sizes_from_scales, read_mpii_truth
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError, short_repr

# Image sets that are a part of a file's annotations: (file, whether it is the validation part).
PARTS = {"train_finetune": ("train", False), "train_validate": ("train", True)}


@without_garbage_collection()
def read_mpii(
    files: tuple[Path, ...], images: ImageFolder, mapping: JointMapping, options: ReadOptions
) -> Annotations:
    """Read all people of an MPII annotation file; their ids are their positions in it.

    The height of a crop is the side of the person's square box whatever the aspect, so people have the same
    scale as in crops of COCO. Box centers and sizes are those of SimpleBaseline's lib/dataset/mpii.py. Joints and
    head sizes are float64, as in MPII's evaluation: a joint on PCKh's threshold counts as it does there.

    Args:
        files: the JSON file and, for ``valid``, ``gt_valid.mat`` with joints and head boxes.
        images: folder of the images.
        mapping: which of the 16 MPII keypoints each joint of the network is read from.
        options: shape of the crops, and what to do about missing images.

    Raises:
        InputError: naming the file and the person, for anything that cannot be used.
    """
    path, *truth_file = files
    people = read_json(path)
    if not isinstance(people, list):
        raise InputError(f"{path}: expected a list of people, found {short_repr(people)}")
    count = len(people)

    def where(k: int) -> str:
        return f"{path}: person {k}"

    joints, visible, centers, scales, names = columns_of(
        people,
        ("joints", "joints_vis", "center", "scale", "image"),
        lambda k: f"{where(k)} needs joints, joints_vis, center, scale and image",
    )
    joints = float_column(joints, (len(MPII_KEYPOINTS), 2), where, "joints")
    visible = float_column(visible, (len(MPII_KEYPOINTS),), where, "joints_vis") > 0
    centers = float_column(centers, (2,), where, "center")
    scales = float_column(scales, (), where, "scale")
    for k in np.flatnonzero(scales <= 0).tolist():
        raise InputError(f"{where(k)}: scale should be positive, found {scales[k]}")
    index = ImageIndex(images)
    image_index = [index.position(name, where(k)) for k, name in enumerate(names)]
    there = with_image(image_index)
    if not options.skip_missing_images or not there.any():
        index.refuse_missing()

    # Scale is the body height / 200 px; as in COCO's layout, a crop has at least a pixel in both directions.
    side = np.maximum(200 * scales, 1 / min(1.0, options.aspect)) * PADDING
    middle = centers.copy()
    middle[:, 1] += 15 * scales  # the annotated center lies above the middle of the body
    head_sizes = head_sizes_from_scales(scales)
    if truth_file:  # labels and head boxes of valid are those of MPII's evaluation
        truth = read_mpii_truth(truth_file[0])
        if len(truth.head_sizes) != count:
            raise InputError(
                f"{path}: {count} people, but {truth_file[0].name} beside it has {len(truth.head_sizes)}"
            )
        joints, visible, head_sizes = truth.joints, truth.visible, truth.head_sizes
    if not count:
        raise InputError(f"{path}: no person")

    own = list(mapping.index)
    annotations = Annotations(
        mapping=mapping,
        ids=np.arange(count, dtype=np.int64),
        image_paths=index.paths,
        image_names=index.names,
        image_index=np.array(image_index, np.int32),
        joints=joints[:, own] - 1,  # MATLAB counts pixels from 1
        visible=(visible[:, own] & (np.array(own) >= 0)).astype(np.float32),
        centers=(middle - 1).astype(np.float32),
        sizes=np.stack([side * options.aspect, side], axis=1).astype(np.float32),
        head_sizes=head_sizes,
        notes=ReadingNotes({IMAGE_MISSING: int((~there).sum())}).joined(index.notes),
    )
    return annotations if there.all() else annotations.subset(there)
