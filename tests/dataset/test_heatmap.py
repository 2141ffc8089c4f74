import math

import numpy as np
import pytest

from lib.dataset.heatmap import HeatmapCodec, find_peaks, network_heatmap_size, to_image
from lib.utils.errors import InputError
from tests.reference import plain_evaluation

CODEC = HeatmapCodec(image_size=(192, 256), heatmap_size=(48, 64), sigma=2)


def encode_slowly(codec, joints, visible):
    """The definition, pixel by pixel."""
    width, height = codec.heatmap_size
    stride = codec.image_size[0] / width
    maps = np.zeros((len(joints), height, width))
    weight = np.zeros(len(joints))
    for j, (x, y) in enumerate(joints):
        if not visible[j]:
            continue
        mu_x, mu_y = math.floor(x / stride + 0.5), math.floor(y / stride + 0.5)
        for row in range(height):
            for column in range(width):
                dx, dy = column - mu_x, row - mu_y
                if max(abs(dx), abs(dy)) <= 3 * codec.sigma:
                    maps[j, row, column] = math.exp(-(dx**2 + dy**2) / (2 * codec.sigma**2))
                    weight[j] = 1
    return maps, weight


@pytest.mark.parametrize(
    "codec", [CODEC, HeatmapCodec((64, 64), (32, 32), 1.5), HeatmapCodec((40, 24), (40, 24), 1)]
)
def test_encode_is_the_gaussian_of_the_definition(codec):
    rng = np.random.default_rng(0)
    extent = np.array(codec.image_size)
    joints = rng.uniform(-0.3, 1.3, (40, 2)) * extent
    visible = rng.integers(0, 2, 40)
    maps, weight = codec.encode(joints, visible)
    expected_maps, expected_weight = encode_slowly(codec, joints, visible)
    assert maps.dtype == weight.dtype == np.float32
    np.testing.assert_array_equal(weight, expected_weight)
    np.testing.assert_allclose(maps, expected_maps, rtol=1e-6, atol=1e-7)
    assert 0 < weight.sum() < visible.sum()


def test_encode_peaks_at_one_on_the_nearest_pixel_and_rounds_halves_up():
    maps, weight = CODEC.encode(np.array([[40.0, 80.0], [41.9, 81.9], [42.0, 82.0]]), np.ones(3))
    assert [np.unravel_index(m.argmax(), m.shape) for m in maps] == [(20, 10), (20, 10), (21, 11)]
    np.testing.assert_array_equal(maps.max(axis=(1, 2)), 1)
    np.testing.assert_array_equal(weight, 1)
    window = np.argwhere(maps[0])
    np.testing.assert_array_equal(window.max(axis=0) - window.min(axis=0) + 1, 6 * CODEC.sigma + 1)


@pytest.mark.parametrize(
    ("joint", "inside"),
    [((-24, 0), 1), ((-28, 0), 0), ((0, -24), 1), ((0, -28), 0), ((212, 0), 1), ((216, 0), 0), ((0, 276), 1),
     ((0, 280), 0), ((math.nan, 0), 0)],
)  # fmt: skip
def test_a_joint_counts_as_long_as_its_window_touches_the_heatmap(joint, inside):
    maps, weight = CODEC.encode(np.array([joint], float), np.ones(1))
    assert weight[0] == inside == maps.any()


def test_decode_equals_the_plain_loop_to_the_last_bit():
    rng = np.random.default_rng(1)
    heatmaps = rng.normal(size=(6, 5, 64, 48)).astype(np.float32)
    heatmaps[0] = -1
    heatmaps[1] = 0
    heatmaps[2] = rng.integers(0, 3, (5, 64, 48))  # many equal maxima and equal neighbors
    edges = [(0, 0), (63, 47), (1, 20), (2, 2), (62, 46)]
    for j, (y, x) in enumerate(edges):
        heatmaps[3, j, y, x] = 10
    for produced, expected in zip(CODEC.decode(heatmaps), plain_evaluation.decode(heatmaps)):
        assert produced.dtype == expected.dtype
        np.testing.assert_array_equal(produced, expected)


def test_decode_leaves_its_input_alone_and_accepts_no_people():
    heatmaps = np.random.default_rng(2).random((2, 3, 64, 48), np.float32)
    before = heatmaps.copy()
    CODEC.decode(heatmaps)
    np.testing.assert_array_equal(heatmaps, before)
    coords, scores = CODEC.decode(heatmaps[:0])
    assert coords.shape == (0, 3, 2) and scores.shape == (0, 3)


def test_a_nan_in_a_heatmap_shows_in_joint_and_score_of_that_map_only():
    heatmaps = np.random.default_rng(3).random((1, 3, 64, 48), np.float32)
    heatmaps[0, 1, 5, 5] = np.nan
    coords, scores = CODEC.decode(heatmaps)
    np.testing.assert_array_equal(np.isnan(scores), [[False, True, False]])
    np.testing.assert_array_equal(np.isnan(coords).all(axis=-1), np.isnan(scores))


def test_an_infinite_pixel_is_a_peak_without_a_warning():
    heatmaps = np.zeros((1, 1, 64, 48), np.float32)
    heatmaps[0, 0, 30, 20:22] = np.inf
    coords, scores = CODEC.decode(heatmaps)
    np.testing.assert_array_equal(coords, [[[20.25, 30]]])
    assert np.isinf(scores).all()


def test_find_peaks_gives_x_before_y():
    heatmaps = np.zeros((1, 1, 64, 48))
    heatmaps[0, 0, 60, 3] = 0.5
    coords, values = find_peaks(heatmaps)
    np.testing.assert_array_equal(coords, [[[3, 60]]])
    np.testing.assert_array_equal(values, [[0.5]])


def test_a_heatmap_without_a_positive_pixel_has_its_peak_at_the_origin():
    heatmaps = np.full((1, 1, 64, 48), -1.0)
    heatmaps[0, 0, 60, 3] = 0
    coords, values = find_peaks(heatmaps)
    np.testing.assert_array_equal(coords, [[[0, 0]]])
    np.testing.assert_array_equal(values, [[0]])


def test_joints_return_to_the_image_within_half_a_heatmap_pixel():
    rng = np.random.default_rng(4)
    people, joints = 7, 13
    centers, sizes = rng.uniform(100, 900, (people, 2)), rng.uniform(80, 500, (people, 2))
    corner = centers - sizes / 2
    truth = corner[:, None] + rng.uniform(0.1, 0.9, (people, joints, 2)) * sizes[:, None]
    crop = (truth - corner[:, None]) * (np.array(CODEC.image_size) / sizes)[:, None]
    heatmaps = np.stack([CODEC.encode(person, np.ones(joints))[0] for person in crop])
    decoded = to_image(CODEC.decode(heatmaps)[0], centers, sizes, CODEC.heatmap_size)
    pixel = sizes / CODEC.heatmap_size
    assert (np.abs(decoded - truth) <= 0.5 * pixel[:, None] + 1e-4).all()


def test_to_image_maps_the_crop_onto_its_box():
    coords = np.array([[[0, 0], [24, 32], [48, 64], [12, 64]]], np.float32)
    corners = to_image(coords, np.array([[100.0, 200.0]]), np.array([[60.0, 80.0]]), (48, 64))
    np.testing.assert_allclose(corners, [[[70, 160], [100, 200], [130, 240], [85, 240]]])


@pytest.mark.parametrize(
    ("image_size", "heatmap_size"), [((192, 256), (48, 48)), ((192, 256), (50, 64)), ((100, 100), (200, 200)),
                                     ((192, 256), (0, 64)), ((90, 120), (60, 80))]
)  # fmt: skip
def test_sizes_without_a_common_stride_are_refused(image_size, heatmap_size):
    with pytest.raises(InputError, match=r"MODEL\.IMAGE_SIZE.*MODEL\.EXTRA\.HEATMAP_SIZE"):
        HeatmapCodec(image_size, heatmap_size, 2)


@pytest.mark.parametrize(("deconvolutions", "expected"), [(3, (48, 64)), (2, (24, 32)), (0, (6, 8))])
def test_each_transposed_convolution_doubles_the_heatmaps(deconvolutions, expected):
    assert network_heatmap_size((192, 256), deconvolutions) == expected


@pytest.mark.parametrize("sigma", [0, -1, math.nan, math.inf])
def test_a_sigma_that_is_no_positive_number_is_refused(sigma):
    with pytest.raises(InputError, match=r"MODEL\.EXTRA\.SIGMA"):
        HeatmapCodec((192, 256), (48, 64), sigma)
