"""COCO's keypoint evaluation: predictions to COCO's results format, and results to average precision."""

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lib.dataset.annotations import numbers, read_json, whole_number
from lib.dataset.coco import ObjectFile
from lib.dataset.coco_file import PERSON
from lib.dataset.images import ImageFolder
from lib.evaluation.ground_truth import COCO_PERSON, GroundTruth, ObjectKind, read_ground_truth
from lib.nms.nms import COCO_SIGMAS, oks_nms_by_image
from lib.utils.errors import InputError, short_repr

# The ten numbers of pycocotools' summarize(), in its order; (M) and (L) are medium and large instances.
MEASURES = ("AP", "AP .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")
RESULT_KEYS = ("image_id", "category_id", "keypoints", "score")


@dataclass(frozen=True)
class PredictedPoses:
    """N predicted poses of J joints.

    joints: [N, J, 2] x and y in image pixels.
    scores: [N, J] score of each joint, here the height of the heatmap's peak.
    image_ids: [N] the data set's number of the image.
    box_scores: [N] score of the bounding box; 1 for an annotated one.
    areas: [N] width * height of the crop in image pixels.
    category_ids: [N] category_id of the results; None: the first one of their kind.
    """

    joints: np.ndarray
    scores: np.ndarray
    image_ids: np.ndarray
    box_scores: np.ndarray
    areas: np.ndarray
    category_ids: np.ndarray | None = None


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
        kind: category of results without one of their own, and the sigmas of OKS.

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
    categories = poses.category_ids
    if categories is None:
        categories = np.full(len(pose_scores), kind.categories[0])
    columns = (poses.image_ids, categories, keypoints, pose_scores)
    return [
        {"image_id": image_id, "category_id": category, "keypoints": values, "score": score}
        for image_id, category, values, score in zip(*(column[keep].tolist() for column in columns))
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
    """`person_average_precision` of results over all images of an annotation file.

    Args:
        annotation_file: COCO's person_keypoints_*.json.
        results: in COCO's results format, or the path of a JSON file with them.

    Raises:
        InputError: an annotation or a result is not valid; the message names it.
    """
    where: str = "results"
    content: Any = results
    if isinstance(results, (str, PathLike)):
        where, content = str(results), read_json(results)
    path = Path(annotation_file)
    file = ObjectFile(path, ImageFolder(path.parent))  # its images are not needed
    return person_average_precision(read_ground_truth(file, COCO_SIGMAS, with_images=False), content, where)


def person_average_precision(truth: GroundTruth, results: Any, where: str = "results") -> dict[str, float]:
    """Compute AP and AR of person keypoints, by pycocotools.

    By COCO's rules (https://cocodataset.org/#keypoints-eval): the 20 best results of an image count, and those
    matched to crowds or to persons without labelled keypoints are ignored.

    Args:
        truth: of COCO's 17 keypoints.
        results: in COCO's results format, unchecked.
        where: names the results in error messages.

    Returns:
        The numbers of MEASURES in [0, 1]; NaN where no annotation counts.

    Raises:
        InputError: a result is not valid; the message names it.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        evaluation = _evaluation(truth, _checked_results(results, where, truth))
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # pycocotools returns -1 where nothing counts.
    return {name: float(v) if v >= 0 else float("nan") for name, v in zip(MEASURES, evaluation.stats)}


def object_average_precision(truth: GroundTruth, results: list[dict]) -> float:
    """Compute OKS-AP of objects of any kind; several categories count as one.

    As COCO's AP (mean over OKS thresholds 0.5, 0.55, ..., 0.95), but with any number of results per image
    and without bounds on the area.

    Args:
        truth: the annotations that count.
        results: in COCO's results format.

    Returns:
        AP in [0, 1]; NaN if no annotation counts.

    Raises:
        InputError: a result is not valid; the message names it.
    """
    checked = _checked_results(results, "results", truth)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = _evaluation(truth, checked)
        # pycocotools' defaults are those of persons: their sigmas, 20 results per image, medium and large.
        evaluation.params.kpt_oks_sigmas = np.array(truth.kind.sigmas)
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


def _checked_results(results: Any, where: str, truth: GroundTruth | None = None) -> list[dict]:
    """Check ``results`` and copy RESULT_KEYS of them; pycocotools writes into results and reads other keys too.

    Args:
        truth: whose images and categories they must have; then the copies are of category 1. None: not checked.
    """
    if not isinstance(results, list):
        raise InputError(f"{where}: expected a list of results, found {type(results).__name__}")
    kind = COCO_PERSON if truth is None else truth.kind
    checked = []
    for number, result in enumerate(results):
        named = f"{where}: result {number}"
        try:
            image_id, category, keypoints, score = (result[k] for k in RESULT_KEYS)
        except (KeyError, TypeError):
            raise InputError(f"{named} needs {', '.join(RESULT_KEYS)}") from None
        if truth is not None and category not in kind.categories:
            raise InputError(
                f"{named}: category_id should be {_either(kind.categories)} as in {truth.path}, "
                f"found {short_repr(category)}"
            )
        image_id = whole_number(image_id, named, "image_id")
        if truth is not None and image_id not in truth.images:
            raise InputError(f"{named}: image_id {image_id} is not among the images of {truth.path}")
        keypoints = numbers(keypoints, kind.keypoints_shape, named, "keypoints").tolist()
        values = (image_id, category, keypoints, float(numbers(score, (), named, "score")))
        checked.append(dict(zip(RESULT_KEYS, values)))
    return checked


def _either(numbers: tuple[int, ...]) -> str:
    return " or ".join(map(str, numbers))


def _evaluation(truth: GroundTruth, results: list[dict]) -> COCOeval:
    """pycocotools' evaluation of checked ``results``, not yet run."""
    annotated = _indexed(truth.images, [dict(annotation) for annotation in truth.annotations])
    as_one = [result | {"category_id": PERSON} for result in results]
    # loadRes fails on an empty list.
    predicted = annotated.loadRes(as_one) if results else _indexed(truth.images, [])
    return COCOeval(annotated, predicted, "keypoints")


def _indexed(images: Iterable[int], annotations: list[dict]) -> COCO:
    """Annotations of category 1 as pycocotools' COCO object."""
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": number} for number in images],
        "categories": [{"id": PERSON}],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco
