"""Finding wrong labels without ignoring variables: by their loss, or by a network's disagreement."""

import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib.config.schema import Config
from lib.dataset.annotations import PADDING, Annotations
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.loader import evaluation_batches
from lib.dataset.mpii_truth import head_sizes_from_scales
from lib.evaluation.inference import inference_options, predict
from lib.evaluation.pck import normalized_errors
from lib.models.loss import keypoint_losses
from lib.models.pose_resnet import build_pose_resnet
from lib.training.data import Data
from lib.training.state import FLOOR_SHARE
from lib.utils.checkpoint import load_checkpoint
from lib.utils.device import pick_device
from lib.wrong_labels.find import WrongLabels, find_wrong_labels
from lib.wrong_labels.readings import Reader

AGREEMENT = 0.5  # head sizes, as in PCKh@0.5
FAR = 0.75  # head sizes, of a prediction that calls the label wrong; the best F1 of 0.25 to 1 on development seed 0
PIXELS_PER_SCALE = 200  # MPII's unit of a person's size


@torch.no_grad()
def source_losses(config: Config, data: Data, best: Path) -> np.ndarray:
    """Loss of every source label, [N, J], under the target model in ``best``, without augmentation."""
    model, device = _trained(config, best)
    losses = []
    for batch in evaluation_batches(_plain(config, data), config.test.batch_size, config.workers, False):
        outputs = model(batch.image.to(device)).float().cpu()
        losses.append(keypoint_losses(outputs, batch.heatmaps, batch.target_weight).numpy())
    return np.concatenate(losses)


def loss_floor(config: Config) -> float:
    """The floor of the log loss: a small share of an empty heatmap's loss. Smaller losses are not distinguished."""
    return FLOOR_SHARE * math.pi * config.model.extra.sigma**2 / 2


def standardised(losses: np.ndarray, labelled: np.ndarray, floor: float) -> np.ndarray:
    """log(loss + floor) [N, J], standardised over the labels of each joint.

    Otherwise labels of difficult joints would be taken for wrong ones.
    """
    logs = np.log(np.where(labelled, losses + floor, np.nan))
    result = np.zeros_like(logs)
    for j in np.flatnonzero(labelled.any(axis=0)):
        deviation = np.nanstd(logs[:, j])
        result[:, j] = (logs[:, j] - np.nanmean(logs[:, j])) / (deviation or 1.0)
    return np.where(labelled, result, 0.0)


def without_largest(scores: np.ndarray, labelled: np.ndarray, count: int) -> np.ndarray:
    """[N, J], false for the ``count`` labels of largest score, else true."""
    keep = np.ones(scores.shape, bool)
    order = np.argsort(-np.where(labelled, scores, -np.inf), axis=None, kind="stable")
    keep.ravel()[order[:count]] = False
    return keep


def head_distances(config: Config, data: Data, best: Path) -> np.ndarray:
    """[N, J], distance of the prediction of the model in ``best`` to the source label; see `in_heads`."""
    model, device = _trained(config, best)
    # The drawn images are all there.
    options = replace(inference_options(config), on_bad_image="raise")
    predictions = predict(model, _plain(config, data), device, options)
    return in_heads(predictions.joints, data.source.annotations)


def judge_with(config: Config, data: Data, best: Path) -> tuple[WrongLabels, dict]:
    """The detector's findings with the model in ``best``, and its estimate as in results.json."""
    model, device = _trained(config, best)
    reader = Reader(model, device, config.test.batch_size, config.workers, config.seed)
    trusted = data.target.without_augmentation()
    found = find_wrong_labels(reader, _plain(config, data), trusted)
    return found, asdict(found.estimate)


def in_heads(predicted: np.ndarray, annotations: Annotations) -> np.ndarray:
    """[N, J], distance of the prediction [N, J, 2] to the label in head sizes.

    The source has no head boxes; the head size is derived from the size of the box, as in MPII.
    """
    longer_sides = annotations.sizes.max(axis=1) / PADDING
    heads = head_sizes_from_scales(longer_sides / PIXELS_PER_SCALE)
    return normalized_errors(predicted, annotations.joints, heads)


def _plain(config: Config, data: Data) -> KeypointDataset:
    return KeypointDataset(data.source.annotations, data.source.codec, None, config.dataset.color_rgb)


def _trained(config: Config, best: Path) -> tuple[nn.Module, torch.device]:
    device, _ = pick_device(config.device, config.gpus)
    model = build_pose_resnet(config.model)
    model.load_state_dict(load_checkpoint(best)["target_model"])
    return model.to(device).eval(), device
