"""What a method gives: scores of its network, how well it finds wrong labels, and what it costs."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.evidence.trial import Trained
from lib.ignoring.weight_table import read_weight_table
from lib.training.data import Data
from lib.wrong_labels.metrics import Detection, detection

FIGURES = tuple(field.name for field in fields(Detection))
IGNORED = 0.5  # labels of a smaller weight count as wrong


class Outcome(NamedTuple):
    """The result of a method; None where it does not apply, as for a method that trains nothing.

    pckh, val: mean PCKh (on another ground its measure, see grounds.py) in percent on the test set and on V.
    mean_weight: of the source labels.
    seconds, steps: of all trainings that the method needs.
    detection: how well it finds wrong labels; None if it does not look for any.
    """

    pckh: float | None = None
    val: float | None = None
    mean_weight: float | None = None
    seconds: float = 0.0
    steps: int = 0
    detection: Detection | None = None

    def row(self) -> dict:
        """Its part of a row of the results: the fields, with the figures of ``detection`` in its place."""
        figures = dict.fromkeys(FIGURES) if self.detection is None else asdict(self.detection)
        return {name: value for name, value in self._asdict().items() if name != "detection"} | figures


def outcome(done: Trained, before: Trained | None = None) -> Outcome:
    """The outcome of a training; the cost includes that of the training ``before`` it.

    With two sets of weights, those in the target's loss (B) count, which results.json has first.
    """
    results = [trained.results for trained in (done, before) if trained is not None]
    weights = next(iter(done.results["weights"].values()), {})
    return Outcome(
        pckh=done.accuracy("test"),
        val=done.accuracy("val"),
        mean_weight=weights.get("mean"),
        seconds=sum(result["seconds_per_step"] * result["steps"] for result in results),
        steps=sum(result["steps"] for result in results),
        detection=of_weights(done, weights["file"]) if weights else None,
    )


def of_weights(done: Trained, file: str) -> Detection:
    """How well the weights in ``file`` find the wrong labels."""
    table = read_weight_table((Path(done.results["output"]) / file).with_suffix(".npz"), done.data.source.annotations)  # fmt: skip
    return judged(done.data, table.scores, table.weights < IGNORED)


def judged(data: Data, scores: np.ndarray, flagged: np.ndarray | None = None) -> Detection:
    """How well ``scores`` find the wrong labels of the source.

    Args:
        scores: [N, J], higher is more suspect.
        flagged: [N, J] bool, the labels that the method itself calls wrong; None if it has no threshold.
    """
    labelled = data.source.annotations.visible > 0
    truth = data.source_truth
    wrong = np.zeros(labelled.shape, bool) if truth is None else truth.corrupted
    return detection(scores, wrong, labelled, flagged)
