"""Injected label noise, against loops over the keypoints."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.label_noise.corruptions import NOISE_KINDS
from lib.label_noise.injection import changed_labels, inject
from lib.label_noise.truth import Truth
from lib.utils.errors import InputError
from tests.factories.noisy_labels import HEIGHT, WIDTH, annotations_with_gaps

KINDS = sorted(set(NOISE_KINDS) - {"convention"})


@pytest.fixture(scope="module")
def annotations(tmp_path_factory):
    return annotations_with_gaps(tmp_path_factory.mktemp("coco"))


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_changed_labels_are_corrupted_and_clean_joints_stay(annotations, kind):
    before = annotations.joints.copy(), annotations.visible.copy()
    noisy, truth = inject(annotations, f"{kind}:0.7" if kind != "none" else kind, seed=2)
    assert np.array_equal(annotations.joints, before[0]) and np.array_equal(annotations.visible, before[1])
    assert noisy.joints.dtype == annotations.joints.dtype and noisy.visible.dtype == annotations.visible.dtype
    assert truth.corrupted.any() == (kind != "none")
    for i, j in np.ndindex(*annotations.visible.shape):
        had, has = annotations.visible[i, j], noisy.visible[i, j]
        moved = tuple(noisy.joints[i, j]) != tuple(annotations.joints[i, j])
        assert truth.corrupted[i, j] == (had != has or bool(had and moved))
        if had:
            assert tuple(truth.clean_joints[i, j]) == tuple(annotations.joints[i, j])
            assert has or kind == "missing"
        else:
            assert np.isnan(truth.clean_joints[i, j]).all()
            assert not has or kind == "visibility"
        if has and moved:
            assert 0 <= noisy.joints[i, j, 0] <= WIDTH - 1 and 0 <= noisy.joints[i, j, 1] <= HEIGHT - 1
    for name in ("ids", "image_paths", "image_index", "centers", "sizes", "image_ids"):
        assert getattr(noisy, name) is getattr(annotations, name)


def test_the_seed_alone_decides(annotations):
    (a, truth_a), (b, truth_b), (c, _) = (inject(annotations, "mixed:0.5+missing:0.1", s) for s in (1, 1, 2))
    assert np.array_equal(a.joints, b.joints) and np.array_equal(a.visible, b.visible)
    assert np.array_equal(truth_a.corrupted, truth_b.corrupted)
    assert not np.array_equal(a.joints, c.joints)


def test_a_seed_means_the_same_labels_in_every_version(annotations):
    """The generator's second word is 7919; its first numbers decide which labels are missing."""
    noisy, _ = inject(annotations, "missing:0.4", seed=5)
    removed = np.random.default_rng([5, 7919]).random(annotations.visible.shape) < 0.4
    np.testing.assert_array_equal(noisy.visible > 0, (annotations.visible > 0) & ~removed)


def test_the_share_is_that_of_the_labels(annotations):
    _, truth = inject(annotations, "jitter:0.4", 0)
    labelled = annotations.visible > 0
    assert not truth.corrupted[~labelled].any()
    share, deviation = truth.corrupted[labelled].mean(), math.sqrt(0.4 * 0.6 / labelled.sum())
    assert abs(share - 0.4) < 4 * deviation


def test_displacements_are_in_units_of_the_box(annotations):
    """The longer side, without the padding of the crop: 30 pixels for every coco_person."""
    for noise, low, high in (("jitter:1", 0.2, 0.5), ("offset:1", 0.13 * 2**0.5, 0.13 * 2**0.5)):
        noisy, truth = inject(annotations, noise, 0)
        inside = ((noisy.joints > 0) & (noisy.joints < [WIDTH - 1, HEIGHT - 1])).all(axis=2)
        distance = np.linalg.norm(noisy.joints - annotations.joints, axis=2)[truth.corrupted & inside] / 30
        assert len(distance) > 100
        assert low - 1e-4 <= distance.min() < low + 0.01 and high - 0.01 < distance.max() <= high + 1e-4


def test_half_a_pair_is_not_swapped(annotations):
    noisy, truth = inject(annotations, "person_swap:1", 0)
    for i, j in np.ndindex(*annotations.visible.shape):
        side, _, part = SHARED_KEYPOINTS[j].partition("_")
        counterpart = {"left": f"right_{part}", "right": f"left_{part}"}.get(side)
        other = SHARED_KEYPOINTS.index(counterpart) if counterpart else j
        both = annotations.visible[i, j] and annotations.visible[i, other]
        expected = annotations.joints[i, other if both else j]
        assert not annotations.visible[i, j] or tuple(noisy.joints[i, j]) == tuple(expected)
        assert truth.corrupted[i, j] == bool(both and other != j)


def test_two_swaps_undo_each_other(annotations):
    noisy, truth = inject(annotations, "person_swap:1+person_swap:1", 0)
    assert not truth.corrupted.any() and not changed_labels(annotations, noisy).any()


def test_labels_that_were_corrupted_before_stay_so_unless_noise_corrects_them(annotations):
    """The labels on disk are already swapped for every second person, and the truth says so."""
    swapped, known = inject(annotations, "person_swap:1", 0)
    odd = np.arange(len(annotations)) % 2 == 1
    joints = np.where(odd[:, None, None], swapped.joints, annotations.joints)
    on_disk = replace(annotations, joints=joints)
    truth = Truth(known.clean_joints, known.corrupted & odd[:, None])

    noisy, after = inject(on_disk, "person_swap:1", 0, truth)
    np.testing.assert_array_equal(after.clean_joints, known.clean_joints)
    np.testing.assert_array_equal(after.corrupted, known.corrupted & ~odd[:, None])
    noisy, after = inject(on_disk, "none", 0, truth)
    np.testing.assert_array_equal(after.corrupted, truth.corrupted)
    noisy, after = inject(on_disk, "jitter:0.5", 0, truth)
    np.testing.assert_array_equal(after.corrupted, truth.corrupted | changed_labels(on_disk, noisy))


def test_labels_that_noise_leaves_alone_are_as_corrupted_as_the_truth_says(annotations):
    """A truth file may have other digits than the labels, and call them right all the same."""
    known = np.where(annotations.visible[..., None] > 0, annotations.joints, np.nan)
    truth = Truth(known + 0.25, np.zeros(annotations.visible.shape, bool))
    noisy, after = inject(annotations, "jitter:0.5", 0, truth)
    np.testing.assert_array_equal(after.corrupted, changed_labels(annotations, noisy))


def test_labels_that_noise_puts_right_are_compared_in_single_precision(annotations):
    """The truth file has digits that float32 lacks."""
    wrong, known = inject(annotations, "person_swap:1", 0)
    digits = known.clean_joints.astype(np.float64) + 1e-9
    assert (digits.astype(np.float32)[np.isfinite(digits)] != digits[np.isfinite(digits)]).any()
    _, after = inject(wrong, "person_swap:1", 0, Truth(digits, known.corrupted))
    assert known.corrupted.any() and not after.corrupted.any()


@pytest.mark.parametrize(
    ("noise", "says"),
    [("jiter:0.5", "'jiter'.*'jitter'"), ("jitter:0.5+", "kind ''"), ("convention:0.5", "convention")],
)
def test_noise_that_cannot_be_injected(annotations, noise, says):
    with pytest.raises(InputError, match=says):
        inject(annotations, noise, 0)
