"""Readings of a made-up network: its heatmaps are the colors of its images."""

import logging

import numpy as np
import pytest
import torch

from lib.dataset.heatmap import HeatmapCodec, to_image
from lib.wrong_labels import readings
from lib.wrong_labels.readings import (
    GRID,
    Reader,
    correlation,
    heatmap_positions,
    image_positions,
    perfect_energy,
    sampled,
)
from tests.factories.colored import (
    CODEC,
    UNIT,
    ColorNetwork,
    Drawn,
    annotations_at,
    heatmaps_at,
    random_points,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def read(annotations, images, network=None, **options):
    unreadable = options.pop("unreadable", ())
    reader = Reader(
        network or ColorNetwork(), torch.device("cpu"), **{"batch_size": 4, "workers": 0, "seed": 0} | options
    )
    return reader.read(Drawn(annotations, images, unreadable))


def test_of_a_perfect_network_labels_and_predictions_agree():
    at = random_points()
    found = read(annotations_at(at), heatmaps_at(at))
    np.testing.assert_allclose(found.labels, at * UNIT, atol=1e-4)
    np.testing.assert_allclose(found.predicted, at * UNIT, atol=1e-4)
    own = np.arange(3)
    np.testing.assert_allclose(found.match[:, own, own], 1, atol=1e-4)
    np.testing.assert_allclose(found.at_predicted[:, own, own], 1, atol=1e-4)
    np.testing.assert_allclose(found.height, 1, atol=1e-6)
    np.testing.assert_allclose(found.energy, 1, atol=1e-5)
    assert found.labelled.all() and len(found) == 6
    np.testing.assert_allclose(found.distance[:, own, own], 0, atol=1e-4)


def by_loops(heatmaps, at):
    """Correlation of each heatmap with the perfect one at each of the points, [N, J, K]."""
    result = np.zeros((len(heatmaps), at.shape[1], heatmaps.shape[1]))
    for n in range(len(heatmaps)):
        perfect = CODEC.encode(at[n], np.ones(at.shape[1]))[0].astype(float)
        for j in range(at.shape[1]):
            for k in range(heatmaps.shape[1]):
                result[n, j, k] = (heatmaps[n, k] * perfect[j]).sum() / (perfect[j] ** 2).sum()
    return result


def test_match_is_the_correlation_of_every_heatmap_with_a_perfect_one_at_every_label():
    rng = np.random.default_rng(1)
    images, at = rng.normal(0, 1, (6, 3, 24, 32)).astype(np.float32), random_points(seed=2)
    images[:, 0, 0, 0] = 0
    found = read(annotations_at(at), images)
    np.testing.assert_allclose(found.match, by_loops(images, at), atol=1e-4)
    peaks = np.stack(np.unravel_index(images.reshape(6, 3, -1).argmax(axis=2), (24, 32))[::-1], axis=-1)
    assert np.abs(found.predicted / UNIT - peaks).max() <= 0.25 + 1e-5
    assert (found.height == images.max(axis=(2, 3))).all()


def test_of_a_mixture_the_match_is_the_share_of_the_place():
    first, second = np.full((1, 3, 2), 8), np.full((1, 3, 2), [25, 16])
    found = read(annotations_at(second), 0.7 * heatmaps_at(first) + 0.3 * heatmaps_at(second))
    np.testing.assert_allclose(found.match, 0.3, atol=1e-4)
    np.testing.assert_allclose(found.at_predicted, 0.7, atol=1e-4)


def test_the_mirrored_images_opinion_counts_half():
    at = random_points()
    network = ColorNetwork(mirrored_height=0.5)
    found = read(annotations_at(at), heatmaps_at(at), network)
    np.testing.assert_allclose(found.height, 0.75, atol=1e-6)
    np.testing.assert_allclose(found.predicted, at * UNIT, atol=1e-4)
    assert network.training and network.sizes == [4, 4, 2, 2]


def test_labels_outside_of_the_crop_or_not_given_are_none():
    at = random_points()
    at[2, 1] = [90, 10]
    annotations = annotations_at(at)
    annotations.visible[4, 0] = 0
    found = read(annotations, heatmaps_at(random_points()))
    expected = np.ones((6, 3), bool)
    expected[2, 1] = expected[4, 0] = False
    assert (found.labelled == expected).all()


def test_unreadable_images_and_broken_heatmaps_have_no_labels_and_are_counted(caplog):
    at = random_points()
    images = heatmaps_at(at)
    images[2, 1, 5, 5], images[3, 0, 4, 4] = np.nan, 1e30
    with caplog.at_level(logging.WARNING):
        found = read(annotations_at(at), images, unreadable=(0,))
    assert found.labelled.any(axis=1).tolist() == [False, True, False, False, True, True]
    assert "those of 3 of 6 instances" in caplog.text
    assert found.instances.tolist() == [1, 4, 5]
    for name in readings.PER_INSTANCE:
        assert np.isfinite(getattr(found, name)).all(), name
    np.testing.assert_allclose(found.predicted[[1, 4, 5]], at[[1, 4, 5]] * UNIT, atol=1e-4)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_network_that_says_nothing_leaves_no_label(broken):
    at = random_points()
    for found in (read(annotations_at(at), np.full((6, 3, 24, 32), broken)),
                  read(annotations_at(at), heatmaps_at(at), unreadable=range(6))):  # fmt: skip
        assert len(found) == 6 and not found.labelled.any()
        assert found.maps.shape == (0, 3, 24, 32) and found.instances.shape == (0,)


def test_heatmaps_of_some_instances_are_kept(monkeypatch):
    at, images = random_points(40), heatmaps_at(random_points(40))
    monkeypatch.setattr(readings, "KEPT", 7)
    first, again, other = (read(annotations_at(at), images, seed=seed) for seed in (0, 0, 1))
    assert first.maps.shape == (7, 3, 24, 32) and first.maps.dtype == np.float16
    assert (np.diff(first.instances) > 0).all()
    assert (first.instances == again.instances).all() and not (first.instances == other.instances).all()
    expected = correlation(torch.from_numpy(images[first.instances]), CODEC.sigma).numpy()
    # The mark in the corner is not seen by this network, as nothing is there.
    np.testing.assert_allclose(first.maps, expected, atol=1e-3)
    assert len(read(annotations_at(at), images).of(np.array([3, 1])).maps) == 0
    monkeypatch.setattr(readings, "MAP_BYTES", 2 * 3 * 24 * 32 * 4 + 1)  # four and a bit
    assert len(read(annotations_at(at), images).maps) == 4


def test_a_part_of_the_readings_goes_by_position():
    at = random_points()
    whole = read(annotations_at(at), heatmaps_at(at))
    part = whole.of(np.array([4, 1]))
    for name in readings.PER_INSTANCE:
        assert (getattr(part, name) == getattr(whole, name)[[4, 1]]).all()


def test_random_numbers_of_others_are_untouched():
    at = random_points()
    torch.manual_seed(3), np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    read(annotations_at(at), heatmaps_at(at))
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


@pytest.mark.parametrize("heatmap_size", [(32, 24), (24, 32), (16, 16)])
def test_positions_in_image_heatmap_and_units_belong_together(heatmap_size):
    rng = np.random.default_rng(0)
    width, height = heatmap_size
    sizes = np.stack([rng.uniform(20, 200, 5)] * 2, axis=1) * [1, height / width]
    centers, inside = rng.uniform(0, 500, (5, 2)), rng.uniform(0, 1, (5, 4, 2)) * heatmap_size
    in_image = to_image(inside, centers, sizes, heatmap_size)
    np.testing.assert_allclose(heatmap_positions(in_image, centers, sizes, heatmap_size), inside, atol=1e-9)
    units = inside * GRID / max(heatmap_size)
    np.testing.assert_allclose(image_positions(units, centers, sizes), in_image, atol=1e-9)


@pytest.mark.parametrize("sigma", [1, 1.5, 2, 3])
def test_a_perfect_heatmap_has_energy_and_correlation_one(sigma):
    codec = HeatmapCodec((40, 40), (40, 40), sigma)
    maps, _ = codec.encode(np.array([[20.0, 21.0]]), np.ones(1))
    assert (maps**2).sum() == pytest.approx(perfect_energy(sigma), rel=1e-5)
    matched = correlation(torch.from_numpy(maps)[None], sigma)[0, 0]
    assert matched.max() == matched[21, 20] == pytest.approx(1, rel=1e-5)


def test_maps_are_read_between_their_pixels_and_at_their_border():
    maps = torch.arange(12.0).reshape(1, 1, 3, 4)
    at = np.array([[[1, 1], [1.5, 1], [1, 0.25], [-5, 1], [99, 99], [2.5, 1.5]]])
    assert sampled(maps, at)[0, :, 0].tolist() == pytest.approx([5, 5.5, 2, 4, 11, 8.5])
