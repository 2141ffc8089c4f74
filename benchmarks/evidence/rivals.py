"""Other ways to find wrong labels, as recipes: functions (trial, {method: settings}) -> {method: Outcome}.

A rival that trains nothing reads the data alone: ``data = trial.data(settings)``, then
``{name: Outcome(ranking=Ranking(data, scores, flagged))}``.
"""

import numpy as np

from benchmarks.evidence.outcome import Outcome, Ranking, of_suspects, outcome
from benchmarks.evidence.packages import cleanlab_scores, sleap_scores
from benchmarks.evidence.ranking import (
    AGREEMENT,
    FAR,
    head_distances,
    judge_with,
    loss_floor,
    source_losses,
    standardised,
    without_largest,
)
from benchmarks.evidence.trace import gradient_trace
from benchmarks.evidence.trial import Trial
from lib.dataset.annotations import PADDING, Annotations
from lib.wrong_labels.estimate import THRESHOLD
from lib.wrong_labels.pose_model import PoseModel, name_permutations

RANKING_GAMMA = 1.0  # source and target weighted equally, so that source losses are meaningful
FOLDS = 3


def train_and_rank(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Train baseline1 or baseline2, and rank labels by what the network makes of them.

    target_distance, distance: how far its prediction is from the label.   target_loss, loss: the label's loss.
    judged: the detector of main.py, with this network.
    """
    done = trial.train(trial.mode, next(iter(wanted.values())))
    config, data, best = done.config, done.data, done.best
    outcomes = {name: outcome(done) for name in wanted}
    for name in wanted:
        if name.endswith("loss"):
            outcomes[name] = outcomes[name]._replace(ranking=Ranking(data, source_losses(config, data, best)))
        elif name == "judged":
            found, estimate = judge_with(config, data, best)
            flagged = found.suspects.probability > THRESHOLD
            outcomes[name] = outcomes[name]._replace(
                ranking=Ranking(data, found.scores, flagged),
                described=of_suspects(data, found.suspects, estimate),
            )
        elif name.endswith("distance"):
            distances = head_distances(config, data, best)
            found = Ranking(data, distances, distances > FAR)
            outcomes[name] = outcomes[name]._replace(ranking=found)
    return outcomes


def rank_at_gamma_1(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Rank labels in baseline2 with source and target weighted equally: by standardized loss, by gradient trace.

    If small_loss_retrained is wanted, train again without the labels of largest loss. The true number of wrong
    labels is given: as many are dropped.
    """
    first = next(iter(wanted.values()))
    ranked = trial.train("baseline2", first | {"LBI.GAMMA": RANKING_GAMMA})
    config, data, best = ranked.config, ranked.data, ranked.best
    labelled = data.source.annotations.visible > 0
    losses = standardised(source_losses(config, data, best), labelled, loss_floor(config))
    outcomes = {"small_loss": outcome(ranked)._replace(ranking=Ranking(data, losses))}
    if "trace" in wanted:
        harm = gradient_trace(config, data, best)
        outcomes["trace"] = outcome(ranked)._replace(ranking=Ranking(data, harm, harm > 0))
    if "small_loss_retrained" in wanted:
        wrong = data.source_truth.corrupted
        keep = without_largest(losses, labelled, int((wrong & labelled).sum()))
        done = trial.train("ours1", wanted["small_loss_retrained"], lambda data: keep)
        outcomes["small_loss_retrained"] = outcome(done, before=ranked)
    return outcomes


def train_confident(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Train on the target only, then with the source labels that agree with that model's predictions."""
    ((name, settings),) = wanted.items()
    alone = trial.train("baseline1", settings)
    keep = head_distances(alone.config, alone.data, alone.best) <= AGREEMENT
    done = trial.train("ours1", settings, lambda data: keep)
    return {name: outcome(done, before=alone)}


def rank_out_of_fold(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Rank labels by their distance to the predictions of a network that saw two thirds of the source's images.

    The images are dealt to three folds. For each, baseline2 is trained on the target and the other two.
    """
    ((name, settings),) = wanted.items()
    annotations = (data := trial.data(settings)).source.annotations
    images = np.unique(annotations.image_index, return_inverse=True)[1].ravel()
    fold_of_image = np.random.default_rng(trial.seed).permutation(images.max() + 1) % FOLDS
    fold = fold_of_image[images]
    distances, trainings = np.zeros(annotations.visible.shape), []
    for held_out in range(FOLDS):
        keep = np.repeat((fold != held_out)[:, None], distances.shape[1], axis=1)
        done = trial.train("ours1", settings, lambda data, keep=keep: keep)
        distances[~keep] = head_distances(done.config, done.data, done.best)[~keep]
        trainings.append(outcome(done))
    costs = {"seconds": sum(t.seconds for t in trainings), "steps": sum(t.steps for t in trainings)}
    return {name: Outcome(**costs, ranking=Ranking(data, distances, distances > FAR))}


def rank_by_cleanlab(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Rank labels by cleanlab's regression."""
    ((name, settings),) = wanted.items()
    data = trial.data(settings)
    scores, flagged = cleanlab_scores(data.source.annotations, trial.seed)
    return {name: Outcome(ranking=Ranking(data, scores, flagged))}


def rank_by_sleap(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Rank people by SLEAP's label quality control."""
    ((name, settings),) = wanted.items()
    data = trial.data(settings)
    scores, flagged = sleap_scores(data.source.annotations)
    return {name: Outcome(ranking=Ranking(data, scores, flagged))}


def rank_by_shape(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Rank labels by how they contradict the shape of their instance: a Gaussian of the target's poses, no picture.

    geometry: each label is right or wrong. permutations: the names may be permuted, too.
    """
    # With V in the training set, its target is all that is trusted, T and V.
    data = trial.data(next(iter(wanted.values())) | {"LBI.VAL_IN_TRAIN": True})
    source, trusted = data.source.annotations, data.target.annotations
    model = PoseModel.fit(trusted.joints, trusted.visible, boxes_of(trusted), trusted.mapping.flip_indices)
    judge = source.joints, source.visible, boxes_of(source)
    names = name_permutations(data.skeleton)
    outcomes = {}
    for name in wanted:
        permutations = names if name == "permutations" else names[:1]
        scores = model.explain(*judge, permutations).log_odds
        outcomes[name] = Outcome(ranking=Ranking(data, scores, scores > 0))
    return outcomes


def boxes_of(annotations: Annotations) -> np.ndarray:
    """[N, 3] middle and longer side of the boxes, for `PoseModel`."""
    longer = annotations.sizes.max(axis=1, keepdims=True) / PADDING
    return np.concatenate([annotations.centers, longer], axis=1)
