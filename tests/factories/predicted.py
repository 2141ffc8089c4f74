"""Annotated people, and the results file of a network that has seen them; no images."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import JointMapping
from lib.dataset.pose_results import PoseResults
from lib.wrong_labels.readings import image_positions
from tests.factories.readings import PEOPLE, mistaken, people

SIDE = 160.0  # of the square crops, pixels
MAPPING = JointMapping("coco_format", PEOPLE, PEOPLE.names, PEOPLE.names)


@dataclass(frozen=True)
class Scene:
    """People in images.

    annotations: their labels.
    truth, predicted: [N, J, 2] true and predicted places, image pixels.
    scores: [N, J] of the predictions.
    kinds: str [N, J] what is wrong with each label, "right" for most.
    """

    annotations: Annotations
    truth: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray
    kinds: np.ndarray

    def entries(self) -> list[dict]:
        """The results as a file has them."""
        poses = np.concatenate([self.predicted, self.scores[..., None]], axis=-1)
        return [
            {
                "image_id": image,
                "category_id": 1,
                "keypoints": pose.ravel().tolist(),
                "score": pose[:, 2].mean(),
            }
            for image, pose in zip(self.annotations.image_ids.tolist(), poses)
        ]


def scene(
    count: int,
    shares: dict[str, float] | None = None,
    seed: int = 0,
    per_image: int = 1,
    failures: dict[str, float] | None = None,
) -> Scene:
    """People side by side, ``per_image`` in each image, 60 % of a crop apart.

    ``shares`` of the mistakes in labels, and ``failures`` of the network: see `mistaken`.
    """
    rng = np.random.default_rng(seed)
    truth = people(count, rng)
    labels, kinds = mistaken(truth, shares or {}, rng)
    scores = rng.uniform(0.5, 0.9, kinds.shape)
    predicted = mistaken(truth, failures or {}, rng)[0] + rng.normal(0, 0.3, truth.shape)
    image = np.arange(count) // per_image
    centers = np.stack([SIDE * (1 + 0.6 * (np.arange(count) % per_image)), np.full(count, SIDE)], axis=1)
    sizes = np.full((count, 2), SIDE)
    truth, labels, predicted = (
        image_positions(places, centers, sizes) for places in (truth, labels, predicted)
    )
    names = [f"day {k % 2}/{k:04}.jpg" for k in range(image.max() + 1)]
    annotations = Annotations(
        mapping=MAPPING,
        ids=np.arange(count) + 1000,
        image_paths=[f"/data/{name}" for name in names],
        image_names=names,
        image_index=image.astype(np.int32),
        image_ids=image + 7,
        category_ids=np.ones(count, np.int64),
        joints=labels.astype(np.float32),
        visible=np.ones(kinds.shape, np.float32),
        centers=centers.astype(np.float32),
        sizes=sizes.astype(np.float32),
        bounds=np.full((count, 2), 10 * SIDE, np.float32),
    )
    return Scene(annotations, truth, predicted, scores, kinds)


def results_file(folder: Path, content: object) -> Path:
    """A file with this JSON."""
    path = folder / "results.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def results_of(drawn: Scene, **changed) -> PoseResults:
    """The results of a scene as read, in the order of the people."""
    results = PoseResults(
        path=Path("results.json"),
        images=drawn.annotations.image_ids.tolist(),
        points=drawn.predicted,
        scores=drawn.scores,
        pose_scores=drawn.scores.mean(axis=1),
        categories=np.ones(len(drawn.predicted), np.int64),
        named=None,
        id_key="",
    )
    return replace(results, **changed)
