"""Labels that look wrong in the annotations themselves: boxes and joints outside images, and copies."""

import numpy as np

from lib.config.schema import DatasetConfig
from lib.dataset.annotations import Annotations
from lib.dataset.coco import COCOFile, read_coco_file
from lib.dataset.layouts import layout_of
from lib.doctor.findings import Finding, ok, warning

TOLERANCE = 1.0  # pixels that a box or joint may lie beyond its image: half the world counts from 1
OUTSIDE_CROP = 0.05  # share of labels outside the crops that is worth a word


def check_labels(role: str, people: Annotations) -> list[Finding]:
    """Copies, and labels outside the crop or outside the image, of those that are trained or evaluated on."""
    return [_copies(role, people), _outside_crop(role, people), *_outside_image(role, people)]


def _copies(role: str, people: Annotations) -> Finding:
    what = f"{role}, copies"
    numbers, counts = np.unique(people.ids, return_counts=True)
    if (counts > 1).any():
        found = f"{(counts > 1).sum():,} ids are given twice or more, such as {numbers[counts > 1][0]}"
        return warning(what, found, "number the annotations anew: weights and cleaned files go by id")
    labels = np.where(people.visible[..., None] > 0, people.joints, -1).reshape(len(people), -1)
    places = np.column_stack([people.image_index, people.centers, people.sizes, labels])
    _, first, counts = np.unique(places, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        found = f"{(counts - 1).sum():,} are the same as another of their image, such as annotation {people.ids[first[counts > 1][0]]}"  # fmt: skip
        return warning(what, found, "remove the copies: they count twice")
    return ok(what, "no annotation is there twice")


def _outside_crop(role: str, people: Annotations) -> Finding:
    what, labelled = f"{role}, crops", people.visible > 0
    outside = (np.abs(people.joints - people.centers[:, None]) > people.sizes[:, None] / 2).any(
        axis=2
    ) & labelled
    share = outside.sum() / max(1, labelled.sum())
    found = f"{outside.sum():,} of {labelled.sum():,} labels ({100 * share:.1f} %) are outside their crop"
    if share <= OUTSIDE_CROP:
        return ok(what, found)
    return warning(
        what, found, f"such labels teach nothing; are the boxes too small? ({_example(people, outside)})"
    )


def _outside_image(role: str, people: Annotations) -> list[Finding]:
    if people.bounds is None:
        return []
    what, bounds = f"{role}, joints", people.bounds[:, None]
    outside = ((people.joints < -TOLERANCE) | (people.joints > bounds + TOLERANCE)).any(axis=2) & (
        people.visible > 0
    )
    if not outside.any():
        return [ok(what, "all labels are inside their images")]
    found = f"{outside.sum():,} labels are outside their images ({_example(people, outside)})"
    return [
        warning(what, found, "are the sizes of images right, and x before y? Take the labels out otherwise")
    ]


def _example(people: Annotations, where: np.ndarray) -> str:
    i, j = np.argwhere(where)[0]
    x, y = people.joints[i, j]
    return f"such as {people.mapping.names[j]} of annotation {people.ids[i]} at ({x:.0f}, {y:.0f})"


def check_boxes(role: str, dataset_config: DatasetConfig, image_set: str) -> list[Finding]:
    """Boxes of a COCO-layout file against the sizes of its images; nothing for MPII, which has none.

    Raises InputError where the file can't be read.
    """
    layout = layout_of(dataset_config)
    if not layout.in_coco_format:
        return []
    coco, category = read_coco_file(layout.annotation_files(image_set)[0]), layout.category(image_set)
    wanted = [
        entry for entry in coco.annotations if category is None or entry.get("category_id") == category.number
    ]
    return [_boxes(role, coco, wanted), _left_out(role, wanted)]


def _boxes(role: str, coco: COCOFile, annotations: list[dict]) -> Finding:
    what = f"{role}, boxes"
    # Those that the reader has looked at: of others nothing is sure.
    annotations = [a for a in annotations if not a.get("iscrowd", 0) and a.get("keypoints")]
    boxes = np.array([annotation["bbox"] for annotation in annotations], np.float64).reshape(-1, 4)
    images = [coco.images[annotation["image_id"]] for annotation in annotations]
    size = np.array([(image.width, image.height) for image in images]).reshape(-1, 2)
    first, last = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    reach = np.maximum(-first, last - size).max(axis=1, initial=0)
    away = ((last <= 0) | (first >= size)).any(axis=1)
    empty = (boxes[:, 2:] <= 0).any(axis=1)
    ids = [annotation["id"] for annotation in annotations]
    for bad, found, advice in (
        (away, "are wholly outside their image", "is the bbox x, y, width, height, in pixels? Such objects are left out"),
        (empty, "have no width or height", "is the bbox x, y, width, height (not two corners)? Such objects are taken as a pixel wide"),
        (reach > TOLERANCE, f"reach outside their image, by up to {reach.max(initial=0):.0f} pixels",
         "they are cut off there; mend them if the labels are inside, for the crop is smaller than it should be"),
    ):  # fmt: skip
        if bad.any():
            example = ids[int(np.flatnonzero(bad)[0])]
            return warning(what, f"{bad.sum():,} of {len(boxes):,} {found} (annotation {example})", advice)
    return ok(what, f"{len(boxes):,}, all inside their images")


def _left_out(role: str, annotations: list[dict]) -> Finding:
    crowds = sum(bool(entry.get("iscrowd", 0)) for entry in annotations)
    bare = sum(not _has_label(entry) for entry in annotations if not entry.get("iscrowd", 0))
    found = f"{len(annotations):,} annotations, of which left out {crowds:,} crowds and {bare:,} without a labelled joint"
    if bare > len(annotations) / 2:
        return warning(f"{role}, left out", found, "most have no labelled joint: is it the right file, and is v (0, 1, 2) set?")  # fmt: skip
    return ok(f"{role}, left out", found)


def _has_label(annotation: dict) -> bool:
    keypoints = annotation.get("keypoints")
    return isinstance(keypoints, list) and any(keypoints[2::3])
