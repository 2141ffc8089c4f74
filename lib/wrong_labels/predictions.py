"""Finds the wrong labels of a data set with poses that any network predicted, from its results file alone.

There are no heatmaps, only a place and a score for each joint; see `predicted_readings` for what takes their place.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.pose_results import read_pose_results
from lib.utils.errors import InputError
from lib.wrong_labels.estimate import estimate
from lib.wrong_labels.find import WrongLabels
from lib.wrong_labels.judge import judge
from lib.wrong_labels.matched_poses import MatchedPoses, match_poses
from lib.wrong_labels.places import suspects_of
from lib.wrong_labels.predicted_readings import Belief, readings_of, shapes_of
from lib.wrong_labels.renamings import Renamings


@dataclass(frozen=True)
class Predicted:
    """Labels, and the results file of a network that has seen their images."""

    annotations: Annotations
    results: Path


@dataclass(frozen=True)
class PredictedJudgement:
    """What was found in the labels of the annotations, and which could not be judged."""

    annotations: Annotations
    found: WrongLabels
    matched: MatchedPoses


def judge_predictions(source: Predicted, trusted: Predicted | None, seed: int) -> PredictedJudgement:
    """Judge every label of the source whose instance has a predicted pose.

    Shapes are learned from the predicted poses, which know nothing of the mistakes in the labels.

    Args:
        source: labels in doubt.
        trusted: labels that are right, with results of the same network; they tell how often it fails. None: it is
            assumed, see `lib.wrong_labels.label_model`.
        seed: of the simulated mistakes.

    Raises:
        InputError: a results file cannot be used, or no instance of the source has a pose.
    """
    matched = _matched(source)
    belief = Belief.of(source.annotations, matched)
    readings = readings_of(source.annotations, matched, belief, seed)
    known = readings.of(slice(0))
    if trusted is not None:
        known = readings_of(trusted.annotations, _matched(trusted), belief, seed)
    skeleton = source.annotations.mapping.skeleton
    judgement = judge(readings, known, skeleton, seed, shapes_of(readings, Renamings.of(skeleton)))
    suspects = suspects_of(readings, judgement, source.annotations)
    counted = estimate(judgement, readings.labelled, suspects.kind)
    return PredictedJudgement(
        source.annotations, WrongLabels(suspects, judgement.log_odds.astype(np.float64), counted), matched
    )


def _matched(predicted: Predicted) -> MatchedPoses:
    annotations = predicted.annotations
    results = read_pose_results(predicted.results, annotations.mapping.own)
    matched = match_poses(annotations, results)
    if matched.unpredicted == len(annotations):
        raise InputError(
            f"{predicted.results}: none of the {len(annotations)} annotated instances has a predicted pose near its "
            "labels; expected x and y in pixels of the same images"
        )
    return matched
