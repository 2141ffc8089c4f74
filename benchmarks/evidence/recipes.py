"""What each method does, on one trial: (trial, {method: settings}) -> {method: Outcome}."""

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
from lib.ignoring.weight_table import auroc

RANKING_GAMMA = 1.0  # the source as strong as the target, for a loss that has seen enough of the source
RETRAIN_BELOW = 0.5  # where LBI.RETRAIN doesn't say


class Outcome(NamedTuple):
    """pckh and val: mean PCKh in percent on the test set and on V.   auroc: how well the weights (for
    small_loss: the losses) tell wrong labels.   mean_weight: of the source's labels.   seconds and steps:
    of every training that the method needs."""

    pckh: float
    val: float
    auroc: float | None
    mean_weight: float | None
    seconds: float
    steps: int


def train_mode(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """A mode as it is, and with the retraining that follows it in the same run where that is asked for."""
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
    """The wrong labels are told and left out."""
    ((name, settings),) = wanted.items()
    done = trial.train(trial.mode, settings, lambda data: ~data.source_truth.corrupted)
    return {name: outcome(done)._replace(auroc=None)}  # nothing was found


def train_small_loss(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """baseline2 tells wrong labels by their loss; then, where asked for, again without the worst.

    How many to leave out is told: as many as are wrong.
    """
    first = next(iter(wanted.values()))
    ranked = trial.train("baseline2", first | {"LBI.GAMMA": RANKING_GAMMA})
    labelled = ranked.data.source.annotations.visible > 0
    losses = source_losses(ranked.config, ranked.data, ranked.best)
    scores = standardised(losses, labelled, loss_floor(ranked.config))
    wrong = ranked.data.source_truth.corrupted
    told = _known(auroc(-scores[labelled], wrong[labelled]))
    outcomes = {"small_loss": outcome(ranked)._replace(auroc=told)}
    if "small_loss_retrained" in wanted:
        kept = without_largest(scores, labelled, int((wrong & labelled).sum()))
        done = trial.train("ours1", wanted["small_loss_retrained"], lambda data: kept)
        outcomes["small_loss_retrained"] = outcome(done, before=ranked)
    return outcomes


def train_confident(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """The target alone is trained on; of the source, what agrees with that model's predictions is kept."""
    ((name, settings),) = wanted.items()
    alone = trial.train("baseline1", settings)
    kept = agreeing(alone.config, alone.data, alone.best)
    done = trial.train("ours1", settings, lambda data: kept)
    return {name: outcome(done, before=alone)}


def outcome(done: Trained, before: Trained | None = None) -> Outcome:
    """The numbers of a training, its cost with that of the training ``before`` it.

    Of two sets of weights, those of the target's own loss (B) are taken: results.json has them first.
    """
    results = [one.results for one in (done, before) if one is not None]
    weights = next(iter(done.results["weights"].values()), {})
    return Outcome(
        pckh=done.results["test"]["PCKh"]["Mean"],
        val=done.results["val"]["PCKh"]["Mean"],
        auroc=weights.get("auroc"),
        mean_weight=weights.get("mean"),
        seconds=sum(one["seconds_per_step"] * one["steps"] for one in results),
        steps=sum(one["steps"] for one in results),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
