"""How suspect every label is, of which kind it would be, and how many are wrong: the label model and known mistakes."""

from dataclasses import dataclass, replace

import numpy as np

from lib.dataset.skeleton import Skeleton
from lib.utils.device import one_thread
from lib.wrong_labels.features import Features, log_odds, statistics
from lib.wrong_labels.label_model import CHUNK, Explanation, LabelModel
from lib.wrong_labels.readings import Readings
from lib.wrong_labels.regression import fit_regression
from lib.wrong_labels.renamings import MODELLED, Kind, Renamings
from lib.wrong_labels.shape import Shapes
from lib.wrong_labels.simulated_mistakes import Rates, with_mistakes

REPEATS = 5  # sets of mistakes to learn from
CERTAIN = 0.8  # labels that are wrong with more probability serve neither as right nor as wrong ones
# Of the log odds: of the regression alone, and of the sum of both, which are partly the same evidence.
SLOPE_ALONE, SLOPE_TOGETHER = 1.0, 0.75
SMALLEST = 1e-4  # probability in log odds
MOST_OFTEN = 0.6  # rate of simulated mistakes of a kind


@dataclass(frozen=True)
class Judgement:
    """What is held of N instances with J joints; undefined where there is no label.

    log_odds: [N, J] of the label being wrong, on no absolute scale: the order of the suspects.
    probability: [N, J] of being wrong.
    kinds: [N, J, MODELLED] probability of each kind; their sum without RIGHT is ``probability``.
    model, explanation: of the label model.
    """

    log_odds: np.ndarray
    probability: np.ndarray
    kinds: np.ndarray
    model: LabelModel
    explanation: Explanation


def judge(
    source: Readings, trusted: Readings, skeleton: Skeleton, seed: int, shapes: Shapes | None = None
) -> Judgement:
    """Judge every label of the source.

    There are two opinions: that of a regression which learns how mistakes look from mistakes made in labels that
    the label model holds to be right, and that of the label model. The latter counts the more, the more labels are
    wrong: where few are, most labels that it doubts are right ones of hard instances; where many are, few labels
    are left to learn from.

    Args:
        source, trusted: readings of the labels in doubt, and of some that are right; there may be none of these.
        skeleton: of the joints.
        seed: of the simulated mistakes.
        shapes: of instances; by default those of the trusted ones.
    """
    with one_thread():
        return _judge(source, trusted, Renamings.of(skeleton), seed, shapes)


def _judge(
    source: Readings, trusted: Readings, renamings: Renamings, seed: int, shapes: Shapes | None
) -> Judgement:
    labelled = source.labelled
    shapes = shapes or Shapes.of(trusted, renamings)
    source = shapes.seen_in(source)
    model = LabelModel.fit(source, renamings).trusting(shapes.seen_in(trusted), source)
    found = model.explain(source)
    credible = np.where(labelled[..., None], found.kinds, 0.0)
    credible[labelled] = model.credible(found.kinds[labelled])
    first = np.where(labelled, 1 - credible[..., Kind.RIGHT], 0)
    second, kinds = _learned(_Held(source, model, found, first), shapes, seed)
    wrong = first[labelled].sum()
    weight = min(1.0, (2 * wrong / max(labelled.sum(), 1)) ** 2)
    total = log_odds(second, SMALLEST) + weight * log_odds(first, SMALLEST)
    slope = SLOPE_ALONE + weight * (SLOPE_TOGETHER - SLOPE_ALONE)
    # The sum tells the order; how many are wrong in all is what the label model says.
    probability = np.where(labelled, with_mean(slope * total, labelled, wrong), 0)
    kinds = (credible + kinds)[..., 1:] + 1e-9
    kinds *= (probability / kinds.sum(axis=-1))[..., None]
    kinds = np.concatenate([1 - probability[..., None], kinds], axis=-1)
    return Judgement(np.where(labelled, total, 0), probability, kinds, model, found)


def with_mean(logits: np.ndarray, labelled: np.ndarray, total: float) -> np.ndarray:
    """sigmoid(logits + c) with c such that its sum over the ``labelled`` is ``total``."""
    low, high = -30.0, 30.0
    values = logits[labelled]
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _sigmoid(values + middle).sum() > total else (middle, high)
    return _sigmoid(logits + low)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))


@dataclass(frozen=True)
class _Held:
    """What the label model holds of the ``source``.   wrong: [N, J] probability that a label is wrong."""

    source: Readings
    model: LabelModel
    found: Explanation
    wrong: np.ndarray


def _learned(held: _Held, shapes: Shapes, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The regression's opinion: probability [N, J] of being wrong, and of each kind [N, J, MODELLED]."""
    source, wrong = held.source, held.wrong
    own = statistics(source, held.model, held.found)
    scaled = Features.of(own, source.labelled)
    rows, kinds = _examples(held, shapes, scaled, np.random.default_rng(seed))
    if len(np.unique(kinds)) < 2:  # nothing could be made wrong
        return wrong, np.zeros((*wrong.shape, MODELLED))
    predict = fit_regression(rows, kinds, MODELLED, seed)
    result = np.zeros((*wrong.shape, MODELLED))
    for start in range(0, len(source), CHUNK):
        part = slice(start, start + CHUNK)
        matrix = scaled.matrix({name: values[part] for name, values in own.items()}, source.labelled[part])
        result[part] = predict(matrix)
    return 1 - result[..., Kind.RIGHT], result


def _examples(
    held: _Held, shapes: Shapes, scaled: Features, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Features [K, F] and kinds [K] of labels held to be right, some of which have been made wrong.

    The instances are those whose heatmaps were kept; mistakes are made as often and as far as the label model has
    found them.
    """
    source, model, chosen = held.source, held.model, held.source.instances
    part = replace(source.of(chosen), instances=np.arange(len(chosen)), maps=source.maps)
    wrong, rates = held.wrong[chosen], _rates(model)
    features, kinds = [], []
    for _ in range(REPEATS):
        # Labels are taken as wrong as often as they are probably wrong; those of one instance together.
        draw = rng.random((len(chosen), 1))
        right = part.labelled & (draw >= wrong) & (wrong < CERTAIN)
        changed, kind = with_mistakes(replace(part, labelled=right), model.renamings, model.moved, rates, rng)
        changed = shapes.seen_in(changed)
        values = statistics(changed, model, model.explain(changed))
        features.append(scaled.matrix(values, changed.labelled)[changed.labelled])
        kinds.append(kind[changed.labelled])
    return np.concatenate(features), np.concatenate(kinds)


def _rates(model: LabelModel) -> Rates:
    """At least the usual rates, and those that the label model has found."""
    usual = Rates()
    renamings, shares = model.renamings, model.shares

    def rate(kind: Kind, least: float) -> float:
        of_kind = renamings.kinds == kind
        concerned = of_kind.any(axis=0)
        found = (shares[:, None] * of_kind).sum(axis=0)[concerned]
        return min(max(least, float(found.mean()) if found.size else 0.0), MOST_OFTEN)

    return Rates(
        exchanged=rate(Kind.EXCHANGED, usual.exchanged),
        limb_sides=rate(Kind.LIMB_SIDES, usual.limb_sides),
        person_sides=rate(Kind.PERSON_SIDES, usual.person_sides),
        moved=min(max(usual.moved, model.moved_share), MOST_OFTEN),
    )
