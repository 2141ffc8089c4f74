import numpy as np

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.report.markup import join
from lib.report.suspects import suspects_overview
from lib.wrong_labels.estimate import Estimate
from tests.factories.reports import JOINTS, Page, learned_weights
from tests.factories.suspects import suspects_of

KNEE, WRIST = SHARED_KEYPOINTS.index("left_knee"), SHARED_KEYPOINTS.index("left_wrist")
ESTIMATE = Estimate(labels=26, wrong=2.2, low=1.0, high=4.0, flagged=2, precision=0.95, kinds={"moved": 2})


def overview(**arrays):
    """Of two instances: one knee exchanged, one wrist moved, the other wrist without a label."""
    probability = np.full((2, JOINTS), 0.01)
    probability[0, KNEE], probability[1, WRIST], probability[0, WRIST] = 1.0, 0.9, 0.0
    kind = np.where(probability > 0.5, "moved", "right").astype("<U16")
    kind[0, KNEE], kind[0, WRIST] = "exchanged", "missing"
    visible = np.ones((2, JOINTS), int)
    visible[0, WRIST] = 0
    suspects = suspects_of(probability, kind=kind)
    learned = learned_weights(np.ones((2, JOINTS)), visible=visible, suspects=suspects, **arrays)
    return Page(join(suspects_overview(learned)))


def test_the_estimate_in_words():
    assert (
        "About 2 of 26 labels are wrong (8.5 %; between 1 and 4). 2 are flagged"
        in overview(estimate=ESTIMATE).text
    )
    assert "About" not in overview().text


def test_kinds_are_counted_by_joint_the_most_doubtful_first():
    texts = overview().texts
    start = texts.index("joint")
    width = 7
    rows = [texts[k : k + width] for k in range(start, len(texts), width)]
    assert rows[0] == ["joint", "labels", "wrong, estimated", "flagged", "exchanged", "moved", "missing"]
    assert rows[1] == ["left knee", "2", "1 (50.5\u00a0%)", "1", "1", "0", "0"]
    assert rows[2] == ["left wrist", "1", "1 (90.0\u00a0%)", "1", "0", "1", "1"]
    assert rows[-1] == ["all joints", "25", f"2 ({100 * 2.13 / 25:.1f}\u00a0%)", "2", "1", "1", "1"]
    assert len(rows) == JOINTS + 2


def test_labels_that_were_not_judged_have_none():
    assert suspects_overview(learned_weights(np.ones((2, JOINTS)))) == []
