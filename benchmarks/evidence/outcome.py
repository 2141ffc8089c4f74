"""What a method gives: scores of its network, how well it finds wrong labels, and what it costs."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.evidence.kinds import Described, described
from benchmarks.evidence.trial import Trained
from lib.ignoring.suspects import Suspects
from lib.ignoring.weight_table import WeightTable, read_weight_table
from lib.training.data import Data
from lib.wrong_labels.estimate import THRESHOLD
from lib.wrong_labels.metrics import Detection, detection

FIGURES = tuple(field.name for field in fields(Detection))
DESCRIPTIONS = tuple(field.name for field in fields(Described))
IGNORED = 0.5  # labels of a smaller weight count as wrong


@dataclass(frozen=True)
class Ranking:
    """A method's order of the source's labels.

    data: of the method, with the labels and, if it is known, their truth.
    scores: [N, J], higher is more suspect.
    flagged: [N, J] bool, the labels that the method itself calls wrong; None if it has no threshold.
    """

    data: Data
    scores: np.ndarray
    flagged: np.ndarray | None = None

    @property
    def detection(self) -> Detection:
        """How well the scores find the labels that are known to be wrong."""
        labelled = self.data.source.annotations.visible > 0
        truth = self.data.source_truth
        wrong = np.zeros(labelled.shape, bool) if truth is None else truth.corrupted
        return detection(self.scores, wrong, labelled, self.flagged)


class Outcome(NamedTuple):
    """The result of a method; None where it does not apply, as for a method that trains nothing.

    pckh, val: mean PCKh (on another ground its measure, see grounds.py) in percent on the test set and on V.
    mean_weight: of the source labels.
    seconds, steps: of all trainings that the method needs.
    ranking: its order of the labels; None if it does not look for wrong ones.
    described: how well it says what is wrong with them, and how many there are; None if it does not.
    output: folder of the training whose network counts.
    """

    pckh: float | None = None
    val: float | None = None
    mean_weight: float | None = None
    seconds: float = 0.0
    steps: int = 0
    ranking: Ranking | None = None
    described: Described | None = None
    output: Path | None = None

    def row(self) -> dict:
        """Its part of a row of the results: its numbers, with the figures of ranking and description."""
        large = ("ranking", "described", "output")
        plain = {name: value for name, value in self._asdict().items() if name not in large}
        figures = dict.fromkeys(FIGURES) if self.ranking is None else asdict(self.ranking.detection)
        more = {} if self.described is None else asdict(self.described)
        return plain | figures | more


def outcome(done: Trained, before: Trained | None = None) -> Outcome:
    """The outcome of a training; the cost includes that of the training ``before`` it.

    With two sets of weights, those in the target's loss (B) count, which results.json has first.
    """
    results = [trained.results for trained in (done, before) if trained is not None]
    weights = next(iter(done.results["weights"].values()), {})
    table = _table(done, weights["file"]) if weights else None
    judgement = weights.get("wrong_labels")
    return Outcome(
        pckh=done.accuracy("test"),
        val=done.accuracy("val"),
        mean_weight=weights.get("mean"),
        seconds=sum(result["seconds_per_step"] * result["steps"] for result in results),
        steps=sum(result["steps"] for result in results),
        ranking=None if table is None else Ranking(done.data, table.scores, flagged_in(table)),
        described=table and judgement and of_suspects(done.data, table.suspects, judgement),
        output=Path(done.results["output"]),
    )


def of_weights(done: Trained) -> Ranking:
    """The labels by their weights alone."""
    table = _table(done, next(iter(done.results["weights"].values()))["file"])
    return Ranking(done.data, -table.weights, table.weights < IGNORED)


def of_suspects(data: Data, suspects: Suspects, estimate: dict) -> Described:
    """How well the flagged ``suspects`` are described."""
    return described(data, suspects, suspects.probability > THRESHOLD, estimate)


def flagged_in(table: WeightTable) -> np.ndarray:
    """[N, J] bool, the labels that a run calls wrong."""
    if table.suspects is None:
        return table.weights < IGNORED
    return table.suspects.probability > THRESHOLD


def _table(done: Trained, file: str) -> WeightTable:
    path = (Path(done.results["output"]) / file).with_suffix(".npz")
    return read_weight_table(path, done.data.source.annotations)
