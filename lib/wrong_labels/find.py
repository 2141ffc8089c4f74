"""Finds the wrong labels of a data set with a trained network; nothing is trained but a small regression."""

from dataclasses import dataclass

import numpy as np

from lib.dataset.keypoint_dataset import KeypointDataset
from lib.ignoring.suspects import REVIEWED, Suspects
from lib.wrong_labels.estimate import Estimate, estimate
from lib.wrong_labels.judge import judge
from lib.wrong_labels.places import suspects_of
from lib.wrong_labels.readings import Reader


@dataclass(frozen=True)
class WrongLabels:
    """What was found.

    suspects: of every label.
    scores: [N, J] the order of the suspects; higher is more suspect.
    estimate: how many labels are wrong.
    """

    suspects: Suspects
    scores: np.ndarray
    estimate: Estimate

    def knowing(self, known: np.ndarray) -> "WrongLabels":
        """The same without an opinion on labels that are ``known`` (bool [N, J]) to be right."""
        old = self.suspects
        suspects = Suspects(
            probability=np.where(known, 0.0, old.probability),
            kind=np.where(known, REVIEWED, old.kind),
            partner=np.where(known, -1, old.partner),
            proposed=np.where(known[..., None], np.nan, old.proposed),
            sureness=np.where(known, 0.0, old.sureness),
        )
        return WrongLabels(suspects, self.scores, self.estimate.without(old, known))

    def ranked(self, labelled: np.ndarray) -> np.ndarray:
        """The scores [N, J], such that ``labelled`` (bool [N, J]) keypoints that could not be read (outside of the crop,
        no image) come behind the others, and reviewed ones last."""
        lowest, kind = self.scores.min(initial=0), self.suspects.kind
        scores = np.where(labelled & (kind == ""), lowest - 1, self.scores)
        return np.where(kind == REVIEWED, lowest - 2, scores)


def find_wrong_labels(reader: Reader, source: KeypointDataset, trusted: KeypointDataset) -> WrongLabels:
    """Read the labels of both data sets with the network, and judge those of the source.

    Args:
        reader: the network.
        source: labels in doubt; without augmentation.
        trusted: labels that are right; without augmentation.
    """
    readings = reader.read(source)
    skeleton = source.annotations.mapping.skeleton
    judgement = judge(readings, reader.read(trusted), skeleton, reader.seed)
    suspects = suspects_of(readings, judgement, source.annotations)
    counted = estimate(judgement, readings.labelled, suspects.kind)
    return WrongLabels(suspects, judgement.log_odds.astype(np.float64), counted)
