"""Read keypoint annotations in COCO's format as training samples and evaluation sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.dataset.annotations import Annotations, ReadOptions, padded_crops, without_garbage_collection
from lib.dataset.coco_file import COCOFile, read_coco_file
from lib.dataset.image_index import IMAGE_MISSING, MISSING, ImageIndex
from lib.dataset.images import ImageFolder
from lib.dataset.instances import Instances, Wanted, read_instances
from lib.dataset.keypoints import JointMapping
from lib.dataset.reading_notes import ReadingNotes, counted
from lib.utils.errors import InputError


@dataclass(frozen=True)
class ObjectFile:
    """An annotation file, and what of it is read.

    path: the file.
    images: folder of its images.
    categories: ids of the categories to read; empty: the file's category of people.
    drop_zero: see `Wanted`.
    """

    path: Path
    images: ImageFolder
    categories: tuple[int, ...] = ()
    drop_zero: bool = False

    def wanted(self, coco: COCOFile, keypoints: int) -> Wanted:
        """What is read of the parsed file ``coco``, whose annotations have ``keypoints`` keypoints."""
        return Wanted(self.categories or (coco.person(),), keypoints, self.drop_zero)


@without_garbage_collection()
def read_objects(file: ObjectFile, mapping: JointMapping, options: ReadOptions) -> Annotations:
    """Read every instance of a COCO file with at least one labelled keypoint, without crowds.

    Boxes are cleaned as in SimpleBaseline's lib/dataset/coco.py: clipped to the image, a pixel smaller. With given
    categories, annotations get ``box_sizes``.

    Args:
        file: the annotation file.
        mapping: which of the file's keypoints each joint of the network is read from.
        options: shape of the crops, and what to do about missing images.

    Raises:
        InputError: naming the file and the annotation, for anything that cannot be used.
    """
    coco = read_coco_file(file.path)
    instances = read_instances(coco, file.wanted(coco, len(mapping.own)), file.images)
    # First and last pixel of the box within its image.
    boxes, bounds = instances.boxes, instances.bounds
    first = np.maximum(0, boxes[:, :2])
    last = np.minimum(bounds - 1, first + np.maximum(0, boxes[:, 2:] - 1))
    outside = (last < first).any(axis=1)
    keep = instances.labelled & ~instances.crowd & ~outside
    notes = _with_filters(instances, outside)
    if not keep.any():
        left_out = counted(notes.left_out) or "it has no annotation"
        raise InputError(f"{file.path}: no annotation with labelled keypoints can be read: {left_out}")

    images = ImageIndex(file.images)
    image_index = np.full(len(instances), MISSING, np.int32)
    kept = np.flatnonzero(keep).tolist()
    named: dict[int, tuple[Any, str]] = {}
    for k in kept:
        if (number := instances.image_ids[k]) not in named:
            named[number] = coco.images[number].file_name, f"{file.path}: annotation {instances.ids[k]}"
    positions = images.positions(named)
    image_index[kept] = [positions[instances.image_ids[k]] for k in kept]
    if not options.skip_missing_images:
        images.refuse_missing()
    missing = keep & (image_index == MISSING)
    keep &= ~missing
    unreadable = keep & np.isnan(bounds).any(axis=1)
    if unreadable.any() and not options.skip_missing_images:
        k = int(np.flatnonzero(unreadable)[0])
        raise InputError(
            f"{file.path}: image {instances.image_ids[k]} has no width and height, and "
            f"{images.paths[image_index[k]]} cannot be read as an image"
        )
    keep &= ~unreadable
    left_out = {
        IMAGE_MISSING: int(missing.sum()),
        "whose image has no width and height and cannot be read": int(unreadable.sum()),
    }
    notes = notes.joined(ReadingNotes(left_out)).joined(images.notes)
    if not keep.any():
        images.refuse_missing()
        raise InputError(f"{file.path}: no annotation can be read: {counted(notes.left_out)}")
    points = instances.points[keep]
    if mapping.missing:  # append an unlabelled keypoint, which index -1 selects
        points = np.concatenate([points, np.zeros((len(points), 1, 3))], axis=1)
    points = points[:, list(mapping.index)]
    centers, sizes = padded_crops(np.concatenate([first, last - first], axis=1)[keep], options.aspect)
    longer = (last - first + 1).max(axis=1)[keep].astype(np.float32)
    return Annotations(
        mapping=mapping,
        ids=instances.ids[keep],
        image_paths=images.paths,
        image_names=images.names,
        image_index=image_index[keep],
        joints=points[..., :2].astype(np.float32),
        visible=(points[..., 2] > 0).astype(np.float32),
        centers=centers,
        sizes=sizes,
        image_ids=np.array(instances.image_ids, np.int64)[keep],
        category_ids=instances.category_ids[keep],
        bounds=bounds[keep].astype(np.float32),
        sized=instances.sized[keep],
        box_sizes=longer if file.categories else None,
        notes=notes,
    )


def _with_filters(instances: Instances, outside: np.ndarray) -> ReadingNotes:
    """The notes of the reader, with what is no training sample; outside: bool [N], the box is not in the image."""
    crowd, labelled = instances.crowd, instances.labelled
    filters = {
        "crowds": int(crowd.sum()),
        "without a labelled keypoint": int((~crowd & ~labelled).sum()),
        "whose box is outside of the image": int((~crowd & labelled & outside).sum()),
    }
    return instances.notes.joined(ReadingNotes(left_out=filters))
