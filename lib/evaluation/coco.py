"""COCO's keypoint evaluation: predictions to COCO's results format, and results to average precision."""

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
from lib.utils.errors import InputError, short_repr

# The ten numbers of pycocotools' summarize(), in its order; (M) and (L) are medium and large instances.
MEASURES = ("AP", "AP .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")
RESULT_KEYS = ("image_id", "category_id", "keypoints", "score")


@dataclass(frozen=True)
class ObjectKind:
    """A category with keypoints.

    category: its category_id.
    sigmas: [J] per-keypoint constants of OKS, relative to the square root of the area.
    """

    category: int
    sigmas: tuple[float, ...]

    @property
    def keypoints_shape(self) -> tuple[int]:
        """Shape of "keypoints" in an annotation or a result: x, y and visibility or score of J joints."""
        return (3 * len(self.sigmas),)


COCO_PERSON = ObjectKind(PERSON, COCO_SIGMAS)


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


def coco_results(poses: PredictedPoses, nms: PoseNMS, kind: ObjectKind = COCO_PERSON) -> list[dict]:
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
    """Read a JSON file in COCO's results format.

    Raises:
        InputError: the file is missing or a result is not valid; the message names the file and the result.
    """
    return _checked_results(read_json(path), str(path))


def coco_average_precision(
    annotation_file: str | PathLike, results: list[dict] | str | PathLike
) -> dict[str, float]:
    """Compute AP and AR of person keypoints over all images of an annotation file, by pycocotools.

    By COCO's rules (https://cocodataset.org/#keypoints-eval): the 20 best results of an image count, and those
    matched to crowds or to persons without labelled keypoints are ignored.

    Args:
        annotation_file: COCO's person_keypoints_*.json.
        results: in COCO's results format, or the path of a JSON file with them.

    Returns:
        The numbers of MEASURES in [0, 1]; NaN where no annotation counts.

    Raises:
        InputError: an annotation or a result is not valid; the message names it.
    """
    where, content = "results", results
    if isinstance(results, (str, PathLike)):
        where, content = str(results), read_json(results)
    checked = _checked_results(content, where)
    coco = read_coco_file(annotation_file)
    for number, result in enumerate(checked):
        coco.image(result["image_id"], f"{where}: result {number}")
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        evaluation = _evaluation(coco.images, _ground_truth(coco, COCO_PERSON), checked, COCO_PERSON)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # pycocotools returns -1 where nothing counts.
    return {name: float(v) if v >= 0 else float("nan") for name, v in zip(MEASURES, evaluation.stats)}


def object_average_precision(
    annotation_file: str | PathLike, results: list[dict], kind: ObjectKind, ids: Collection[int]
) -> float:
    """Compute OKS-AP of objects of any category, over the annotations ``ids`` alone.

    As COCO's AP (mean over OKS thresholds 0.5, 0.55, ..., 0.95), but with any number of results per image
    and without bounds on the area. An annotation without an area has its bounding box's.

    Args:
        annotation_file: annotations in COCO's format.
        results: in COCO's results format.
        kind: category and sigmas.
        ids: ids of the annotations that count.

    Returns:
        AP in [0, 1]; NaN if no annotation counts.

    Raises:
        InputError: an annotation or a result is not valid; the message names it.
    """
    coco = read_coco_file(annotation_file)
    ids = set(ids)

    def is_selected(entry: Any) -> bool:
        return isinstance(entry, dict) and isinstance(entry.get("id"), int) and entry["id"] in ids

    selected = [entry for entry in coco.annotations if is_selected(entry)]
    truth = _ground_truth(COCOFile(coco.path, coco.images, selected), kind)
    checked = _checked_results(results, "results", kind)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = _evaluation(coco.images, truth, checked, kind)
        # pycocotools' defaults are those of persons: their sigmas, 20 results per image, medium and large.
        evaluation.params.kpt_oks_sigmas = np.array(kind.sigmas)
        evaluation.params.maxDets = [max(1, len(checked))]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e18]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    # [thresholds, recalls, categories, areas, maxDets]; -1 where nothing counts.
    precision = evaluation.eval["precision"]
    return float(precision.mean()) if (precision > -1).all() else float("nan")


def format_table(name: str, values: dict[str, float]) -> str:
    """Format ``values`` as a Markdown table with one row, like SimpleBaseline's `_print_name_value`."""
    rows = (["Arch", *values], ["---"] * (1 + len(values)), [name, *(f"{v:.3f}" for v in values.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _checked_results(results: Any, where: str, kind: ObjectKind = COCO_PERSON) -> list[dict]:
    """Check ``results`` and copy RESULT_KEYS of them; pycocotools writes into results and reads other keys too."""
    if not isinstance(results, list):
        raise InputError(f"{where}: expected a list of results, found {type(results).__name__}")
    checked = []
    for number, result in enumerate(results):
        named = f"{where}: result {number}"
        try:
            image_id, category, keypoints, score = (result[k] for k in RESULT_KEYS)
        except (KeyError, TypeError):
            raise InputError(f"{named} needs {', '.join(RESULT_KEYS)}") from None
        if category != kind.category:
            expected = f"{PERSON} (person)" if kind is COCO_PERSON else kind.category
            raise InputError(f"{named}: category_id should be {expected}, found {short_repr(category)}")
        whole_number(image_id, named, "image_id")
        keypoints = numbers(keypoints, kind.keypoints_shape, named, "keypoints").tolist()
        values = (image_id, kind.category, keypoints, float(numbers(score, (), named, "score")))
        checked.append(dict(zip(RESULT_KEYS, values)))
    return checked


def _ground_truth(coco: COCOFile, kind: ObjectKind) -> list[dict]:
    """Every annotation of the category, unlabelled ones too, with the fields that pycocotools needs."""
    ground_truth: list[dict] = []
    for annotation in coco.annotations:
        where = coco.named(annotation)
        try:
            if annotation["category_id"] != kind.category:
                continue
            image_id, box = annotation["image_id"], annotation["bbox"]
            area = annotation["area"] if kind is COCO_PERSON else annotation.get("area")
        except (KeyError, TypeError):
            needed = "bbox and area" if kind is COCO_PERSON else "and bbox"
            raise InputError(f"{where} needs category_id, image_id, {needed}") from None
        coco.image(image_id, where)
        # COCO leaves out the keypoints of crowds.
        keypoints = annotation.get("keypoints") or [0] * kind.keypoints_shape[0]
        keypoints = numbers(keypoints, kind.keypoints_shape, where, "keypoints")
        box = numbers(box, (4,), where, "bbox").tolist()
        area = box[2] * box[3] if area is None and kind is not COCO_PERSON else area
        area = float(numbers(area, (), where, "area"))
        if area < 0:
            raise InputError(f"{where}: area should not be negative, found {area}")
        ground_truth.append(
            {
                # Not the file's own id: pycocotools takes a match with id 0 for no match.
                "id": len(ground_truth) + 1,
                "image_id": image_id,
                "category_id": kind.category,
                "bbox": box,
                "area": area,
                "iscrowd": int(bool(annotation.get("iscrowd", 0))),
                "keypoints": keypoints.tolist(),
                "num_keypoints": int((keypoints[2::3] > 0).sum()),
            }
        )
    return ground_truth


def _evaluation(
    images: Iterable[int], annotations: list[dict], results: list[dict], kind: ObjectKind
) -> COCOeval:
    """pycocotools' evaluation of checked ``results``, not yet run."""
    truth = _indexed(images, annotations, kind.category)
    # loadRes fails on an empty list.
    predicted = truth.loadRes(results) if results else _indexed(images, [], kind.category)
    return COCOeval(truth, predicted, "keypoints")


def _indexed(images: Iterable[int], annotations: list[dict], category: int) -> COCO:
    """Annotations as pycocotools' COCO object."""
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": number} for number in images],
        "categories": [{"id": category}],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco
