"""The judgement of labels whose mistakes are known: order, probabilities, kinds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.dataset.skeleton import Skeleton
from lib.wrong_labels.judge import judge, with_mean
from lib.wrong_labels.metrics import auroc, average_precision
from lib.wrong_labels.renamings import Kind
from tests.factories.readings import (
    FAILING,
    PEOPLE,
    SURE,
    Seen,
    joint,
    make_readings,
    planted,
    trusted,
    unread,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
# Shares of wrong labels of 0, about 5, 15 and 55 %.
NOISES = {
    0: {},
    5: {"exchanged": 0.05, "limb sides": 0.02, "person sides": 0.02, "moved": 0.02},
    15: {"exchanged": 0.1, "limb sides": 0.06, "person sides": 0.05, "moved": 0.07},
    55: {"exchanged": 0.25, "limb sides": 0.2, "person sides": 0.25, "moved": 0.3},
}

QUICK = [5, 15, pytest.param(55, marks=pytest.mark.slow)]


class Judged(dict):
    """{percent: (case, kind of each label, judgement)}, each made when it is asked for."""

    def __init__(self, network, count):
        super().__init__()
        self.network, self.count = network, count

    def __missing__(self, percent):
        case, kinds = planted(self.count, NOISES[percent], seed=percent, **self.network)
        self[percent] = case, kinds, judge(case.readings, trusted(**self.network), PEOPLE, seed=0)
        return self[percent]


@pytest.fixture(scope="module")
def judged():
    return Judged(SURE, 300)


@pytest.fixture(scope="module")
def judged_with_failures():
    return Judged(FAILING, 350)


@pytest.mark.parametrize("percent", NOISES)
def test_the_shares_are_as_named(percent):
    case, _ = planted(200, NOISES[percent], seed=percent, **SURE)
    assert case.wrong.mean() == pytest.approx(percent / 100, abs=0.02)


@pytest.mark.parametrize("percent", QUICK)
def test_wrong_labels_come_first(judged, percent):
    case, _, judgement = judged[percent]
    scores = judgement.log_odds.ravel()
    assert auroc(scores, case.wrong.ravel()) > 0.98
    assert average_precision(scores, case.wrong.ravel()) > 0.95


@pytest.mark.parametrize("percent", QUICK)
def test_probabilities_are_shares(judged, percent):
    case, _, judgement = judged[percent]
    p, wrong = judgement.probability, case.wrong
    assert p.mean() == pytest.approx(wrong.mean(), abs=0.05)
    flagged = p > 0.5
    # The network could have failed but did not, which nobody can know.
    assert 0 <= wrong[flagged].mean() - p[flagged].mean() < 0.1
    assert wrong[flagged].mean() > 0.99 and flagged[wrong].mean() > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("percent", [5, 15, 55])
def test_probabilities_are_shares_where_the_network_fails_as_assumed(judged_with_failures, percent):
    case, _, judgement = judged_with_failures[percent]
    p, wrong = judgement.probability, case.wrong
    assert p.mean() == pytest.approx(wrong.mean(), abs=0.06)
    flagged = p > 0.5
    # Few mistakes and the network's failures are told apart least well: what is said of them is cautious.
    tolerance, precision, recall = {5: (0.25, 0.5, 0.2), 15: (0.1, 0.7, 0.85), 55: (0.1, 0.87, 0.85)}[percent]
    assert p[flagged].mean() == pytest.approx(wrong[flagged].mean(), abs=tolerance)
    assert wrong[flagged].mean() > precision and flagged[wrong].mean() > recall
    assert auroc(judgement.log_odds.ravel(), wrong.ravel()) > 0.95


@pytest.mark.parametrize("network", ["judged", pytest.param("judged_with_failures", marks=pytest.mark.slow)])
def test_hardly_any_label_is_wrong_where_none_is(network, request):
    _, _, judgement = request.getfixturevalue(network)[0]
    assert judgement.probability.mean() < 0.01
    assert (judgement.probability > 0.5).mean() < 0.002


@pytest.mark.parametrize("percent", QUICK[1:])
def test_kinds_are_told_and_add_up(judged, percent):
    case, kinds, judgement = judged[percent]
    np.testing.assert_allclose(judgement.kinds.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(judgement.kinds[..., 1:].sum(axis=-1), judgement.probability, atol=1e-5)
    told = np.array([kind.text for kind in Kind])[judgement.kinds[..., 1:].argmax(axis=-1) + 1]
    for kind in NOISES[percent]:
        found = (kinds == kind) & (judgement.probability > 0.5)
        assert (told[found] == kind).mean() > 0.95, kind


def test_people_whom_the_network_turns_round_are_not_accused():
    """Right labels; the network takes 3 % of the people for others' backs, those of the target as well."""

    def flipped(readings):
        places, rows = readings.predicted.astype(float), np.arange(len(readings)) % 33 == 0
        places[rows] = places[rows][:, list(PEOPLE.flip_indices)]
        return make_readings(readings.labels, Seen(places, readings.height.astype(float)))

    source, known = flipped(planted(200, {}, seed=1)[0].readings), flipped(trusted(200))
    judgement = judge(source, known, PEOPLE, seed=0)
    assert (judgement.probability > 0.5).mean() < 0.002
    assert judgement.probability.mean() < 0.02


def test_the_seed_decides_and_the_global_state_does_not_change():
    case, _ = planted(40, NOISES[15])
    torch.manual_seed(1), np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, again, other = (judge(case.readings, trusted(40), PEOPLE, seed) for seed in (0, 0, 1))
    assert (first.log_odds == again.log_odds).all() and not (first.log_odds == other.log_odds).all()
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()


def test_labels_that_are_not_there_are_judged_nothing_and_change_nothing():
    case, _ = planted(80, NOISES[15])
    labelled = np.random.default_rng(3).random(case.wrong.shape) < 0.7
    labelled[:, joint("left_hip")] = False  # a joint without labels
    labelled[5] = False  # an instance without labels
    results = []
    for absent in (-40.0, 1e9):
        labels = np.where(labelled[..., None], case.readings.labels, np.float32(absent))
        readings = replace(case.readings, labels=labels, labelled=labelled)
        results.append(judge(readings, trusted(40), PEOPLE, seed=0))
    first, second = results
    assert not first.probability[~labelled].any() and not first.log_odds[~labelled].any()
    np.testing.assert_allclose(first.probability, second.probability, atol=1e-4)
    assert auroc(first.log_odds[labelled], case.wrong[labelled]) > 0.95


@pytest.mark.parametrize("count", [0, 1, 9])
@pytest.mark.parametrize(
    "names", [("a",), ("left_eye", "right_eye"), ("tip", "middle", "base"), PEOPLE.names]
)
def test_few_instances_and_joints(count, names):
    rng = np.random.default_rng(0)
    skeleton = Skeleton.of(names)
    truth = rng.uniform(2, 14, (count, len(names), 2))
    readings = make_readings(truth, Seen.of(truth, rng))
    for source, known in ((readings, readings), (readings, unread(readings)), (unread(readings), readings)):
        judgement = judge(source, known, skeleton, seed=0)
        for array in (judgement.log_odds, judgement.probability, judgement.kinds):
            assert array.shape[:2] == truth.shape[:2] and np.isfinite(array).all()
        assert ((judgement.probability >= 0) & (judgement.probability <= 1)).all()
        assert not judgement.probability[~source.labelled].any()


@pytest.mark.parametrize("height", [0.0, 0.01])
def test_a_network_that_sees_nothing_accuses_hardly_anybody(height):
    """Heatmaps of zeros, as after too few steps: all predictions are in the corner."""
    case, _ = planted(60, {})
    nothing = Seen(np.zeros((60, len(PEOPLE.names), 2)), np.full(case.wrong.shape, height))
    judgement = judge(make_readings(case.truth, nothing), make_readings(case.truth, nothing), PEOPLE, seed=0)
    assert (judgement.probability > 0.5).mean() < 0.02  # some shapes are unlike all others


def test_the_mean_of_the_probabilities_is_as_asked_in_the_same_order():
    logits = np.random.default_rng(0).normal(0, 3, (50, 4))
    labelled = np.random.default_rng(1).random((50, 4)) < 0.6
    for total in (0.5, 20, labelled.sum() - 1):
        p = with_mean(logits, labelled, total)
        assert p[labelled].sum() == pytest.approx(total, rel=1e-6)
        assert (np.argsort(p.ravel()) == np.argsort(logits.ravel())).all()
    assert with_mean(logits, labelled, 0)[labelled].max() < 1e-6
    assert with_mean(logits, np.zeros_like(labelled), 0).shape == (50, 4)
