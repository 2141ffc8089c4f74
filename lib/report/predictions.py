"""Predictions of a run's own best checkpoint for a few source instances."""

import numpy as np
import torch

from lib.dataset.annotations import Annotations
from lib.dataset.build import build_codec
from lib.dataset.images import read_image
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.evaluation.inference import InferenceOptions, predict
from lib.models.pose_resnet import build_pose_resnet
from lib.report.runs import Run
from lib.utils.checkpoint import load_checkpoint
from lib.utils.errors import InputError

BEST = "best.pth"
BATCH_SIZE = 32


def predict_instances(
    run: Run, model: str, annotations: Annotations, instances: list[int]
) -> dict[int, np.ndarray]:
    """Predict keypoints with the run's best checkpoint, on the CPU.

    Args:
        run: The run.
        model: "target" or "source".
        annotations: The annotations that ``instances`` are indices of.
        instances: The instances to predict.

    Returns:
        {instance: [J, 2] pixels of the image}, without instances whose image cannot be read; empty if
        the run has no best.pth.

    Raises:
        InputError: The checkpoint is damaged or of another network.
    """
    checkpoint = run.folder / BEST
    instances = [i for i in instances if read_image(annotations.image(i)) is not None]
    if not instances or not checkpoint.exists():
        return {}
    config = run.config
    network = build_pose_resnet(config.model)
    try:
        network.load_state_dict(load_checkpoint(checkpoint)[f"{model}_model"])
    except (KeyError, RuntimeError, TypeError, AttributeError):
        raise InputError(
            f"{checkpoint}: expected the {model} model that {run.folder / 'config.yaml'} describes"
        ) from None
    dataset = KeypointDataset(
        annotations.subset(np.array(instances)), build_codec(config.model), None, config.dataset.reads_rgb
    )
    options = InferenceOptions(BATCH_SIZE, 0, config.test.flip_test, config.test.shift_heatmap, "raise")
    predictions = predict(network, dataset, torch.device("cpu"), options)
    return dict(zip(instances, predictions.joints))
