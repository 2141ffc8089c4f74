"""Average precision of poses on COCO: predictions to COCO's results format, and those to AP."""

import contextlib
import io
from collections.abc import Iterable
from os import PathLike
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lib.core.errors import InputError
from lib.dataset.annotations import numbers, read_json, whole_number
from lib.dataset.coco import FLAT, PERSON, COCOFile, read_coco_file
from lib.nms.nms import COCO_SIGMAS, oks_nms_by_image

MEASURES = ("AP", "AP .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")
RESULT = ("image_id", "category_id", "keypoints", "score")


def coco_results(
    joints: np.ndarray,
    scores: np.ndarray,
    image_ids: np.ndarray,
    box_scores: np.ndarray,
    areas: np.ndarray,
    in_vis_thre: float,
    oks_thre: float,
    nms: bool = True,
) -> list[dict]:
    """Poses in COCO's results format, image by image, in each the best first (SimpleBaseline).

    joints: [N, J, 2] image pixels; scores: [N, J] (with ``nms``, COCO's J = 17); image_ids, box_scores: [N]; areas: [N] width * height of
    the crops. A pose scores its box's score times the mean of its keypoint scores above ``in_vis_thre``
    (0 where there is none). With ``nms``, poses more similar (OKS) than ``oks_thre`` to a better one go.
    """
    poses = np.concatenate([joints, scores[..., None]], axis=-1).astype(np.float64)
    sure = scores > in_vis_thre
    ranks = box_scores * (scores * sure).sum(axis=1) / np.maximum(sure.sum(axis=1), 1)
    if nms:
        keep = oks_nms_by_image(poses, ranks, areas, image_ids, oks_thre, COCO_SIGMAS)
    else:
        keep = np.lexsort((-ranks, image_ids))
    flat = poses.reshape(len(poses), 3 * joints.shape[1])
    rows = zip(image_ids[keep].tolist(), flat[keep].tolist(), ranks[keep].tolist())
    return [
        {"image_id": image, "category_id": PERSON, "keypoints": keypoints, "score": score}
        for image, keypoints, score in rows
    ]


def read_coco_results(path: str | PathLike) -> list[dict]:
    """Results in COCO's format, of a file; InputError where it is missing or not as expected."""
    return _checked_results(read_json(path), str(path))


def coco_average_precision(
    annotation_file: str | PathLike, results: list[dict] | str | PathLike
) -> dict[str, float]:
    """AP and AR in [0, 1] over all images of ``annotation_file``; NaN where no annotated person counts.

    results: in COCO's format, or the file that holds them. Computed by pycocotools, by its rules: of an image
    the 20 best results count, but for those that lie on crowds and on people without labelled keypoints.
    Raises InputError naming the annotation or result that cannot be used.
    """
    is_file = isinstance(results, (str, PathLike))
    where = str(results) if is_file else "results"
    found = _checked_results(read_json(results) if is_file else results, where)
    coco = read_coco_file(annotation_file)
    for number, result in enumerate(found):
        coco.image(result["image_id"], f"{where}: result {number}")
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
        truth = _index(coco.images, _annotated_people(coco))
        evaluation = COCOeval(truth, truth.loadRes(found) if found else _index(coco.images, []), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # pycocotools says -1 where there is nothing to count.
    return {name: float(v) if v >= 0 else float("nan") for name, v in zip(MEASURES, evaluation.stats)}


def format_table(name: str, values: dict[str, float]) -> str:
    """``values`` as a table with one row, the way SimpleBaseline prints them."""
    rows = (["Arch", *values], ["---"] * (1 + len(values)), [name, *(f"{v:.3f}" for v in values.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _checked_results(results: Any, where: str) -> list[dict]:
    """Copies, since pycocotools writes into them, with nothing else in them, since it would look at that too."""
    if not isinstance(results, list):
        raise InputError(f"{where}: expected a list of results, found {type(results).__name__}")
    checked = []
    for number, result in enumerate(results):
        here = f"{where}: result {number}"
        try:
            image_id, category, keypoints, score = (result[k] for k in RESULT)
        except (KeyError, TypeError):
            raise InputError(f"{here} needs {', '.join(RESULT)}") from None
        if category != PERSON:
            raise InputError(f"{here}: category_id should be {PERSON} (person), found {category!r:.80}")
        whole_number(image_id, here, "image_id")
        keypoints = numbers(keypoints, FLAT, here, "keypoints").tolist()
        values = (image_id, PERSON, keypoints, float(numbers(score, (), here, "score")))
        checked.append(dict(zip(RESULT, values)))
    return checked


def _annotated_people(coco: COCOFile) -> list[dict]:
    """All of them, also those that nobody trains on, with what pycocotools asks of an annotation."""
    people = []
    for annotation in coco.annotations:
        where = coco.named(annotation)
        try:
            if annotation["category_id"] != PERSON:
                continue
            image_id, box, area = (annotation[k] for k in ("image_id", "bbox", "area"))
        except (KeyError, TypeError):
            raise InputError(f"{where} needs image_id, category_id, bbox and area") from None
        coco.image(image_id, where)
        keypoints = numbers(annotation.get("keypoints") or [0] * FLAT[0], FLAT, where, "keypoints")
        area = float(numbers(area, (), where, "area"))
        if area < 0:
            raise InputError(f"{where}: area should not be negative, found {area}")
        people.append(
            {
                "id": len(people) + 1,  # not the file's own: pycocotools takes a match with number 0 for none
                "image_id": image_id,
                "category_id": PERSON,
                "bbox": numbers(box, (4,), where, "bbox").tolist(),
                "area": area,
                "iscrowd": int(bool(annotation.get("iscrowd", 0))),
                "keypoints": keypoints.tolist(),
                "num_keypoints": int((keypoints[2::3] > 0).sum()),
            }
        )
    return people


def _index(images: Iterable[int], annotations: list[dict]) -> COCO:
    """pycocotools' own form of annotations or results."""
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": number} for number in images],
        "categories": [{"id": PERSON}],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco
