"""Checks of the annotations themselves: duplicates, and boxes and joints outside their image or crop."""

from dataclasses import replace

import numpy as np

from lib.config.data_settings import DatasetConfig
from lib.dataset.annotations import Annotations
from lib.dataset.coco_file import read_coco_file
from lib.dataset.instances import OUTSIDE_IMAGE, Instances, read_instances
from lib.dataset.layouts import ObjectFileLayout, layout_of
from lib.doctor.findings import Finding, error, note, ok, warning

TOLERANCE = 1.0  # pixels that a box or joint may lie outside its image: many tools count from 1
MAX_SHARE_OUTSIDE_CROP = 0.05  # of the labels; more is a warning


def check_labels(role: str, annotations: Annotations, learns_weights: bool = False) -> list[Finding]:
    """Find duplicates, and labels outside the crop or the image, in what is trained or evaluated on.

    ``learns_weights`` says that weights of these labels are learned, for which ids need to be unique.
    """
    return [
        _duplicates(role, annotations, learns_weights),
        _outside_crop(role, annotations),
        *_outside_image(role, annotations),
    ]


def _duplicates(role: str, annotations: Annotations, learns_weights: bool) -> Finding:
    subject = f"{role}, copies"
    ids, counts = np.unique(annotations.ids, return_counts=True)
    if (counts > 1).any():
        result = f"{(counts > 1).sum():,} ids are not unique, such as {ids[counts > 1][0]}"
        if learns_weights:
            return error(subject, result, "renumber the annotations: weights and cleaned files go by id")
        return note(subject, result, "nothing here needs them; weights and cleaned files of a source would")
    # Different ids, but the same image, crop and labels.
    labels = np.where(annotations.visible[..., None] > 0, annotations.joints, -1)
    contents = np.column_stack([
        annotations.image_index, annotations.centers, annotations.sizes, labels.reshape(len(annotations), -1)
    ])  # fmt: skip
    _, first, counts = np.unique(contents, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        example = annotations.ids[first[counts > 1][0]]
        result = f"{(counts - 1).sum():,} duplicate another one of their image, such as annotation {example}"
        return warning(subject, result, "remove the duplicates: they count twice")
    return ok(subject, "no duplicates")


def _outside_crop(role: str, annotations: Annotations) -> Finding:
    subject, labelled = f"{role}, crops", annotations.visible > 0
    distances = np.abs(annotations.joints - annotations.centers[:, None])
    outside = (distances > annotations.sizes[:, None] / 2).any(axis=2) & labelled
    share = outside.sum() / max(1, labelled.sum())
    result = f"{outside.sum():,} of {labelled.sum():,} labels ({100 * share:.1f} %) are outside their crop"
    if share <= MAX_SHARE_OUTSIDE_CROP:
        return ok(subject, result)
    advice = f"such labels are not trained on; are the boxes too small? ({_example(annotations, outside)})"
    return warning(subject, result, advice)


def _outside_image(role: str, annotations: Annotations) -> list[Finding]:
    """No finding if the image sizes are unknown, as in MPII."""
    if annotations.bounds is None:
        return []
    subject, bounds = f"{role}, joints", annotations.bounds[:, None]
    beyond = (annotations.joints < -TOLERANCE) | (annotations.joints > bounds + TOLERANCE)
    outside = beyond.any(axis=2) & (annotations.visible > 0)
    if not outside.any():
        return [ok(subject, "all labels are inside their images")]
    result = f"{outside.sum():,} labels are outside their images ({_example(annotations, outside)})"
    advice = "are the image sizes right, and x before y? Otherwise remove these labels"
    return [warning(subject, result, advice)]


def _example(annotations: Annotations, selected: np.ndarray) -> str:
    """The first joint that ``selected`` [N, J] marks, in words."""
    i, j = np.argwhere(selected)[0]
    x, y = annotations.joints[i, j]
    return f"such as {annotations.mapping.names[j]} of annotation {annotations.ids[i]} at ({x:.0f}, {y:.0f})"


def check_boxes(role: str, dataset_config: DatasetConfig, image_set: str) -> list[Finding]:
    """Compare the boxes of a COCO-format file with its image sizes; no findings for MPII, which has neither.

    Raises:
        InputError: if the file cannot be read.
    """
    layout = layout_of(dataset_config)
    if not isinstance(layout, ObjectFileLayout):
        return []
    file = layout.object_file(image_set)
    coco = read_coco_file(file.path)
    instances = read_instances(coco, file.wanted(coco, len(layout.keypoints(image_set))), file.images)
    return [_boxes(role, instances)]


def _boxes(role: str, instances: Instances) -> Finding:
    subject = f"{role}, boxes"
    read = instances.labelled & ~instances.crowd
    boxes, sizes, ids = instances.boxes[read], instances.bounds[read], instances.ids[read]
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    excess = np.maximum(-low, high - sizes).max(axis=1, initial=0)
    outside = ((high <= 0) | (low >= sizes)).any(axis=1)
    # The worst kind that occurs is reported.
    for selected, problem, advice in (
        (outside, "are wholly outside their image", "is the bbox x, y, width, height, in pixels? Such objects are omitted"),
        (excess > TOLERANCE, f"reach outside their image, by up to {excess.max(initial=0):.0f} pixels",
         "they are clipped to the image; fix them if the labels are inside, since the crop is smaller than it should be"),
    ):  # fmt: skip
        if selected.any():
            example = ids[int(np.flatnonzero(selected)[0])]
            result = f"{selected.sum():,} of {len(boxes):,} {problem} (annotation {example})"
            return warning(subject, result, advice)
    return ok(subject, f"{len(boxes):,}, all inside their images")


def reading_notes(role: str, annotations: Annotations) -> list[Finding]:
    """What the reader left out, filled in and doubts, in the whole annotation file."""
    left_out = sum(annotations.notes.left_out.values())
    # Labels outside of their image are a finding of their own, with an example.
    doubts = {what: count for what, count in annotations.notes.doubts.items() if what != OUTSIDE_IMAGE}
    findings = []
    for kind, counts in replace(annotations.notes, doubts=doubts).sentences().items():
        subject = f"{role}, {kind}"
        if kind == "doubtful":
            advice = "they are read as the file gives them; correct them if they are not meant so"
            findings.append(warning(subject, counts, advice))
        elif kind == "left out" and left_out > len(annotations):
            advice = "more than is read: is it the right file and category, and is v (0, 1, 2) set?"
            findings.append(warning(subject, counts, advice))
        else:
            findings.append(note(subject, counts))
    return findings
