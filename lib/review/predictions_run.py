"""What find_labels.py does with the results file of another network in place of a training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.config.loader import with_settings
from lib.config.schema import Config
from lib.dataset.build import log_annotations, read_annotations
from lib.dataset.layouts import ImageSet, training_set
from lib.ignoring.weight_table import WeightTable
from lib.review.labels_run import LabelledImages, data_settings
from lib.wrong_labels.predictions import Predicted, PredictedJudgement, judge_predictions

OF_FILE = ("DATASET_SRC.CATEGORY", "DATASET_SRC.DROP_ZERO_KEYPOINTS", "DATASET_SRC.DATA_FORMAT")


@dataclass(frozen=True)
class PredictedImages:
    """Labels, and what a network predicts on their images: a list in COCO's format of keypoint results."""

    labelled: LabelledImages
    results: str | Path


def judge_by_predictions(
    doubtful: PredictedImages, trusted: PredictedImages | None, given: dict[str, Any]
) -> tuple[Config, PredictedJudgement]:
    """Read and judge the labels.

    Args:
        doubtful: the labels in doubt.
        trusted: labels that are right, with results of the same network; None: there are none.
        given: {setting: value} of the user.

    Returns:
        The settings by which the labels were read, as DATASET_SRC, and the judgement.

    Raises:
        InputError: naming the file, annotation or setting that cannot be used.
    """
    known = doubtful if trusted is None else trusted
    if trusted is None:  # what is said of the file holds for it as the reference of joints, too
        of_source = {key: value for key, value in given.items() if key in OF_FILE}
        given = {key.replace("_SRC", "_TARGET"): value for key, value in of_source.items()} | given
    config = with_settings(Config(), data_settings(doubtful.labelled, known.labelled, given) | given)
    source = _read(config, training_set(config.dataset_src), doubtful.results, "labels in doubt")
    right = None
    if trusted is not None:
        right = _read(config, training_set(config.dataset_target), trusted.results, "trusted labels")
    return config, judge_predictions(source, right, config.seed)


def table_of(judged: PredictedJudgement) -> WeightTable:
    """The scores and suspects; no weights were learned. Labels that were not judged come last."""
    suspects = judged.found.suspects
    scores = np.where(suspects.judged, judged.found.scores, judged.found.scores.min(initial=0) - 1)
    nothing = np.zeros(scores.shape)
    return WeightTable(nothing, nothing.astype(np.int64), scores, suspects)


def _read(config: Config, image_set: ImageSet, results: str | Path, role: str) -> Predicted:
    annotations = read_annotations(config, image_set)
    log_annotations(annotations, image_set, role)
    return Predicted(annotations, Path(results))
