"""Labels moved on purpose, as public tools for label quality see them."""

import numpy as np
import pytest

from benchmarks.evidence.packages import cleanlab_scores, sleap_scores
from lib.wrong_labels.metrics import detection
from tests.factories.annotations import make_annotations

pytestmark = pytest.mark.interop
PEOPLE = 300


@pytest.fixture
def moved():
    """Faces that are shifted as a whole, and which labels [N, J] are moved far; the last label is missing."""
    rng = np.random.default_rng(0)
    annotations = make_annotations(PEOPLE, image_index=np.arange(PEOPLE, dtype=np.int32)[::-1] // 2)
    annotations.joints[:] += rng.normal(0, 3, (PEOPLE, 1, 2)) + rng.normal(0, 0.2, annotations.joints.shape)
    wrong = np.zeros(annotations.visible.shape, bool)
    wrong[:20, 0] = True
    annotations.joints[wrong] += (30, -30)
    annotations.visible[-1, 2] = 0
    return annotations, wrong


def test_cleanlab_finds_moved_labels(moved):
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    annotations, wrong = moved
    scores, flagged = cleanlab_scores(annotations, seed=0)
    found = detection(scores, wrong, annotations.visible > 0, flagged)
    assert found.auroc > 0.99 and found.precision == 1 and found.recall > 0  # its threshold is a careful one
    assert scores[-1, 2] == 0 and not flagged[-1, 2]


def test_sleap_gives_its_score_to_the_labels_of_the_instance(moved):
    pytest.importorskip("sleap", reason="sleap is not installed")
    annotations, wrong = moved
    scores, flagged = sleap_scores(annotations)
    assert (scores == scores[:, :1]).all() and (flagged == flagged[:, :1]).all()
    assert scores[:20].min() > np.median(scores[20:])
