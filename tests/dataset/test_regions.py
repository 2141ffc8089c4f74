"""Regions against the crops that the augmentation really draws."""

import itertools

import numpy as np
import pytest

from lib.dataset.crop import crop_matrix, matrix_for_reduced, source_box
from lib.dataset.keypoint_dataset import Augmentation
from lib.dataset.regions import Range, areas, clip, crop_regions, joined
from tests.factories.annotations import make_annotations

INPUT = (48, 64)


def people(count=40, seed=0):
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(2, 500, (count, 1)) * (1, INPUT[1] / INPUT[0])
    return make_annotations(
        count,
        centers=rng.uniform(-50, 700, (count, 2)).astype(np.float32),
        sizes=sizes.astype(np.float32),
    )


@pytest.mark.parametrize("rotation", [0.0, 20.0, 40.0, 200.0])
@pytest.mark.parametrize("reduce", [1, 4])
def test_a_region_holds_all_crops_and_hardly_more(rotation, reduce):
    annotations, change = people(), Augmentation(True, rotation, 0.3)
    regions = crop_regions(annotations, change.range, np.full(len(annotations), reduce))
    bound = min(2 * rotation, 180.0)
    for index, region in enumerate(regions):
        boxes = []
        for angle, mirror in itertools.product(np.linspace(-bound, bound, 181), (False, True)):
            size = annotations.sizes[index] * (1 + change.scale)
            matrix = crop_matrix(annotations.centers[index], size, INPUT, angle, mirror)
            boxes.append(source_box(matrix_for_reduced(matrix, reduce), INPUT))
        boxes = np.array(boxes)
        assert (region[:2] <= boxes[:, :2].min(axis=0)).all()
        assert (region[2:] >= boxes[:, 2:].max(axis=0)).all()
        # At most the margins and what lies between two of the angles more.
        assert np.abs(region - [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]).max() <= 4


def test_what_the_augmentation_draws_is_in_its_range():
    change = Augmentation(True, 40.0, 0.3)
    drawn = np.array([change.draw(np.random.default_rng(k)) for k in range(2000)])
    assert drawn[:, 0].min() == pytest.approx(change.range.smallest) == 0.7
    assert drawn[:, 0].max() == pytest.approx(change.range.largest) == 1.3
    assert np.abs(drawn[:, 1]).max() == change.range.rotation == 80.0
    assert Augmentation(False, 0.0, 0.0).range == Range()


def test_clip_and_areas():
    regions = np.array([[-3, -4, 5, 6], [2, 3, 90, 90], [50, 50, 60, 60], [-9, 0, -1, 9]])
    expected = [[0, 0, 5, 6], [2, 3, 20, 10], [20, 10, 20, 10], [0, 0, 0, 9]]
    assert clip(regions, (20, 10)).tolist() == expected
    assert clip(regions, np.tile([20, 10], (4, 1))).tolist() == expected
    assert areas(clip(regions, (20, 10))).tolist() == [30, 126, 0, 0]


def test_regions_are_joined_only_where_that_saves_pixels():
    apart = np.array([[0, 0, 10, 10], [30, 30, 40, 40]])
    assert joined(apart).tolist() == apart.tolist()
    assert joined(np.array([[0, 0, 10, 10], [2, 0, 12, 10]])).tolist() == [[0, 0, 12, 10]]
    assert joined(np.array([[0, 0, 10, 10], [2, 2, 5, 5], [2, 2, 5, 5]])).tolist() == [[0, 0, 10, 10]]
    assert joined(np.empty((0, 4), int)).shape == (0, 4)
    rng = np.random.default_rng(1)
    for _ in range(50):
        corners = rng.integers(0, 60, (rng.integers(1, 9), 2))
        regions = np.concatenate([corners, corners + rng.integers(1, 40, corners.shape)], axis=1)
        kept = joined(regions)
        assert areas(kept).sum() <= areas(np.unique(regions, axis=0)).sum()
        for region in regions:
            assert any((region[:2] >= box[:2]).all() and (region[2:] <= box[2:]).all() for box in kept)
