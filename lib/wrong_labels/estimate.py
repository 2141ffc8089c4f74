"""How many labels are wrong, with an interval, and how many of the flagged ones."""

from dataclasses import dataclass

import numpy as np

from lib.ignoring.suspects import THRESHOLD, Suspects, count_kinds, in_words
from lib.wrong_labels.judge import Judgement

LEVEL = 1.96  # standard errors: a 95 % interval
DOUBT = (0.5, 2.0)  # factors of the network's failures that are assumed, at the ends of the interval


@dataclass(frozen=True)
class Estimate:
    """Estimated without knowing any truth.

    labels: number of labels.
    wrong, low, high: how many of them are wrong, and the ends of its interval.
    flagged: labels whose probability of being wrong is above THRESHOLD.
    precision: how many of these are wrong, a share; NaN if nothing is flagged.
    kinds: {kind: number} of the flagged labels.
    """

    labels: int
    wrong: float
    low: float
    high: float
    flagged: int
    precision: float
    kinds: dict[str, int]

    def without(self, suspects: Suspects, known: np.ndarray) -> "Estimate":
        """The estimate for the other labels, if some of the ``suspects`` are ``known`` (bool [N, J]) to be right."""
        judged = suspects.judged
        expected = float(suspects.probability[judged & known].sum())
        flagged = judged & ~known & (suspects.probability > THRESHOLD)
        return Estimate(
            labels=self.labels - int((judged & known).sum()),
            wrong=max(0.0, self.wrong - expected),
            low=max(0.0, self.low - expected),
            high=max(0.0, self.high - expected),
            flagged=int(flagged.sum()),
            precision=float(suspects.probability[flagged].mean()) if flagged.any() else float("nan"),
            kinds=count_kinds(suspects.kind[flagged]),
        )

    def lines(self) -> list[str]:
        """For people."""
        share = 100 / max(self.labels, 1)
        text = [
            f"about {self.wrong:.0f} of {self.labels} labels are wrong ({share * self.wrong:.1f} %; between "
            f"{self.low:.0f} and {self.high:.0f})"
        ]
        if self.flagged:
            share = f"about {100 * self.precision:.0f} %"
            text.append(f"{self.flagged} are flagged, of which {share} are wrong: {in_words(self.kinds)}")
        else:
            text.append("no label is flagged: hardly any is wrong, or the network cannot tell which")
        return text


def estimate(judgement: Judgement, labelled: np.ndarray, kind: np.ndarray) -> Estimate:
    """Count wrong labels from their probabilities.

    The interval covers how instances happened to be sampled, and how often the network fails by itself, which is
    an assumption: half to twice as often.

    Args:
        judgement: of the N instances.
        labelled: [N, J] bool.
        kind: str [N, J], see `Suspects`.
    """
    probability = np.where(labelled, judgement.probability, 0)
    per_instance = probability.sum(axis=1)
    wrong = float(per_instance.sum())
    sampling = LEVEL * float(per_instance.std()) * len(per_instance) ** 0.5 if len(per_instance) else 0.0
    ends = [_with_failures(judgement, labelled, factor) for factor in DOUBT]
    flagged = labelled & (probability > THRESHOLD)
    total = int(labelled.sum())
    return Estimate(
        labels=total,
        wrong=wrong,
        low=max(0.0, wrong - float(np.hypot(sampling, max(wrong - min(ends), 0)))),
        high=min(float(total), wrong + float(np.hypot(sampling, max(max(ends) - wrong, 0)))),
        flagged=int(flagged.sum()),
        precision=float(probability[flagged].mean()) if flagged.any() else float("nan"),
        kinds=count_kinds(kind[flagged]),
    )


def _with_failures(judgement: Judgement, labelled: np.ndarray, factor: float) -> float:
    """The number of wrong labels if the network failed ``factor`` times as often as assumed."""
    found = judgement.explanation.kinds[labelled]
    if not len(found):
        return 0.0
    return float(judgement.model.beyond(found.mean(axis=0), factor).sum() * len(found))
