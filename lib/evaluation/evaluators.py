"""Data sets that a network is evaluated on, each with the measure of its field: PCKh, AP or PCK."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import json_tricks
import numpy as np
import torch
from scipy.io import savemat
from torch import nn

from lib.dataset.coco import annotation_file
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import MPII_KEYPOINTS, joint_mapping
from lib.dataset.mpii_truth import read_mpii_predictions, read_mpii_truth
from lib.evaluation.coco import (
    ObjectKind,
    PoseNMS,
    PredictedPoses,
    coco_average_precision,
    coco_results,
    object_average_precision,
    read_coco_results,
)
from lib.evaluation.inference import InferenceOptions, Predictions, predict
from lib.evaluation.pck import normalised_errors, pck, pckh
from lib.utils.errors import InputError
from lib.utils.files import write_atomically, write_text


@dataclass(frozen=True)
class EvaluationSet(ABC):
    """``measure`` names the table of numbers, ``headline`` the number that chooses the best epoch."""

    dataset: KeypointDataset
    measure = ""
    headline = ""

    @abstractmethod
    def score(self, found: Predictions) -> dict[str, float]:
        """The numbers, in percent for PCKh and PCK and in [0, 1] for AP."""

    @abstractmethod
    def save(self, found: Predictions, folder: Path) -> Path:
        """Write the predictions as others read them; the file."""


@dataclass(frozen=True)
class MPIISet(EvaluationSet):
    legacy_01: bool = False
    measure = "PCKh"
    headline = "Mean"

    def score(self, found: Predictions) -> dict[str, float]:
        people = self.dataset.annotations.subset(found.index)
        errors = normalised_errors(found.joints, people.joints, people.head_sizes)
        return pckh(errors, people.visible, people.mapping.names, self.legacy_01)

    def save(self, found: Predictions, folder: Path) -> Path:
        """``preds`` [N, 16, 2], 1-based; NaN for joints that the network lacks and unreadable images."""
        people = self.dataset.annotations
        joints = np.full((len(people), len(MPII_KEYPOINTS), 2), np.nan)
        joints[np.ix_(found.index, list(people.mapping.index))] = found.joints + 1
        path = folder / "predictions.mat"
        write_atomically(path, lambda file: savemat(file, {"preds": joints}))
        return path


@dataclass(frozen=True)
class SavedAsCOCO(EvaluationSet):
    """Its predictions are saved as COCO's keypoint results."""

    def save(self, found: Predictions, folder: Path) -> Path:
        path = folder / "keypoints_results.json"
        write_text(path, json_tricks.dumps(self._results(found), primitives=True))
        return path

    @abstractmethod
    def _results(self, found: Predictions) -> list[dict]:
        """One for each person or object, as COCO has them."""


@dataclass(frozen=True)
class COCOSet(SavedAsCOCO):
    """``image_ids`` and ``box_scores`` [N] of the people that are predicted; the measure is over all
    images of ``annotation_file``."""

    annotation_file: Path
    image_ids: np.ndarray
    box_scores: np.ndarray
    in_vis_thre: float
    oks_thre: float
    measure = "AP"
    headline = "AP"

    def score(self, found: Predictions) -> dict[str, float]:
        return coco_average_precision(self.annotation_file, self._results(found))

    def _results(self, found: Predictions) -> list[dict]:
        people = self.dataset.annotations
        if found.joints.shape[1] != 17:
            raise InputError(f"AP is of COCO's 17 joints; MODEL.NUM_JOINTS is {found.joints.shape[1]}")
        poses = PredictedPoses(
            joints=found.joints,
            scores=found.scores,
            image_ids=self.image_ids[found.index],
            box_scores=self.box_scores[found.index],
            areas=people.sizes[found.index].prod(axis=1),
        )
        return coco_results(poses, PoseNMS(self.in_vis_thre, self.oks_thre))


@dataclass(frozen=True)
class ObjectSet(SavedAsCOCO):
    """Objects of any kind in COCO's format, evaluated on their annotated boxes."""

    annotation_file: Path
    kind: ObjectKind
    in_vis_thre: float
    oks_thre: float
    measure = "PCK"
    headline = "Mean"

    def score(self, found: Predictions) -> dict[str, float]:
        """PCK, and OKS-AP in percent like it."""
        objects = self.dataset.annotations.subset(found.index)
        errors = normalised_errors(found.joints, objects.joints, objects.box_sizes)
        everyone = self.dataset.annotations.ids.tolist()
        precision = object_average_precision(self.annotation_file, self._results(found), self.kind, everyone)
        return pck(errors, objects.visible, objects.mapping.names) | {"OKS-AP": 100 * precision}

    def _results(self, found: Predictions) -> list[dict]:
        objects = self.dataset.annotations
        poses = PredictedPoses(
            joints=found.joints,
            scores=found.scores,
            image_ids=objects.image_ids[found.index],
            box_scores=np.ones(len(found.index)),
            areas=objects.sizes[found.index].prod(axis=1),
        )
        return coco_results(poses, PoseNMS(self.in_vis_thre, self.oks_thre), self.kind)


def score_predictions(
    dataset: str, root: str, image_set: str, names: tuple[str, ...], path: str, legacy_01: bool
) -> tuple[str, dict[str, float]]:
    """(measure, numbers) of a prediction file against the annotations alone: no images, no network.

    For 'mpii' a .mat file with ``preds`` [N, 16, 2], 1-based; PCKh of the joints ``names``.
    For 'coco' a results JSON; AP. Raises InputError.
    """
    if dataset == "coco":
        return COCOSet.measure, coco_average_precision(
            annotation_file(root, image_set), read_coco_results(path)
        )
    if image_set != "valid":
        raise InputError(
            f"DATASET.TEST_SET is {image_set}: MPII's predictions are of valid, which has gt_valid.mat"
        )
    truth = read_mpii_truth(Path(root) / "annot" / "gt_valid.mat")
    index = list(joint_mapping("mpii", names).index)
    errors = normalised_errors(read_mpii_predictions(path), truth.joints, truth.head_sizes)
    return MPIISet.measure, pckh(errors[:, index], truth.visible[:, index], names, legacy_01)


def evaluate(
    model: nn.Module,
    to_evaluate: EvaluationSet,
    device: torch.device,
    options: InferenceOptions,
    report: Callable[[str], None],
) -> tuple[dict, Predictions]:
    """({measure: numbers, "loss", "accuracy", "people"}, the predictions) of ``model``.

    The same in every process of the options' group; the first one works out the measure.
    """
    found = predict(model, to_evaluate.dataset, device, options, report)
    summary = {
        to_evaluate.measure: options.group.broadcast_object(lambda: to_evaluate.score(found)),
        "loss": found.loss,
        "accuracy": 100 * found.accuracy,
        "people": len(found.index),
    }
    return summary, found
