"""What the shape of instances says about their labels."""

from dataclasses import replace

import numpy as np
import pytest

from lib.wrong_labels.metrics import auroc
from lib.wrong_labels.readings import GRID
from lib.wrong_labels.renamings import Renamings
from lib.wrong_labels.shape import FEWEST, MOST_ODDS, Shapes
from tests.factories.readings import EXCHANGES, PEOPLE, exchanged, planted, trusted

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
RENAMINGS = Renamings.of(PEOPLE)


def test_exchanged_joints_are_seen_in_the_shape():
    case, kinds = planted(60, {"exchanged": 0.2})
    found = Shapes.of(trusted(), RENAMINGS).seen_in(case.readings)
    assert auroc(found.shape_odds.ravel(), case.wrong.ravel()) > 0.95
    assert np.abs(found.shape_odds).max() <= MOST_ODDS
    np.testing.assert_allclose(found.shape_names.sum(axis=1), 1, atol=1e-4)
    row = RENAMINGS.permutations.tolist().index(
        exchanged(len(PEOPLE.names), *EXCHANGES["exchanged"]).tolist()
    )
    assert (found.shape_names.argmax(axis=1)[case.wrong.any(axis=1)] == row).mean() > 0.9


def test_in_a_narrow_crop_a_person_is_as_probable_as_the_mirror_image():
    def narrow(readings):
        """The same people, four units of each side of the crop cut off."""
        return replace(readings, labels=readings.labels - [4, 0], maps=readings.maps[..., 6:-6])

    def mirrored(readings):
        flip, width = list(PEOPLE.flip_indices), GRID / 2
        return replace(readings, labels=(readings.labels * [-1, 1] + [width, 0])[:, flip])

    shapes = Shapes.of(narrow(trusted()), RENAMINGS)
    case = narrow(planted(40, {"exchanged": 0.1, "moved": 0.1})[0].readings)
    first, second = shapes.seen_in(case), shapes.seen_in(mirrored(case))
    np.testing.assert_allclose(first.shape_odds, second.shape_odds[:, list(PEOPLE.flip_indices)], atol=0.05)


def test_few_trusted_instances_say_nothing():
    readings = planted(5, {})[0].readings
    for known in (trusted(FEWEST - 1), trusted(0)):
        assert Shapes.of(known, RENAMINGS).seen_in(readings) is readings
