"""How each method is run on a trial: functions (trial, {method: settings}) -> {method: Outcome}."""

from typing import NamedTuple

import numpy as np

from benchmarks.evidence.ranking import (
    agreeing,
    loss_floor,
    source_losses,
    standardised,
    without_largest,
)
from benchmarks.evidence.trial import Trained, Trial
from lib.ignoring.weight_table import auroc, average_precision

RANKING_GAMMA = 1.0  # source and target weighted equally, so that source losses are meaningful
RETRAIN_BELOW = 0.5  # unless LBI.RETRAIN is given


class Outcome(NamedTuple):
    """The result of a method.

    pckh, val: mean PCKh in percent on the test set and on V.
    auroc, ap: how well the weights (for small_loss: the losses) find wrong labels: area under the ROC curve,
        average precision.
    mean_weight: of the source labels.
    seconds, steps: of all trainings that the method needs.
    """

    pckh: float
    val: float
    auroc: float | None
    ap: float | None
    mean_weight: float | None
    seconds: float
    steps: int


def train_mode(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Train in a mode; if its retrained variant is wanted, too, it follows in the same run."""
    settings = next(iter(wanted.values()))
    retrained = f"{trial.mode}_retrained"
    if retrained in wanted:
        settings = {"LBI.RETRAIN": RETRAIN_BELOW} | settings
    done = trial.train(trial.mode, settings)
    outcomes = {trial.mode: outcome(done)}
    if retrained in wanted:
        again = Trained(done.results["retrained"], done.config, done.data)
        outcomes[retrained] = outcome(again, before=done)
    return outcomes


def train_oracle(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Train without the wrong labels, which are known."""
    ((name, settings),) = wanted.items()
    done = trial.train(trial.mode, settings, lambda data: ~data.source_truth.corrupted)
    return {name: outcome(done)._replace(auroc=None, ap=None)}  # nothing is detected


def train_small_loss(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Rank labels by their loss in baseline2; if wanted, train again without those of largest loss.

    The true number of wrong labels is given: as many are dropped.
    """
    first = next(iter(wanted.values()))
    ranked = trial.train("baseline2", first | {"LBI.GAMMA": RANKING_GAMMA})
    labelled = ranked.data.source.annotations.visible > 0
    losses = source_losses(ranked.config, ranked.data, ranked.best)
    scores = standardised(losses, labelled, loss_floor(ranked.config))
    wrong = ranked.data.source_truth.corrupted
    separation = [_known(rank(-scores[labelled], wrong[labelled])) for rank in (auroc, average_precision)]
    outcomes = {"small_loss": outcome(ranked)._replace(auroc=separation[0], ap=separation[1])}
    if "small_loss_retrained" in wanted:
        keep = without_largest(scores, labelled, int((wrong & labelled).sum()))
        done = trial.train("ours1", wanted["small_loss_retrained"], lambda data: keep)
        outcomes["small_loss_retrained"] = outcome(done, before=ranked)
    return outcomes


def train_confident(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Train on the target only, then with the source labels that agree with that model's predictions."""
    ((name, settings),) = wanted.items()
    alone = trial.train("baseline1", settings)
    keep = agreeing(alone.config, alone.data, alone.best)
    done = trial.train("ours1", settings, lambda data: keep)
    return {name: outcome(done, before=alone)}


def outcome(done: Trained, before: Trained | None = None) -> Outcome:
    """The outcome of a training; the cost includes that of the training ``before`` it.

    With two sets of weights, those in the target's loss (B) count, which results.json has first.
    """
    results = [trained.results for trained in (done, before) if trained is not None]
    weights = next(iter(done.results["weights"].values()), {})
    return Outcome(
        pckh=done.accuracy("test"),
        val=done.accuracy("val"),
        auroc=weights.get("auroc"),
        ap=weights.get("average_precision"),
        mean_weight=weights.get("mean"),
        seconds=sum(result["seconds_per_step"] * result["steps"] for result in results),
        steps=sum(result["steps"] for result in results),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
