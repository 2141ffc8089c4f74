"""Evaluation sets: a data set with its metric (PCKh for MPII, AP for COCO, PCK for other categories)."""

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import json_tricks
import numpy as np
import torch
from scipy.io import savemat
from torch import nn

from lib.dataset.coco import ObjectFile
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import MPII_KEYPOINTS, joint_mapping
from lib.dataset.layouts import COCOLayout, DatasetLayout
from lib.dataset.mpii_truth import read_mpii_predictions, read_mpii_truth
from lib.evaluation.coco import (
    PoseNMS,
    PredictedPoses,
    coco_average_precision,
    coco_results,
    object_average_precision,
    person_average_precision,
    read_coco_results,
)
from lib.evaluation.ground_truth import GroundTruth, read_ground_truth
from lib.evaluation.inference import InferenceOptions, Predictions, predict
from lib.evaluation.pck import normalized_errors, pck, pckh
from lib.utils.errors import InputError
from lib.utils.files import write_atomically, write_text


@dataclass(frozen=True)
class EvaluationSet(ABC):
    """A data set that a network is evaluated on, with the metric of its field.

    dataset: images and labels, without augmentation.
    measure: name of the metric and key of its numbers in results.
    headline: key of the number that selects the best epoch; higher is better.
    """

    dataset: KeypointDataset
    measure: ClassVar[str] = ""
    headline: ClassVar[str] = ""

    @abstractmethod
    def score(self, predictions: Predictions) -> dict[str, float]:
        """Compute the numbers of the metric: percent for PCKh and PCK, [0, 1] for AP."""

    @abstractmethod
    def save(self, predictions: Predictions, folder: Path) -> Path:
        """Write the predictions in the format of the data set's own tools and return the path."""


@dataclass(frozen=True)
class MPIISet(EvaluationSet):
    """MPII with PCKh.

    legacy_01: see `pckh`.
    """

    legacy_01: bool = False
    measure: ClassVar[str] = "PCKh"
    headline: ClassVar[str] = "Mean"

    def score(self, predictions: Predictions) -> dict[str, float]:
        """Compute PCKh in percent over the annotations whose image could be read; keys as in `pckh`."""
        annotations = self.dataset.annotations.subset(predictions.index)
        errors = normalized_errors(predictions.joints, annotations.joints, annotations.head_sizes)
        return pckh(errors, annotations.visible, annotations.mapping.names, self.legacy_01)

    def save(self, predictions: Predictions, folder: Path) -> Path:
        """Write predictions.mat with ``preds`` [N, 16, 2], pixels counted from 1, for all N annotations.

        NaN for joints that the network does not predict and for annotations whose image cannot be read.
        """
        annotations = self.dataset.annotations
        joints = np.full((len(annotations), len(MPII_KEYPOINTS), 2), np.nan)
        joints[np.ix_(predictions.index, np.array(annotations.mapping.index))] = predictions.joints + 1
        path = folder / "predictions.mat"
        # scipy's stubs know no open files.
        write_atomically(path, lambda file: savemat(cast(Any, file), {"preds": joints}))
        return path


@dataclass(frozen=True)
class SavedAsCOCO(EvaluationSet):
    """An evaluation set whose predictions are scored and saved in COCO's results format.

    file: the annotation file.
    sigmas: of OKS, for each of its keypoints.
    nms: how poses are scored and suppressed.
    """

    file: ObjectFile
    sigmas: tuple[float, ...]
    nms: PoseNMS

    @functools.cached_property
    def truth(self) -> GroundTruth:
        """The annotations to compare with, read when they are first needed."""
        return read_ground_truth(self.file, self.sigmas)

    def save(self, predictions: Predictions, folder: Path) -> Path:
        """Write keypoints_results.json, pixels counted from 0."""
        path = folder / "keypoints_results.json"
        write_text(path, json_tricks.dumps(self._results(predictions), primitives=True))
        return path

    @abstractmethod
    def _results(self, predictions: Predictions) -> list[dict]:
        """The predictions in COCO's results format."""

    def _poses(self, predictions: Predictions, box_scores: np.ndarray) -> PredictedPoses:
        """The predictions with the images and crops of their annotations; box_scores: [N of predictions]."""
        annotations, index = self.dataset.annotations, predictions.index
        return PredictedPoses(
            joints=predictions.joints,
            scores=predictions.scores,
            image_ids=annotations.image_ids[index],
            box_scores=box_scores,
            areas=annotations.sizes[index].prod(axis=1),
            category_ids=None if annotations.category_ids is None else annotations.category_ids[index],
        )


@dataclass(frozen=True)
class COCOSet(SavedAsCOCO):
    """COCO persons with AP over all images of ``file``, on annotated or detected bounding boxes.

    box_scores: [N] detection scores of the annotations' bounding boxes; 1 for annotated ones.
    """

    box_scores: np.ndarray
    measure: ClassVar[str] = "AP"
    headline: ClassVar[str] = "AP"

    def score(self, predictions: Predictions) -> dict[str, float]:
        """Compute COCO's AP and AR in [0, 1]; keys as in `MEASURES`; none if the set has no annotations."""
        results = self._results(predictions)
        return person_average_precision(self.truth, results) if self.truth.is_labelled else {}

    def _results(self, predictions: Predictions) -> list[dict]:
        poses = self._poses(predictions, self.box_scores[predictions.index])
        return coco_results(poses, self.nms, self.truth.kind)


@dataclass(frozen=True)
class ObjectSet(SavedAsCOCO):
    """Objects of any kind with PCK and OKS-AP, on annotated bounding boxes."""

    measure: ClassVar[str] = "PCK"
    headline: ClassVar[str] = "Mean"

    def score(self, predictions: Predictions) -> dict[str, float]:
        """Compute PCK and "OKS-AP", all in percent; the other keys as in `pck`.

        PCK is over the annotations whose image could be read, OKS-AP over all annotations of the data set.
        """
        annotations = self.dataset.annotations.subset(predictions.index)
        errors = normalized_errors(predictions.joints, annotations.joints, annotations.box_sizes)
        truth = self.truth.only(self.dataset.annotations.ids.tolist())
        precision = object_average_precision(truth, self._results(predictions))
        numbers = pck(errors, annotations.visible, annotations.mapping.names)
        return numbers | {"OKS-AP": 100 * precision}

    def _results(self, predictions: Predictions) -> list[dict]:
        poses = self._poses(predictions, np.ones(len(predictions.index)))
        return coco_results(poses, self.nms, self.truth.kind)


def score_predictions(
    layout: DatasetLayout, image_set: str, names: tuple[str, ...], path: str, legacy_01: bool
) -> tuple[str, dict[str, float]]:
    """Score a file of predictions against the annotations; needs neither images nor a network.

    Args:
        layout: the data set, COCO or MPII.
        image_set: 'valid' for MPII; for COCO e.g. 'val2017'.
        names: joints that PCKh is computed of; not used for COCO.
        path: for MPII a .mat file with ``preds`` [N, 16, 2], pixels counted from 1; for COCO a JSON file in
            COCO's results format.
        legacy_01: see `pckh`; not used for COCO.

    Returns:
        "PCKh" and its numbers in percent, or "AP" and its numbers in [0, 1].

    Raises:
        InputError: a file is missing or not valid, or MPII's image set has no ground truth.
    """
    files = layout.annotation_files(image_set)
    if isinstance(layout, COCOLayout):
        return COCOSet.measure, coco_average_precision(files[0], read_coco_results(path))
    if image_set != "valid":
        raise InputError(f"DATASET.TEST_SET is {image_set}; expected valid, as MPII has no other gt_*.mat")
    truth = read_mpii_truth(files[1])
    index = list(joint_mapping("mpii", names).index)
    errors = normalized_errors(read_mpii_predictions(path), truth.joints, truth.head_sizes)
    return MPIISet.measure, pckh(errors[:, index], truth.visible[:, index], names, legacy_01)


def evaluate(
    model: nn.Module,
    to_evaluate: EvaluationSet,
    device: torch.device,
    options: InferenceOptions,
) -> tuple[dict, Predictions]:
    """Run a network over an evaluation set and score its predictions.

    Every rank of ``options.group`` must call this; the first one computes the metric for all.

    Args:
        model: network on ``device``; see `predict`.
        to_evaluate: the data set and its metric.
        device: where the model runs.
        options: batch size, flip test, ranks.

    Returns:
        The summary ``{measure: numbers, "loss": ..., "accuracy": percent, "people": number of predictions}``,
        and the predictions; the same on every rank.

    Raises:
        InputError: an image cannot be read, see `predict`, or an annotation is not valid.
    """
    predictions = predict(model, to_evaluate.dataset, device, options)
    summary = {
        to_evaluate.measure: options.group.broadcast_object(lambda: to_evaluate.score(predictions)),
        "loss": predictions.loss,
        "accuracy": 100 * predictions.accuracy,
        "people": len(predictions.index),
    }
    return summary, predictions
