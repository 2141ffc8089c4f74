"""Two sets of people put one after the other."""

from dataclasses import replace

import numpy as np
import pytest

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import joint_mapping


def people(count, pictures, seed, bounds=True):
    rng = np.random.default_rng(seed)
    return Annotations(
        mapping=joint_mapping("mpii", ("left_knee", "head")),
        ids=rng.integers(0, 100, count),
        pictures=pictures,
        picture=rng.integers(0, len(pictures), count),
        joints=rng.random((count, 2, 2)),
        visible=rng.integers(0, 2, (count, 2)),
        centers=rng.random((count, 2)),
        sizes=rng.random((count, 2)),
        head_sizes=rng.random(count),
        bounds=rng.random((count, 2)) if bounds else None,
    )


@pytest.mark.parametrize("bounds", [True, False])
def test_joined_people_keep_their_pictures_and_all_else(bounds):
    first, second = (
        people(5, ("a.jpg", "b.jpg", "c.jpg"), 0, bounds),
        people(4, ("b.jpg", "d.jpg"), 1, bounds),
    )
    both = first.joined(second)
    assert len(both) == 9 and both.mapping == first.mapping
    for i in range(9):
        one, k = (first, i) if i < 5 else (second, i - 5)
        assert both.pictures[both.picture[i]] == one.pictures[one.picture[k]]
        for name in ("ids", "joints", "visible", "centers", "sizes", "head_sizes"):
            np.testing.assert_array_equal(getattr(both, name)[i], getattr(one, name)[k])
        if bounds:
            np.testing.assert_array_equal(both.bounds[i], one.bounds[k])
    assert both.image_ids is None and (both.bounds is None) == (not bounds)


def test_joined_leaves_both_sets_as_they_are():
    first, second = people(3, ("a.jpg",), 0), people(2, ("b.jpg",), 1)
    kept = replace(second, picture=second.picture.copy())
    first.joined(second)
    np.testing.assert_array_equal(second.picture, kept.picture)
    assert first.pictures == ("a.jpg",) and len(first) == 3
