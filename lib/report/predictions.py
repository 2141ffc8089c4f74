"""What a run's own model predicts for a few people of its source."""

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
AT_ONCE = 32  # people in a batch


def predict_people(run: Run, model: str, people: Annotations, persons: list[int]) -> dict[int, np.ndarray]:
    """What the run's best ``model`` ('target' or 'source') predicts: {person: [J, 2] pixels of the image}.

    Computed on the CPU. People whose image cannot be read are left out, and everyone where the
    run keeps no best.pth. Raises InputError where that file is damaged or of another network.
    """
    checkpoint = run.folder / BEST
    persons = [i for i in persons if read_image(people.image_paths[people.image_index[i]]) is not None]
    if not persons or not checkpoint.exists():
        return {}
    config = run.config
    network = build_pose_resnet(config.model)
    try:
        network.load_state_dict(load_checkpoint(checkpoint)[f"{model}_model"])
    except (KeyError, RuntimeError, TypeError, AttributeError):
        raise InputError(
            f"{checkpoint}: expected the {model} model of {run.folder / 'config.yaml'}"
        ) from None
    dataset = KeypointDataset(
        people.subset(np.array(persons)), build_codec(config.model), None, config.dataset.color_rgb
    )
    options = InferenceOptions(AT_ONCE, 0, config.test.flip_test, config.test.shift_heatmap, "raise")
    found = predict(network, dataset, torch.device("cpu"), options, report=lambda _: None)
    return dict(zip(persons, found.joints))
