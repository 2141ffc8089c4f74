"""The built-in people with other labels of the source, and what a network gains by them."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from benchmarks.evidence.grounds import GROUNDS, People
from benchmarks.evidence.trial import Trial
from benchmarks.review_tables import Row
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.coco_file import annotation_file
from lib.utils.files import write_text

MODE = "baseline2"
IMAGE_SET = "train2017"


@dataclass(frozen=True)
class Training:
    """A training of MODE on the source as it is after reviews.

    row: of these reviews.
    cfg, settings: of the training.
    people: the data set with the corrected source.
    folder: to train in.
    """

    row: Row
    cfg: Path
    settings: dict
    people: People
    folder: Path

    def __str__(self) -> str:
        return f"{MODE} after {self.row.reviews} reviews, {self.row.order}, seed {self.row.seed}"


def train(training: Training) -> Row:
    """Train, unless it is finished; the row with the network's accuracy on the test set."""
    cv2.setNumThreads(1)  # as torch, see ONE_THREAD of trial.py
    trial = Trial(training.cfg, MODE, training.people, "", training.row.seed, {}, training.folder, kept=True)
    return replace(training.row, pckh=trial.train(MODE, training.settings).accuracy("test"))


def write_corrected(people: People, labels: Annotations, folder: Path) -> People:
    """Write the data set ``people`` with other ``labels`` of its source into ``folder``; all else is linked."""
    source, target = GROUNDS[people.ground].roots
    content = read_json(annotation_file(people.folder / source, IMAGE_SET))
    joints = labels.mapping.labelled
    keypoint_of = labels.mapping.index
    instance_of = {number: i for i, number in enumerate(labels.ids.tolist())}
    for annotation in content["annotations"]:
        i, keypoints = instance_of[annotation["id"]], annotation["keypoints"]
        for j in joints:
            label = [*labels.joints[i, j].tolist(), 2] if labels.visible[i, j] > 0 else [0, 0, 0]
            keypoints[3 * keypoint_of[j] : 3 * keypoint_of[j] + 3] = label
        annotation["num_keypoints"] = sum(v > 0 for v in keypoints[2::3])
    write_text(annotation_file(folder / source, IMAGE_SET), json.dumps(content))
    for linked in (Path(source, "images"), Path(target)):
        if not (folder / linked).exists():
            (folder / linked).symlink_to((people.folder / linked).resolve(), target_is_directory=True)
    return people._replace(folder=folder)
