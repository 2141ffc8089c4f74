"""The order of keypoints: by score, and between equal scores by nothing that the file's order decides."""

import numpy as np
import pytest

from lib.ignoring.ranking import one_per_instance, ranked_keypoints, tie_keys


def test_the_highest_scores_come_first_and_others_are_left_out():
    scores = np.array([[0.1, 0.9], [0.5, 0.3]])
    ids, everywhere = np.array([3, 4]), np.ones((2, 2), bool)
    assert ranked_keypoints(scores, everywhere, ids).tolist() == [1, 2, 3, 0]
    assert ranked_keypoints(scores, np.array([[True, False], [True, True]]), ids).tolist() == [2, 3, 0]
    assert ranked_keypoints(scores, ~everywhere, ids).tolist() == []


def test_one_label_of_each_instance():
    order = np.array([5, 4, 0, 2, 1, 3])  # of three instances with two joints
    assert one_per_instance(order, 2, 9) == [(2, 1), (0, 0), (1, 0)]
    assert one_per_instance(order, 2, 2) == [(2, 1), (0, 0)]
    assert one_per_instance(order[:0], 2, 2) == []


def splitmix64(state):
    """The published generator in Python's integers: its first number from ``state``."""
    mask = 2**64 - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def test_the_hash_is_that_of_the_paper():
    assert splitmix64(0) == 0xE220A8397B1DCDAF  # the published first output of seed 0
    ids, joints = np.array([0, 7, -3, 2**62]), np.array([0, 1, 2, 16])
    expected = [
        splitmix64((splitmix64(i % 2**64) + j) % 2**64) for i, j in zip(ids.tolist(), joints.tolist())
    ]
    assert tie_keys(ids, joints).tolist() == expected


@pytest.mark.parametrize("order", ["as it is", "reversed", "shuffled"])
def test_the_ranking_does_not_follow_the_order_of_the_file(order):
    """A fifth of the labels is wrong, all in the first people of the file; scores are equal throughout.

    Precision at the top is that of chance, whatever the order, and the ranked labels are always the same ones.
    """
    count, joints, top = 500, 10, 1000
    ids, wrong = np.arange(count) + 1, np.zeros((count, joints), bool)
    wrong[: count // 5] = True
    rows = {
        "as it is": np.arange(count),
        "reversed": np.arange(count)[::-1],
        "shuffled": np.random.default_rng(0).permutation(count),
    }[order]
    scores = np.full((count, joints), 5.0)
    ranked = ranked_keypoints(scores, np.ones_like(wrong), ids[rows])[:top]
    precision = wrong[rows].ravel()[ranked].mean()
    # 0.2 within four standard deviations of a draw of 1,000 from 5,000 without replacement
    assert abs(precision - 0.2) < 4 * np.sqrt(0.2 * 0.8 / top * (1 - top / wrong.size))
    labels = [(int(ids[rows][k // joints]), int(k % joints)) for k in ranked]
    assert labels == [
        divmod_label(k, ids, joints) for k in ranked_keypoints(scores, np.ones_like(wrong), ids)[:top]
    ]


def divmod_label(position, ids, joints):
    return int(ids[position // joints]), int(position % joints)
