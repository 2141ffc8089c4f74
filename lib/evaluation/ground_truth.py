"""The annotations that predictions are compared with, as pycocotools needs them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lib.dataset.coco import ObjectFile
from lib.dataset.coco_file import PERSON, read_coco_file
from lib.dataset.instances import read_instances
from lib.nms.nms import COCO_SIGMAS


@dataclass(frozen=True)
class ObjectKind:
    """A kind of objects with keypoints.

    categories: its category ids in the annotation file; results have one of them.
    sigmas: [J] per-keypoint constants of OKS, relative to the square root of the area.
    """

    categories: tuple[int, ...]
    sigmas: tuple[float, ...]

    @property
    def keypoints_shape(self) -> tuple[int]:
        """Shape of "keypoints" in an annotation or a result: x, y and visibility or score of J joints."""
        return (3 * len(self.sigmas),)


COCO_PERSON = ObjectKind((PERSON,), COCO_SIGMAS)


@dataclass(frozen=True)
class GroundTruth:
    """The annotations of one kind of objects in a file, unlabelled ones and crowds too.

    path: the annotation file.
    images: ids of all its images.
    kind: categories and sigmas.
    ids: [N] the file's ids of the annotations.
    annotations: [N] as pycocotools takes them; all of category 1, whatever the file's is.
    """

    path: Path
    images: frozenset[int]
    kind: ObjectKind
    ids: tuple[int, ...]
    annotations: tuple[dict, ...]

    @property
    def is_labelled(self) -> bool:
        """False for a set whose annotations are not published, such as COCO's test-dev."""
        return len(self.annotations) > 0

    def only(self, ids: Collection[int]) -> "GroundTruth":
        """Only the annotations ``ids``."""
        wanted = set(ids)
        chosen = [k for k, number in enumerate(self.ids) if number in wanted]
        annotations = tuple(self.annotations[k] for k in chosen)
        return replace(self, ids=tuple(self.ids[k] for k in chosen), annotations=annotations)


def read_ground_truth(file: ObjectFile, sigmas: tuple[float, ...], with_images: bool = True) -> GroundTruth:
    """Read what predictions are compared with.

    Args:
        file: the annotation file, and which categories are read.
        sigmas: see `ObjectKind`; as many as an annotation has keypoints.
        with_images: images may be read for what the file lacks; False where they need not be there.

    Raises:
        InputError: naming the file and the annotation, for anything that cannot be used.
    """
    coco = read_coco_file(file.path)
    wanted = file.wanted(coco, len(sigmas))
    kind = ObjectKind(wanted.categories, sigmas)
    if coco.annotations is None:
        return GroundTruth(file.path, frozenset(coco.images), kind, (), ())
    instances = read_instances(coco, wanted, file.images if with_images else None)
    annotations = tuple(
        {
            # Not the file's own id: pycocotools takes a match with id 0 for no match.
            "id": k + 1,
            "image_id": image_id,
            "category_id": PERSON,
            "bbox": box,
            "area": area,
            "iscrowd": int(crowd),
            "keypoints": points,
            "num_keypoints": int(labelled),
        }
        for k, (image_id, box, area, crowd, points, labelled) in enumerate(
            zip(
                instances.image_ids,
                instances.boxes.tolist(),
                instances.areas.tolist(),
                instances.crowd.tolist(),
                instances.points.reshape(len(instances), 3 * len(sigmas)).tolist(),
                np.count_nonzero(instances.points[..., 2] > 0, axis=1).tolist(),
            )
        )
    )
    return GroundTruth(file.path, frozenset(coco.images), kind, tuple(instances.ids.tolist()), annotations)
