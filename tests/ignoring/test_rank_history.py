import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from lib.ignoring.rank_history import RankHistory, rank_correlation
from lib.ignoring.variables import PersistentWeights

SHAPE = torch.Size([40, 3])


def variables(logits, seen=1):
    made = PersistentWeights(SHAPE[0], (0, 2, 1), lr=1.0)
    made.logits.copy_(torch.as_tensor(logits))
    made.seen.copy_(torch.as_tensor(seen))
    return made


@pytest.fixture
def epochs():
    """Logits at the end of three epochs."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=SHAPE)
    return [first, first + 0.3 * rng.normal(size=SHAPE), first + 0.5 * rng.normal(size=SHAPE)]


def test_every_epoch_is_compared_with_the_one_before(epochs):
    history = RankHistory()
    for number, logits in enumerate(epochs, 1):
        history.add(variables(logits, number))
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(epochs, epochs[1:])]
    assert history.correlations == pytest.approx(expected, abs=2e-3)  # of float16


def test_labels_count_from_their_first_visit_on(epochs):
    seen = np.arange(120).reshape(SHAPE) % 2
    history = RankHistory()
    history.add(variables(epochs[0], seen))
    history.add(variables(epochs[1], seen + 1))
    both = seen == 1
    assert history.correlations == pytest.approx(
        [spearmanr(epochs[0][both], epochs[1][both]).statistic], abs=2e-3
    )


def test_saturated_weights_have_an_order():
    """In float32 the weights of such logits are close to each other, in the table's digits equal."""
    logits = np.linspace(5, 6, 120).reshape(SHAPE)
    history = RankHistory()
    for number, values in enumerate((logits, logits[::-1].copy()), 1):
        history.add(variables(values, number))
    expected = spearmanr(logits.ravel(), logits[::-1].ravel()).statistic
    assert history.correlations == pytest.approx([expected], abs=1e-2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("before, now", [([1.0], [2.0]), ([np.inf, 1], [1, 2]), ([1, 1], [1, 2]), ([], [])])
def test_where_no_correlation_is_defined_it_is_nan(before, now):
    assert math.isnan(rank_correlation(np.array(before, float), np.array(now, float)))


def test_a_history_goes_on_from_its_state(epochs):
    whole, first, second = RankHistory(), RankHistory(), RankHistory()
    for number, logits in enumerate(epochs, 1):
        whole.add(variables(logits, number))
    for number, logits in enumerate(epochs[:2], 1):
        first.add(variables(logits, number))
    second.load_state_dict(first.state_dict(), SHAPE)
    second.add(variables(epochs[2], 3))
    assert second.correlations == whole.correlations and len(whole.correlations) == 2


def test_checkpoints_of_earlier_versions_start_it_anew(epochs):
    history = RankHistory()
    history.load_state_dict({}, SHAPE)
    for number, logits in enumerate(epochs[:2], 1):
        history.add(variables(logits, number))
    assert len(history.correlations) == 1


def test_an_epoch_without_a_visit_does_not_count(epochs):
    history = RankHistory()
    for logits, seen in zip(epochs, (0, 3, 3)):
        history.add(variables(logits, seen))
    assert history.correlations == []
    history.add(variables(epochs[2], 4))
    assert len(history.correlations) == 1


@pytest.mark.parametrize(
    "damage, message",
    [
        ({"last": torch.zeros(3, 3, dtype=torch.float16)}, "scores of"),
        ({"last": torch.zeros(SHAPE)}, "scores of"),
        ({"correlations": ["x"]}, "not numbers"),
    ],
)
def test_what_does_not_fit_is_refused(damage, message):
    with pytest.raises(ValueError, match=message):
        RankHistory().load_state_dict(RankHistory().state_dict() | damage, SHAPE)
