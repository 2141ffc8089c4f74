"""Average precision of poses on COCO: predictions to COCO's results format, and those to AP."""

import contextlib
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lib.dataset.annotations import numbers, read_json, whole_number
from lib.dataset.coco import PERSON, COCOFile, read_coco_file
from lib.nms.nms import COCO_SIGMAS, oks_nms_by_image
from lib.utils.errors import InputError

MEASURES = ("AP", "AP .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")
RESULT = ("image_id", "category_id", "keypoints", "score")


@dataclass(frozen=True)
class ObjectKind:
    """category: number of what is evaluated.   sigmas: [J], how far off each keypoint may be in OKS."""

    category: int
    sigmas: tuple[float, ...]

    @property
    def flat(self) -> tuple[int]:
        """Shape of the keypoints of an annotation or result."""
        return (3 * len(self.sigmas),)


PEOPLE = ObjectKind(PERSON, COCO_SIGMAS)


@dataclass(frozen=True)
class PredictedPoses:
    """N predicted poses of J joints.

    joints: [N, J, 2] x and y in image pixels.
    scores: [N, J] score of each joint, here the height of the heatmap's peak.
    image_ids: [N] the data set's number of the image.
    box_scores: [N] score of the bounding box; 1 for an annotated one.
    areas: [N] width * height of the crop in image pixels.
    """

    joints: np.ndarray
    scores: np.ndarray
    image_ids: np.ndarray
    box_scores: np.ndarray
    areas: np.ndarray


@dataclass(frozen=True)
class PoseNMS:
    """How poses are scored and suppressed; the settings TEST.IN_VIS_THRE and TEST.OKS_THRE.

    in_vis_thre: joint scores above it count in the score of the pose.
    oks_thre: OKS above which the worse of two poses of an image is suppressed; None: no suppression.
    """

    in_vis_thre: float
    oks_thre: float | None


def coco_results(poses: PredictedPoses, nms: PoseNMS, kind: ObjectKind = PEOPLE) -> list[dict]:
    """Convert poses to COCO's results format, rescored and suppressed as in SimpleBaseline.

    The score of a pose is its box score times the mean of the joint scores above ``nms.in_vis_thre``,
    or 0 if no joint is above it (`evaluate` of SimpleBaseline's lib/dataset/coco.py).

    Args:
        poses: the predictions; with suppression they have the joints of ``kind``.
        nms: thresholds of scoring and suppression.
        kind: category of the results, and the sigmas of OKS.

    Returns:
        Dicts with image_id, category_id, keypoints (x1, y1, score1, x2, ...) and score, sorted by
        image_id and, within an image, by descending score.
    """
    joints_and_scores = np.concatenate([poses.joints, poses.scores[..., None]], axis=-1).astype(np.float64)
    confident = poses.scores > nms.in_vis_thre
    pose_scores = (
        poses.box_scores * (poses.scores * confident).sum(axis=1) / np.maximum(confident.sum(axis=1), 1)
    )
    if nms.oks_thre is None:
        keep = np.lexsort((-pose_scores, poses.image_ids))
    else:
        keep = oks_nms_by_image(
            joints_and_scores, pose_scores, poses.areas, poses.image_ids, nms.oks_thre, kind.sigmas
        )
    keypoints = joints_and_scores.reshape(len(joints_and_scores), 3 * poses.joints.shape[1])
    rows = zip(poses.image_ids[keep].tolist(), keypoints[keep].tolist(), pose_scores[keep].tolist())
    return [
        {"image_id": image_id, "category_id": kind.category, "keypoints": values, "score": score}
        for image_id, values, score in rows
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
        evaluation = _evaluation(coco.images, _annotated(coco, PEOPLE), found, PEOPLE)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # pycocotools says -1 where there is nothing to count.
    return {name: float(v) if v >= 0 else float("nan") for name, v in zip(MEASURES, evaluation.stats)}


def object_average_precision(
    annotation_file: str | PathLike, results: list[dict], kind: ObjectKind, ids: Collection[int]
) -> float:
    """AP of ``kind`` over OKS 0.5 to 0.95, in [0, 1], over the annotations ``ids``; NaN where none counts.

    By pycocotools and COCO's rules, but for any number of objects in an image and areas of all sizes.
    An annotation without an area has its box's. Raises InputError as `coco_average_precision`.
    """
    coco = read_coco_file(annotation_file)
    ids = set(ids)

    def asked(entry: Any) -> bool:
        return isinstance(entry, dict) and isinstance(entry.get("id"), int) and entry["id"] in ids

    chosen = [entry for entry in coco.annotations if asked(entry)]
    truth = _annotated(COCOFile(coco.path, coco.images, chosen), kind)
    found = _checked_results(results, "results", kind)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = _evaluation(coco.images, truth, found, kind)
        evaluation.params.kpt_oks_sigmas = np.array(kind.sigmas)
        evaluation.params.maxDets = [max(1, len(found))]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e18]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]
    return float(precision.mean()) if (precision > -1).all() else float("nan")


def format_table(name: str, values: dict[str, float]) -> str:
    """``values`` as a table with one row, the way SimpleBaseline prints them."""
    rows = (["Arch", *values], ["---"] * (1 + len(values)), [name, *(f"{v:.3f}" for v in values.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _checked_results(results: Any, where: str, kind: ObjectKind = PEOPLE) -> list[dict]:
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
        if category != kind.category:
            named = f"{PERSON} (person)" if kind is PEOPLE else kind.category
            raise InputError(f"{here}: category_id should be {named}, found {category!r:.80}")
        whole_number(image_id, here, "image_id")
        keypoints = numbers(keypoints, kind.flat, here, "keypoints").tolist()
        values = (image_id, kind.category, keypoints, float(numbers(score, (), here, "score")))
        checked.append(dict(zip(RESULT, values)))
    return checked


def _annotated(coco: COCOFile, kind: ObjectKind) -> list[dict]:
    """All of the kind, also those that nobody trains on, with what pycocotools asks of an annotation."""
    people = []
    for annotation in coco.annotations:
        where = coco.named(annotation)
        try:
            if annotation["category_id"] != kind.category:
                continue
            image_id, box = annotation["image_id"], annotation["bbox"]
            area = annotation["area"] if kind is PEOPLE else annotation.get("area")
        except (KeyError, TypeError):
            raise InputError(f"{where} needs image_id, category_id, bbox and area") from None
        coco.image(image_id, where)
        keypoints = numbers(annotation.get("keypoints") or [0] * kind.flat[0], kind.flat, where, "keypoints")
        box = numbers(box, (4,), where, "bbox").tolist()
        area = box[2] * box[3] if area is None and kind is not PEOPLE else area
        area = float(numbers(area, (), where, "area"))
        if area < 0:
            raise InputError(f"{where}: area should not be negative, found {area}")
        people.append(
            {
                "id": len(people) + 1,  # not the file's own: pycocotools takes a match with number 0 for none
                "image_id": image_id,
                "category_id": kind.category,
                "bbox": box,
                "area": area,
                "iscrowd": int(bool(annotation.get("iscrowd", 0))),
                "keypoints": keypoints.tolist(),
                "num_keypoints": int((keypoints[2::3] > 0).sum()),
            }
        )
    return people


def _evaluation(
    images: Iterable[int], annotations: list[dict], results: list[dict], kind: ObjectKind
) -> COCOeval:
    """pycocotools' evaluation of checked ``results``, before it is run."""
    truth = _index(images, annotations, kind.category)
    found = truth.loadRes(results) if results else _index(images, [], kind.category)
    return COCOeval(truth, found, "keypoints")


def _index(images: Iterable[int], annotations: list[dict], category: int) -> COCO:
    """pycocotools' own form of annotations or results."""
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": number} for number in images],
        "categories": [{"id": category}],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco
