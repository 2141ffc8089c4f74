"""The model of labels on people with planted mistakes, seen by a network whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest

from lib.dataset.skeleton import Skeleton
from lib.wrong_labels import label_model
from lib.wrong_labels.label_model import FAILURES, LabelModel
from lib.wrong_labels.renamings import Kind, Renamings
from tests.factories.readings import (
    EXCHANGES,
    PEOPLE,
    Seen,
    exchanged,
    joint,
    make_readings,
    people,
    planted,
    trusted,
    unread,
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
RENAMINGS = Renamings.of(PEOPLE)
SHARES = {"exchanged": 0.1, "limb sides": 0.08, "person sides": 0.06, "moved": 0.1}


@pytest.fixture(scope="module")
def mixed():
    case, kinds = planted(400, SHARES)
    model = LabelModel.fit(case.readings, RENAMINGS)
    return case, kinds, model, model.explain(case.readings)


def test_probabilities_are_some(mixed):
    case, _, model, found = mixed
    shape = case.wrong.shape
    assert found.kinds.shape == (*shape, 5) and found.posterior.shape == (shape[0], 64)
    for array in (found.kinds, found.posterior):
        assert (array >= 0).all() and (array <= 1 + 1e-5).all()
    np.testing.assert_allclose(found.kinds.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(found.posterior.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(
        [model.near.sum(axis=1).mean(), model.moved.sum(), model.shares.sum()], 1, atol=1e-6
    )


def test_each_mistake_is_found_with_its_kind_and_right_labels_are_not(mixed):
    _, kinds, _, found = mixed
    told = np.array([kind.text for kind in Kind])[found.kinds.argmax(axis=-1)]
    for kind in SHARES:
        assert (told[kinds == kind] == kind).mean() > 0.95, kind
    assert (told[kinds == "right"] == "right").mean() > 0.99


def test_the_permutation_of_each_renamed_person_is_found(mixed):
    _, kinds, _, found = mixed
    for kind, pairs in EXCHANGES.items():
        row = RENAMINGS.permutations.tolist().index(exchanged(len(PEOPLE.names), *pairs).tolist())
        concerned = (kinds == kind).any(axis=1)
        assert (found.posterior[concerned].argmax(axis=1) == row).mean() > 0.95, kind


def test_shares_are_recovered(mixed):
    _, kinds, model, _ = mixed
    for kind, pairs in EXCHANGES.items():
        row = RENAMINGS.permutations.tolist().index(exchanged(len(PEOPLE.names), *pairs).tolist())
        assert model.shares[row] == pytest.approx(SHARES[kind], abs=0.02)
    assert model.shares[0] == pytest.approx(0.76, abs=0.03)
    assert model.moved_share == pytest.approx((kinds == "moved").mean(), abs=0.02)


def test_a_common_displacement_is_learned():
    rng = np.random.default_rng(0)
    truth = people(300, rng)
    moved = rng.random(truth.shape[:2]) < 0.3
    labels = truth + moved[..., None] * [4.0, -3.0]
    model = LabelModel.fit(make_readings(labels, Seen.of(truth, rng)), RENAMINGS)
    assert np.unravel_index(model.moved.argmax(), model.moved.shape) == (
        label_model.REACH - 3,
        label_model.REACH + 4,
    )
    assert model.moved_density(np.array([4.0, -3.0])) > 20 * model.moved_density(np.array([-4.0, 3.0]))
    assert model.moved_density(np.array([1e9, -1e9])) > 0


def test_nearer_is_never_less_likely(mixed):
    density = mixed[2].near / label_model.AREAS
    assert (np.diff(density, axis=1) <= 1e-12).all()


def with_flips(count, share, seed, belief=0.77):
    """Right labels of people, of whom the network takes a ``share`` for turned round.

    belief: of its predictions, one for all or [count].
    """
    rng = np.random.default_rng(seed)
    truth = people(count, rng)
    seen = Seen.of(truth, rng)
    flipped = np.arange(count) < round(share * count)
    places = seen.places.copy()
    places[flipped] = places[flipped][:, list(PEOPLE.flip_indices)]
    beliefs = np.broadcast_to(np.reshape(belief, (-1, 1)), seen.belief.shape)
    return make_readings(truth, replace(seen, places=places, belief=beliefs))


def wrong_in_all(model, readings):
    credible = model.credible(model.explain(readings).kinds[readings.labelled])
    np.testing.assert_allclose(credible.sum(axis=-1), 1, atol=1e-5)
    return credible[:, 1:].sum(axis=1)


def test_what_the_network_also_contradicts_in_trusted_labels_is_its_own_failure():
    source = with_flips(400, 0.05, 0)
    model = LabelModel.fit(source, RENAMINGS)
    assert (wrong_in_all(model, source) > 0.4).mean() > 0.03  # it cannot know better
    model = model.trusting(with_flips(200, 0.05, 1), source)
    assert model.failures[Kind.PERSON_SIDES] == pytest.approx(0.05 * 12 / len(PEOPLE.names), abs=0.01)
    assert wrong_in_all(model, source).max() < 0.3


def test_trusted_labels_count_as_the_network_believes_those_of_the_source():
    # Of the trusted people that the network finds hard, 30, it takes 40 % for turned round, of the easy ones nobody.
    hard = np.arange(200) < 30
    known = with_flips(200, 0.06, 1, np.where(hard, 0.5, 0.9))
    sides = 12 / len(PEOPLE.names)
    for belief, expected in ((0.5, 0.4 * sides), (np.where(np.arange(400) < 200, 0.5, 0.9), 0.2 * sides)):
        source = with_flips(400, 0, 0, belief)
        model = replace(LabelModel.fit(source, RENAMINGS), failures=np.zeros(5)).trusting(known, source)
        assert model.failures[Kind.PERSON_SIDES] == pytest.approx(expected, abs=0.02)


def test_failures_concern_right_labels_only(mixed):
    wrong, failures = np.array([0.1, 0.05, 0.2, 0.25]), np.array([0, 0.01, 0.02, 0.1, 0.06])
    found = wrong + failures[1:] * (1 - wrong.sum())
    model = replace(mixed[2], failures=failures)
    np.testing.assert_allclose(model.beyond(np.r_[1 - found.sum(), found]), wrong)
    np.testing.assert_allclose(model.beyond(np.r_[1, 0, 0, 0, 0]), 0)


def test_few_contradictions_are_failures_without_any_proof():
    source = with_flips(400, 0.015, 0)
    model = LabelModel.fit(source, RENAMINGS).trusting(trusted(), source)
    assert model.failures[Kind.PERSON_SIDES] >= FAILURES[Kind.PERSON_SIDES] * 0.9
    assert wrong_in_all(model, source).max() < 0.3


def test_failures_grow_with_disbelief():
    half = LabelModel.fit(with_flips(50, 0, 0, belief=0.54), RENAMINGS).failures
    np.testing.assert_allclose(half, 4 * FAILURES, rtol=1e-4)  # twice the disbelief
    assert LabelModel.fit(with_flips(50, 0, 0, belief=1.0), RENAMINGS).failures.max() < 1e-6


def test_trusted_labels_that_the_network_agrees_with_change_nothing(mixed):
    case, _, model, _ = mixed
    np.testing.assert_allclose(model.trusting(trusted(), case.readings).failures, model.failures, atol=0.003)
    assert model.trusting(unread(trusted(5)), case.readings) is model


def test_instances_are_explained_in_chunks_as_at_once(mixed, monkeypatch):
    case, _, model, whole = mixed
    monkeypatch.setattr(label_model, "CHUNK", 37)
    for part, all_at_once in zip(vars(model.explain(case.readings)).values(), vars(whole).values()):
        np.testing.assert_allclose(part, all_at_once, atol=1e-6)


def test_a_part_of_many_instances_is_enough_to_learn_from(mixed, monkeypatch):
    case, _, model, _ = mixed
    monkeypatch.setattr(label_model, "FITTED", 150)
    part = LabelModel.fit(case.readings, RENAMINGS)
    assert part.moved_share == pytest.approx(model.moved_share, abs=0.03)
    assert not np.array_equal(part.near, model.near)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("names", [("a",), ("left_eye", "right_eye"), ("tip", "middle", "base")])
def test_few_instances_and_joints(count, names):
    rng = np.random.default_rng(0)
    renamings = Renamings.of(Skeleton.of(names))
    truth = rng.uniform(2, 14, (count, len(names), 2))
    readings = make_readings(truth, Seen.of(truth, rng))
    for source in (readings, unread(readings)):
        model = LabelModel.fit(source, renamings).trusting(source, source)
        found = model.explain(source)
        assert found.kinds.shape == (count, len(names), 5) and np.isfinite(found.kinds).all()
        assert np.isfinite(model.credible(found.kinds[source.labelled])).all()


def test_labels_that_are_not_there_have_no_say():
    case, kinds = planted(300, SHARES)
    hidden = np.random.default_rng(5).random(case.wrong.shape) < 0.3
    hidden[:, joint("left_hip")] = True  # a joint that nobody has labelled
    labels = np.where(hidden[..., None], -40.0, case.readings.labels)
    results = []
    for place in (labels, np.where(hidden[..., None], 1e9, labels)):
        readings = replace(case.readings, labels=place.astype(np.float32), labelled=~hidden)
        found = LabelModel.fit(readings, RENAMINGS).explain(readings)
        results.append(found.kinds[~hidden])
    np.testing.assert_allclose(*results, atol=1e-6)
    told = np.array([kind.text for kind in Kind])[results[0].argmax(axis=-1)]
    assert (told == kinds[~hidden]).mean() > 0.97
