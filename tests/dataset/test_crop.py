import cv2
import numpy as np
import pytest

from lib.dataset.crop import apply_matrix, crop_matrix, fit_aspect, rows_needed
from lib.dataset.keypoints import SHARED_KEYPOINTS
from tests.factories.data_sets import (
    coco_image,
    coco_person,
    mpii_person,
    read_coco,
    read_mpii,
    write_coco,
    write_mpii,
)
from tests.reference.simple_baseline import three_point_matrix

CROPS = [
    ((100.0, 80.0), (60.0, 80.0), (192, 256), 0.0),
    ((100.0, 80.0), (60.0, 80.0), (192, 256), 35.0),
    ((7.5, 300.25), (300.0, 400.0), (192, 256), -79.0),
    ((-20.0, 15.0), (33.0, 33.0), (256, 256), 180.0),
    ((640.0, 360.0), (1000.0, 750.0), (64, 48), 90.0),
]
POINTS = np.random.default_rng(0).uniform(-50, 700, (20, 2))


def test_fit_aspect_only_enlarges_the_side_that_is_too_short():
    sizes = np.array([[12.0, 12.0], [30.0, 20.0], [3.0, 4.0], [3.0, 8.0]])
    np.testing.assert_allclose(fit_aspect(sizes, 0.75), [[12, 16], [30, 40], [3, 4], [6, 8]])
    np.testing.assert_allclose(fit_aspect(sizes, 1.0), [[12, 12], [30, 30], [4, 4], [8, 8]])


@pytest.mark.parametrize(("center", "size", "output", "rotation"), CROPS)
def test_crop_matrix_is_the_three_point_construction(center, size, output, rotation):
    ours = crop_matrix(center, size, output, rotation)
    expected = three_point_matrix(center, size, output, rotation)
    np.testing.assert_allclose(
        apply_matrix(ours, POINTS), POINTS @ expected[:, :2].T + expected[:, 2], atol=2e-3
    )


def test_crop_matrix_by_hand():
    # 60 x 80 around (100, 80) to 192 x 256: 3.2 crop pixels to one of the image.
    matrix = crop_matrix((100, 80), (60, 80), (192, 256))
    corners = np.array([[70, 40], [130, 120], [100, 80], [101, 80]])
    np.testing.assert_allclose(apply_matrix(matrix, corners), [[0, 0], [192, 256], [96, 128], [99.2, 128]])
    turned = crop_matrix((100, 80), (60, 80), (192, 256), rotation=90)
    np.testing.assert_allclose(apply_matrix(turned, np.array([[110, 80], [100, 90]])), [[96, 96], [128, 128]])


@pytest.mark.parametrize(("center", "size", "output", "rotation"), CROPS)
def test_mirror_is_a_crop_of_the_mirrored_image(center, size, output, rotation):
    width = 640
    mirrored_points = np.column_stack((width - 1 - POINTS[:, 0], POINTS[:, 1]))
    mirrored_center = (width - 1 - center[0], center[1])
    plain = three_point_matrix(mirrored_center, size, output, rotation)
    expected = mirrored_points @ plain[:, :2].T + plain[:, 2]
    ours = crop_matrix(center, size, output, rotation, mirror=True)
    np.testing.assert_allclose(apply_matrix(ours, POINTS), expected, atol=2e-3)


def test_a_crop_depends_on_no_row_below_those_needed():
    """Random crops of noise; the rows below would show, as they are white in one image and black in the other."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (300, 200), np.uint8)
    cut = 0
    for _ in range(300):
        matrix = crop_matrix(rng.uniform(60, 150, 2), rng.uniform(30, 120, 2), (24, 32), rng.normal(0, 40))
        rows = rows_needed(matrix, (24, 32))
        crops = []
        for below in (0, 255):
            other = image.copy()
            other[rows:] = below
            crops.append(cv2.warpAffine(other, matrix, (24, 32), flags=cv2.INTER_LINEAR))
        np.testing.assert_array_equal(*crops)
        cut += rows < len(image)
    assert cut > 200


def test_apply_matrix_keeps_leading_dimensions():
    matrix = np.array([[1.0, 2, 3], [4, 5, 6]])
    points = np.arange(24.0).reshape(3, 4, 2)
    result = apply_matrix(matrix, points)
    assert result.shape == (3, 4, 2)
    np.testing.assert_allclose(result[2, 1], matrix @ [18, 19, 1])


def test_a_person_appears_at_the_same_height_from_coco_and_from_mpii(tmp_path):
    # COCO's clean box is a pixel less: 200 px, and so is 200 * scale.
    coco_root, mpii_root = tmp_path / "coco", tmp_path / "mpii"
    write_coco(coco_root, [coco_person(bbox=[50, 20, 81, 201])], images=[coco_image(width=200, height=240)])
    write_mpii(mpii_root, [mpii_person(scale=1.0, center=[91, 106])])
    heights = []
    for people in (
        read_coco(coco_root, "train2017", SHARED_KEYPOINTS, 192 / 256),
        read_mpii(mpii_root, "train", SHARED_KEYPOINTS, 192 / 256),
    ):
        np.testing.assert_allclose(people.centers, [[90, 120]])
        matrix = crop_matrix(people.centers[0], people.sizes[0], (192, 256))
        top, bottom = apply_matrix(matrix, np.array([[90, 20], [90, 220]]))
        heights.append(bottom[1] - top[1])
    np.testing.assert_allclose(heights, 256 / 1.25, rtol=1e-6)
