"""Figures of a ranking of suspect labels, against counting and worked examples."""

from dataclasses import astuple

import numpy as np
import pytest

from lib.wrong_labels.metrics import auroc, auroc_within, average_precision, detection


def by_pairs(scores, wrong):
    pairs = [(c, w) for c in scores[~wrong] for w in scores[wrong]]
    return np.mean([(c < w) + 0.5 * (c == w) for c, w in pairs])


def test_auroc_equals_counting_pairs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, wrong = rng.integers(0, 6, 40) / 5, rng.random(40) < 0.3
        assert auroc(scores, wrong) == pytest.approx(by_pairs(scores, wrong))


def test_auroc_of_a_worked_example_with_ties():
    # Correct labels 0.5, 0.5, 0.1 against wrong ones 0.5, 0.9: of 6 pairs 4 are won and 2 are ties.
    scores, wrong = np.array([0.5, 0.5, 0.5, 0.1, 0.9]), np.array([0, 1, 0, 0, 1], bool)
    assert auroc(scores, wrong) == 5 / 6


def test_auroc_of_perfect_reversed_and_one_sided_scores():
    wrong = np.array([True, False, False])
    assert auroc(np.array([0.9, 0.5, 0.1]), wrong) == 1
    assert auroc(np.array([0.1, 0.5, 0.9]), wrong) == 0
    assert np.isnan(auroc(np.array([0.9, 0.5]), np.array([False, False])))


def test_average_precision_equals_counting_at_every_threshold():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, wrong = rng.integers(0, 9, 40) / 8, rng.random(40) < 0.3
        total, before = 0.0, 0.0
        for threshold in sorted(set(scores), reverse=True):
            flagged = [bool(w) for w, value in zip(wrong, scores) if value >= threshold]
            recall = sum(flagged) / wrong.sum()
            total, before = total + (recall - before) * sum(flagged) / len(flagged), recall
        assert average_precision(scores, wrong) == pytest.approx(total)


def test_average_precision_of_worked_examples():
    wrong = np.array([True, False, True, False])
    assert average_precision(np.array([0.4, 0.3, 0.2, 0.1]), wrong) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([0.9, 0.2, 0.9, 0.1]), wrong) == 1
    assert average_precision(np.full(4, 0.5), wrong) == 0.5  # the share of wrong labels, whatever the order
    assert np.isnan(average_precision(np.array([0.9, 0.5]), np.array([False, False])))


def test_knowing_which_joints_are_wrong_is_worth_nothing_within_joints():
    # Three of four labels of the first joint are wrong, one of the second; the score tells only the joint.
    wrong = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], bool)
    scores, labelled = np.tile([0.75, 0.25], (4, 1)), np.ones((4, 2), bool)
    assert auroc(scores.ravel(), wrong.ravel()) == 0.75
    assert auroc_within(scores, wrong, labelled) == 0.5
    # A joint without wrong labels has no AUROC; the label without a score of its own does not count.
    labelled[3, 1] = False
    scores[:, 0] = [3, 2, 1, 0]
    assert auroc_within(scores, wrong, labelled) == 1
    assert np.isnan(auroc_within(scores, np.zeros((4, 2), bool), labelled))


def test_figures_at_the_threshold_count_labelled_keypoints_only():
    wrong = np.array([[1, 0], [1, 0], [0, 1]], bool)
    labelled = np.array([[1, 1], [1, 1], [1, 0]], bool)
    flagged = np.array([[1, 0], [0, 1], [0, 1]], bool)
    found = detection(flagged, wrong, labelled, flagged)
    assert (found.precision, found.recall, found.flagged) == (0.5, 0.5, 0.4)
    assert found.precision_100 == 0.4  # all five
    none = detection(np.zeros((3, 2)), wrong, labelled, np.zeros((3, 2), bool))
    assert (none.precision, none.recall, none.flagged) == (None, 0, 0)
    assert detection(flagged, wrong, labelled).precision is None


def test_the_first_hundred_of_equal_scores_are_a_sample_of_all():
    wrong = np.zeros((1000, 2), bool)
    wrong[:500] = True  # as if the first people of the file were the wrong ones
    labelled, scores = np.ones((1000, 2), bool), np.zeros((1000, 2))
    assert 0.35 < detection(scores, wrong, labelled).precision_100 < 0.65
    scores[500:550] = 1
    assert detection(scores, wrong, labelled).precision_100 == 0


def test_without_wrong_labels_only_what_is_flagged_is_known():
    labelled, wrong = np.ones((4, 2), bool), np.zeros((4, 2), bool)
    flagged = np.eye(4, 2, dtype=bool)
    assert astuple(detection(flagged, wrong, labelled, flagged)) == (None, None, None, 0, 0, None, 0.25)
