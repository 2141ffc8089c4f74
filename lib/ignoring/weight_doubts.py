"""When ignoring weights say nothing about the labels: the rules, for the log, results.json, the report and the doctor.

A doubt is a message for the user. The bounds lie outside of what runs with right settings end with on the built-in
people (docs/evidence.md): mean weights of 0.36 to 0.93, and 0.09 for the original's variables, whose weights are
near chance.
"""

from dataclasses import dataclass

import numpy as np

from lib.dataset.annotations import Annotations

LOWEST_MEAN, HIGHEST_MEAN = 0.2, 0.98  # of the weights of all labels
LEAST_SPREAD = 0.05  # between the 5th and the 95th percentile of the weights
LEAST_INSTANCES = 20  # trusted ones
LEAST_LABELS = 5  # of a joint in the trusted instances
LEAST_AGREEMENT = (
    0.53  # see `Agreement`; runs along random directions: 0.49 to 0.50, other runs: 0.55 to 0.65
)
LEAST_PAIRS = 500  # for a share of agreeing signs that is known to some hundredths


@dataclass(frozen=True)
class Agreement:
    """How often two successive hypergradients of a keypoint have the same sign.

    They do in half of the pairs if the validation gradient is noise, whatever the weights are.

    pairs: successive hypergradients of the same keypoint, neither of them zero.
    same: those of the same sign.
    """

    same: int
    pairs: int

    @property
    def share(self) -> float:
        """Share of the pairs with the same sign; NaN without a pair."""
        return self.same / self.pairs if self.pairs else float("nan")


def doubts_about_variables(variables: str) -> list[str]:
    """The doubts about LBI.VARIABLES, known before training."""
    if variables != "online":
        return []
    return [
        "LBI.VARIABLES online, as in the original: weights are made anew for every batch, and their means over "
        "visits, which the table has, do not rank the labels; loss_aware (the default) does"
    ]


def doubts_about_trusted(trusted: Annotations) -> list[str]:
    """The doubts about the instances whose loss the weights minimize: V, or T and V. Known before training."""
    labels = dict(zip(trusted.mapping.names, (trusted.visible > 0).sum(axis=0).tolist()))
    few = [f"{name} ({count})" for name, count in labels.items() if count < LEAST_LABELS]
    if len(trusted) < LEAST_INSTANCES:
        return [
            f"the weights are learned from {len(trusted)} trusted instances, fewer than {LEAST_INSTANCES}: they "
            "depend on chance; LBI.META_DATA target learns from T as well as V, or label more of the target"
        ]
    if few:
        return [
            f"joints with fewer than {LEAST_LABELS} labels in the trusted instances: {', '.join(few)}: "
            "their source labels cannot be told right from wrong; LBI.META_DATA target, or label more"
        ]
    return []


def doubts_about_weights(weights: np.ndarray) -> list[str]:
    """The doubts that learned weights [K] of the labelled keypoints raise by themselves."""
    if not weights.size:
        return []
    mean, (low, high) = float(weights.mean()), np.percentile(weights, [5, 95])
    if mean < LOWEST_MEAN:
        return [
            f"mean weight {mean:.2f}: nearly all of the source is ignored, right labels too; "
            "do source and target mean the same joints, and are LBI's settings the defaults?"
        ]
    if mean > HIGHEST_MEAN:
        return [f"mean weight {mean:.2f}: nearly nothing is ignored; the lowest weights may be right labels"]
    if high - low < LEAST_SPREAD:
        return [
            f"nine of ten weights lie between {low:.2f} and {high:.2f}: they do not tell labels apart; "
            "train longer, or with more of the target for validation"
        ]
    return []


def doubts_about_direction(agreement: Agreement, labels: int) -> list[str]:
    """The doubts about the direction of the hypergradients of a run with ``labels`` labelled keypoints."""
    if agreement.pairs < labels:
        return [
            f"{agreement.pairs} times a label was judged again, for {labels} labels: the weights had no time to be "
            "learned; more steps, a larger TRAIN.SRC_BATCH_SIZE, or LBI.HYPERGRAD_INTERVAL 1"
        ]
    if agreement.pairs >= LEAST_PAIRS and agreement.share < LEAST_AGREEMENT:
        return [
            f"successive hypergradients of a keypoint have the same sign in {100 * agreement.share:.0f} % of the "
            "cases, and half is chance: the validation gradient is noise; use a larger LBI.VAL_BATCH_SIZE, more "
            "validation data (LBI.META_DATA target), or LBI.HYPERGRAD_THROUGH sgd"
        ]
    return []
