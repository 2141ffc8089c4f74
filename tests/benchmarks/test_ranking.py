"""Rankings of labels without ignoring variables, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.evidence.ranking import AGREEMENT, in_heads, standardised, without_largest
from lib.wrong_labels.metrics import auroc


def test_labels_of_large_loss_for_their_joint_are_told():
    # The second joint is ten times as hard; the last person's labels are wrong, one label is missing.
    losses = np.array([[1.0, 10.0], [1.1, 11.0], [0.9, 0.0], [2.0, 20.0]])
    labelled = np.array([[1, 1], [1, 1], [1, 0], [1, 1]], bool)
    scores = standardised(losses, labelled, 0.0)
    assert scores[labelled[:, 0], 0].mean() == pytest.approx(0) and scores[:, 0].std() == pytest.approx(1)
    assert scores[[0, 1, 3], 1].std() == pytest.approx(1)
    wrong = np.zeros((4, 2), bool)
    wrong[3] = True
    assert auroc(scores[labelled], wrong[labelled]) == 1 > auroc(losses[labelled], wrong[labelled])
    assert (without_largest(scores, labelled, 2) == ~wrong).all()
    assert without_largest(scores, labelled, 0).all()


def test_predictions_within_half_a_head_of_the_label_agree():
    # Boxes of 100 and 200 pixels, padded by a quarter: heads of 12.5 and 25 pixels.
    people = SimpleNamespace(joints=np.zeros((2, 2, 2)), sizes=np.array([[125.0, 90.0], [60.0, 250.0]]))
    predicted = np.array([[[6.2, 0], [0, 6.3]], [[12.4, 0], [9, 9]]])
    assert (in_heads(predicted, people) <= AGREEMENT).tolist() == [[True, False], [True, False]]
