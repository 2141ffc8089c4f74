import numpy as np
import torch

from lib.wrong_labels.regression import fit_regression


def rings(seed, count=600):
    """Kind 1 inside of a circle, 2 to the right of it, else 0: no line tells them apart."""
    rows = np.random.default_rng(seed).uniform(-2, 2, (count, 2)).astype(np.float32)
    kinds = np.where(np.linalg.norm(rows, axis=1) < 1, 1, np.where(rows[:, 0] > 1, 2, 0))
    return rows, kinds


def test_kinds_are_learned_and_probabilities_add_up():
    predict = fit_regression(*rings(0), count=4, seed=0)
    rows, kinds = rings(1)
    found = predict(rows.reshape(20, 30, 2)).reshape(-1, 4)
    assert (found.argmax(axis=1) == kinds).mean() > 0.9
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found[:, 3].max() < 0.05  # a kind without an example


def test_what_cannot_be_told_gets_its_share():
    rng = np.random.default_rng(0)
    rows, kinds = rng.normal(size=(3000, 2)).astype(np.float32), (rng.random(3000) < 0.2).astype(int)
    found = fit_regression(rows, kinds, 2, 0)(rows)[:, 1]
    assert abs(found.mean() - kinds.mean()) < 0.01 and found.std() < 0.06


def test_the_seed_decides_and_the_global_state_does_not_change():
    torch.manual_seed(5)
    before, rows = torch.get_rng_state(), rings(1)[0]
    with torch.no_grad():  # as at the end of a run
        first, again, other = (fit_regression(*rings(0), 3, seed)(rows) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert (first == again).all() and not (first == other).all()
