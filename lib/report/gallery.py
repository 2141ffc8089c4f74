"""Which keypoints are shown, and what the run's own model predicts for them."""

from dataclasses import dataclass

import numpy as np
import torch

from lib.core.data import build_codec
from lib.core.errors import InputError
from lib.core.inference import InferenceOptions, predict
from lib.dataset.annotations import Annotations
from lib.dataset.joints import KeypointDataset
from lib.dataset.pictures import read_picture
from lib.models.pose_resnet import build_pose_resnet
from lib.report.drawing import draw_keypoint
from lib.report.learned import Learned
from lib.report.runs import Run
from lib.utils.checkpoint import load_checkpoint

AT_ONCE = 32  # people in a batch of prediction


@dataclass(frozen=True)
class Shown:
    """A keypoint of a gallery: its person and joint, and the drawing [H, W, 3] RGB, None without a picture."""

    person: int
    joint: int
    drawing: np.ndarray | None


def lowest(weights: np.ndarray, among: np.ndarray, count: int) -> list[tuple[int, int]]:
    """(person, joint) of the keypoints ``among`` [N, J] with the lowest weights, one for each person."""
    order = np.argsort(np.where(among, weights, np.inf), axis=None, kind="stable")
    chosen: dict[int, int] = {}
    for keypoint in order[: int(among.sum())].tolist():
        if len(chosen) == count:
            break
        chosen.setdefault(*divmod(keypoint, weights.shape[1]))
    return list(chosen.items())


def draw_gallery(
    learned: Learned, keypoints: list[tuple[int, int]], predictions: dict[int, np.ndarray]
) -> list[Shown]:
    """``predictions``: {person: [J, 2] pixels of the picture}, of as many people as there are."""

    def drawing(person: int, joint: int) -> np.ndarray | None:
        right = None if learned.right is None else learned.right[person, joint]
        predicted = predictions[person][joint] if person in predictions else None
        return draw_keypoint(learned.people, person, joint, right, predicted)

    return [Shown(person, joint, drawing(person, joint)) for person, joint in keypoints]


def predict_people(run: Run, model: str, people: Annotations, persons: list[int]) -> dict[int, np.ndarray]:
    """What the run's best ``model`` ('target' or 'source') predicts: {person: [J, 2] pixels of the picture}.

    Computed on the CPU. People whose picture cannot be read are left out, and everyone where the
    run keeps no best.pth. Raises InputError where that file is damaged or of another network.
    """
    checkpoint = run.folder / "best.pth"
    persons = [i for i in persons if read_picture(people.pictures[people.picture[i]]) is not None]
    if not persons or not checkpoint.exists():
        return {}
    config = run.config
    network = build_pose_resnet(config.MODEL)
    try:
        network.load_state_dict(load_checkpoint(checkpoint)[f"{model}_model"])
    except (KeyError, RuntimeError):
        raise InputError(
            f"{checkpoint}: expected the {model} model of {run.folder / 'config.yaml'}"
        ) from None
    dataset = KeypointDataset(
        people.subset(np.array(persons)), build_codec(config.MODEL), None, config.DATASET.COLOR_RGB
    )
    options = InferenceOptions(AT_ONCE, 0, config.TEST.FLIP_TEST, config.TEST.SHIFT_HEATMAP, "raise")
    found = predict(network, dataset, torch.device("cpu"), options, report=lambda _: None)
    return dict(zip(persons, found.joints))
