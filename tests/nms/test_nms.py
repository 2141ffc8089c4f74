import importlib
import importlib.util
import sys
import warnings

import numpy as np
import pytest
import torch
from pycocotools.cocoeval import Params
from torchvision.ops import nms as torchvision_nms

from lib.nms import nms, numpy_nms
from lib.nms.nms import COCO_SIGMAS, box_nms, oks_nms, oks_nms_by_image
from lib.utils.errors import InputError

BUILT = importlib.util.find_spec("lib.nms.cpu_nms") is not None
needs_extension = pytest.mark.skipif(not BUILT, reason="lib.nms.cpu_nms is not built (make -C lib)")


@pytest.fixture(params=["numpy", pytest.param("extension", marks=needs_extension)])
def backend(request, monkeypatch):
    """Runs a test with each of the two greedy loops behind the public functions."""
    module = numpy_nms if request.param == "numpy" else importlib.import_module("lib.nms.cpu_nms")
    monkeypatch.setattr(nms, "backend", lambda: module)


def greedy(scores, overlap, threshold):
    """The definition of greedy suppression, index by index."""
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if all(overlap(k, i) <= threshold for k in kept):
            kept.append(i)
    return kept


def random_boxes(rng, count, positions=20):
    corner = rng.integers(0, positions, (count, 2))
    return np.concatenate((corner, corner + rng.integers(0, 12, (count, 2))), axis=1).astype(float)


def random_poses(rng, count, joints=17, groups=8):
    centre = rng.uniform(0, 400, (groups, 1, 1)) + rng.uniform(0, 120, (groups, joints, 2))
    poses = centre[rng.integers(0, groups, count)] + rng.normal(0, 3, (count, joints, 2))
    return np.concatenate((poses, rng.random((count, joints, 1))), axis=2)


def oks(poses, areas, sigmas, in_vis_thre=None):
    """Similarity of two of the poses, joint by joint."""

    def of(a, b):
        terms = []
        for k, sigma in enumerate(sigmas):
            if in_vis_thre is not None and min(poses[a][k][2], poses[b][k][2]) <= in_vis_thre:
                continue
            d2 = (poses[a][k][0] - poses[b][k][0]) ** 2 + (poses[a][k][1] - poses[b][k][1]) ** 2
            area = (areas[a] + areas[b]) / 2 + np.spacing(1)
            terms.append(np.exp(-d2 / (2 * sigma) ** 2 / area / 2))
        return sum(terms) / len(terms) if terms else 0.0

    return of


@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 0.95, 1])
@pytest.mark.parametrize("seed", range(5))
def test_box_nms_keeps_what_torchvision_keeps(backend, seed, threshold):
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, 300)  # whole numbers: many equal boxes, empty boxes and touching edges
    scores = rng.permutation(300) / 300 if seed % 2 else rng.integers(0, 9, 300) / 8
    expected = torchvision_nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold).numpy()
    kept = box_nms(boxes, scores, threshold)
    np.testing.assert_array_equal(kept, expected)
    assert kept.dtype == np.int64


def test_box_nms_is_greedy_by_the_definition(backend):
    rng = np.random.default_rng(7)
    boxes, scores = random_boxes(rng, 60), rng.integers(0, 5, 60) / 4

    def iou(a, b):
        (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = boxes[a], boxes[b]
        meeting = max(0, min(ax2, bx2) - max(ax1, bx1)) * max(0, min(ay2, by2) - max(ay1, by1))
        union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - meeting
        return meeting / union if union else 0

    assert box_nms(boxes, scores, 0.25).tolist() == greedy(scores, iou, 0.25)


def test_box_nms_takes_lists_float32_and_tensors(backend):
    boxes, scores = random_boxes(np.random.default_rng(3), 50), np.linspace(0, 1, 50)
    expected = box_nms(boxes, scores, 0.4).tolist()
    assert box_nms(boxes.tolist(), scores.tolist(), 0.4).tolist() == expected
    assert box_nms(boxes.astype(np.float32), scores.astype(np.float32), 0.4).tolist() == expected
    assert box_nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4).tolist() == expected
    assert box_nms(np.asfortranarray(boxes), scores, 0.4).tolist() == expected


@pytest.mark.parametrize(
    ("boxes", "scores", "expected"),
    [
        ([], [], []),
        (np.zeros((0, 4)), np.zeros(0), []),
        ([[0, 0, 1, 1]], [0.0], [0]),
        ([[0, 0, 1, 1]] * 3, [0.5, 0.5, 0.5], [0]),  # the first of equals stays
        ([[0, 0, 2, 2], [9, 9, 10, 10], [20, 20, 30, 30]], [0.5, 0.5, 0.7], [2, 0, 1]),
        ([[5, 5, 5, 5]] * 2, [0.1, 0.2], [1, 0]),  # 0 / 0
        ([[0, 0, 4, 4], [1, 1, 1, 3]], [0.1, 0.2], [1, 0]),  # a line in a box
        ([[0, 0, 1, 1], [1, 0, 2, 1]], [0.2, 0.1], [0, 1]),  # edges that touch share no area
        ([[0, 0, 2, 1], [0, 0, 1, 1]], [0.2, 0.1], [0, 1]),  # an IoU that equals the threshold
    ],
)
def test_box_nms_of_degenerate_boxes(backend, boxes, scores, expected):
    assert box_nms(boxes, scores, 0.5).tolist() == expected


@pytest.mark.parametrize("in_vis_thre", [None, 0.2, 0.9])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_oks_nms_is_greedy_by_the_definition(backend, threshold, in_vis_thre):
    rng = np.random.default_rng(11)
    poses, areas, scores = random_poses(rng, 60), rng.uniform(500, 9000, 60), rng.integers(0, 9, 60) / 8
    expected = greedy(scores, oks(poses, areas, COCO_SIGMAS, in_vis_thre), threshold)
    assert oks_nms(poses, scores, areas, threshold, COCO_SIGMAS, in_vis_thre).tolist() == expected
    assert 1 < len(expected) < 60


def test_oks_nms_judges_a_pair_as_the_closed_form_does(backend):
    # One joint, d = 3, sigma = 0.5, areas 1 and 2: oks = exp(-9 / (2 * 1 * 1.5)) = exp(-3).
    poses, areas = [[[0, 0, 1]], [[0, 3, 1]]], [1, 2]
    assert oks_nms(poses, [0.2, 0.1], areas, np.exp(-3) * 1.001, [0.5]).tolist() == [0, 1]
    assert oks_nms(poses, [0.2, 0.1], areas, np.exp(-3) * 0.999, [0.5]).tolist() == [0]


@pytest.mark.parametrize(
    ("poses", "scores", "areas", "in_vis_thre", "expected"),
    [
        ([], [], [], None, []),
        (np.zeros((0, 2, 3)), [], [], 0.5, []),
        ([[[1, 1, 1], [2, 2, 1]]], [0.3], [4], None, [0]),
        ([[[1, 1, 1], [2, 2, 1]]] * 3, [0.3] * 3, [4] * 3, None, [0]),
        ([[[1, 1, 1], [2, 2, 1]]] * 2, [0.3, 0.4], [0, 0], None, [1]),  # same pose, no area
        ([[[1, 1, 1], [2, 2, 1]], [[1, 1, 1], [2, 3, 1]]], [0.3, 0.4], [0, 0], None, [1, 0]),
        # No joint is visible in both, then one.
        ([[[1, 1, 0.1], [2, 2, 1]], [[1, 1, 1], [2, 2, 0.1]]], [0.3, 0.4], [4, 4], 0.5, [1, 0]),
        ([[[1, 1, 1], [2, 2, 1]], [[1, 1, 1], [9, 9, 0.1]]], [0.3, 0.4], [4, 4], 0.5, [1]),
    ],
)
def test_oks_nms_of_degenerate_poses(backend, poses, scores, areas, in_vis_thre, expected):
    assert oks_nms(poses, scores, areas, 0.6, COCO_SIGMAS[:2], in_vis_thre).tolist() == expected


@needs_extension
@pytest.mark.parametrize("seed", range(4))
def test_extension_and_numpy_agree_on_random_input(seed):
    compiled = importlib.import_module("lib.nms.cpu_nms")
    rng = np.random.default_rng(100 + seed)
    boxes = rng.normal(0, 30, (400, 4))  # corners in any order: empty and inverted boxes among them
    boxes[::2, 2:] = boxes[::2, :2] + rng.uniform(0, 60, (200, 2))
    poses, areas = random_poses(rng, 400), rng.uniform(0, 9000, 400)
    starts = np.array([0, 1, 3, 200])
    precisions = 1 / (2 * np.array(COCO_SIGMAS)) ** 2
    for threshold in (0.0, 0.1, 0.5, 0.8, 0.9, 0.95, 1.0, np.inf):
        np.testing.assert_array_equal(
            compiled.keep_boxes(boxes, threshold), numpy_nms.keep_boxes(boxes, threshold)
        )
        for min_visible in (-np.inf, 0.5):
            np.testing.assert_array_equal(
                compiled.keep_poses(poses, areas, starts, precisions, threshold, min_visible),
                numpy_nms.keep_poses(poses, areas, starts, precisions, threshold, min_visible),
            )


def test_a_pose_at_any_distance_goes_exactly_where_its_similarity_exceeds_the_threshold(backend):
    # Two poses of three joints whose similarity grows from 0 to 1; thresholds beside it decide both ways.
    rng = np.random.default_rng(21)
    for spread in np.geomspace(0.01, 30, 60):
        poses = np.concatenate([rng.normal(0, spread, (2, 3, 2)), np.ones((2, 3, 1))], axis=2)
        similarity = oks(poses, [50, 50], COCO_SIGMAS[:3])(0, 1)
        for threshold, left in ((similarity - 1e-12, 1), (similarity + 1e-12, 2)):
            if threshold >= 0:
                assert len(oks_nms(poses, [0.2, 0.1], [50, 50], threshold, COCO_SIGMAS[:3])) == left


@pytest.mark.filterwarnings("ignore:overflow")
def test_poses_far_beyond_all_numbers_differ_from_all_others(backend):
    poses = np.ones((3, 2, 3))
    poses[1:, :, :2] = 1e200, -1e200  # their squared distances to the first are infinite
    assert oks_nms(poses, [3, 2, 1], [4, 4, 4], 0.5, COCO_SIGMAS[:2]).tolist() == [0, 1]


@pytest.mark.parametrize("ids", ["whole", "none", "mixed"])
def test_oks_nms_by_image_is_that_of_each_image(backend, ids):
    rng = np.random.default_rng(12)
    count = 0 if ids == "none" else 80
    poses, areas = random_poses(rng, count), rng.uniform(500, 9000, count)
    scores = rng.integers(0, 9, count) / 8
    image_ids = np.full(count, 7) if ids == "whole" else rng.choice([7, -3, 2**40, 20], count)
    expected = []
    for image in sorted(set(image_ids.tolist())):
        people = np.flatnonzero(image_ids == image)
        kept = oks_nms(poses[people], scores[people], areas[people], 0.5, COCO_SIGMAS)
        expected += people[kept].tolist()
    kept_by_image = oks_nms_by_image(poses, scores, areas, image_ids, 0.5, COCO_SIGMAS)
    assert kept_by_image.tolist() == expected
    assert count == 0 or len(kept_by_image) < count
    with pytest.raises(InputError, match="image_ids has shape"):
        oks_nms_by_image(poses, scores, areas, np.zeros(count + 1), 0.5, COCO_SIGMAS)


def test_coco_sigmas_are_those_of_pycocotools():
    params = Params(iouType="keypoints")
    np.testing.assert_allclose(COCO_SIGMAS, params.kpt_oks_sigmas)


@pytest.mark.parametrize(
    ("boxes", "scores", "threshold", "message"),
    [
        ([[0, 0, 1, 1]], [np.nan], 0.5, "scores holds a number that is not finite"),
        ([[0, 0, np.nan, 1]], [0.5], 0.5, "boxes holds a number that is not finite"),
        ([[0, 0, 1]], [0.5], 0.5, r"boxes has shape \(1, 3\); expected \(1, 4\)"),
        ([[0, 0, 1, 1]], [], 0.5, r"boxes has shape \(1, 4\); expected \(0, 4\)"),
        ([[0, 0, 1, 1]], [[0.5]], 0.5, r"scores has shape \(1, 1\); expected \(1,\)"),
        ([[0, 0, 1, 1]], [0.5], np.nan, "threshold is nan"),
        ([[0, 0, 1, 1]], [0.5], -0.1, "threshold is -0.1"),
    ],
)
def test_box_nms_refuses_what_it_cannot_rank(boxes, scores, threshold, message):
    with pytest.raises(InputError, match=message):
        box_nms(boxes, scores, threshold)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scores": [0.5, np.nan]}, "scores holds"),
        ({"keypoints": np.full((2, 3, 3), np.inf)}, "keypoints holds"),
        ({"keypoints": np.ones((2, 4, 3))}, r"keypoints has shape \(2, 4, 3\); expected \(2, 3, 3\)"),
        ({"areas": [1.0]}, r"areas has shape \(1,\)"),
        ({"areas": [1.0, -2.0]}, "smallest area is -2"),
        ({"sigmas": [0.1, 0, 0.1]}, "smallest sigma 0"),
        ({"threshold": -1}, "threshold is -1"),
    ],
)
def test_oks_nms_refuses_what_it_cannot_rank(changed, message):
    given = {"keypoints": np.ones((2, 3, 3)), "scores": [0.5, 0.6], "areas": [1.0, 2.0], "threshold": 0.5,
             "sigmas": [0.1, 0.1, 0.1]}  # fmt: skip
    with pytest.raises(InputError, match=message):
        oks_nms(**{**given, **changed})


def test_without_the_extension_numpy_answers_and_one_warning_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "lib.nms.cpu_nms", None)  # importing it now fails
    nms.backend.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert box_nms([[0, 0, 1, 1]] * 2, [0.1, 0.2], 0.5).tolist() == [1]
            assert oks_nms([[[0, 0, 1]]] * 2, [0.1, 0.2], [1, 1], 0.5, [0.1]).tolist() == [1]
        (warning,) = caught
        assert "make -C lib" in str(warning.message) and warning.filename == __file__
    finally:
        nms.backend.cache_clear()


@needs_extension
def test_with_the_extension_it_is_used_without_a_warning():
    nms.backend.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nms.backend().__name__ == "lib.nms.cpu_nms"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_boxes_on_a_gpu_stay_there(backend):
    rng = np.random.default_rng(5)
    boxes, scores = random_boxes(rng, 200), rng.permutation(200) / 200
    kept = box_nms(torch.tensor(boxes, device="cuda"), torch.tensor(scores, device="cuda"), 0.5)
    assert kept.is_cuda
    assert kept.tolist() == box_nms(boxes, scores, 0.5).tolist()
    with pytest.raises(InputError, match="not finite"):
        box_nms(torch.tensor(boxes, device="cuda"), torch.full((200,), torch.nan, device="cuda"), 0.5)


def test_what_is_said_to_be_on_a_gpu_goes_to_torchvision(monkeypatch):
    class OnGPU(torch.Tensor):
        is_cuda = True

    def refuse():
        raise AssertionError("the CPU's loops were used")

    monkeypatch.setattr(nms, "backend", refuse)
    boxes = torch.tensor([[0, 0, 1.0, 1], [0, 0, 1, 1], [5, 5, 6, 6]])
    kept = box_nms(boxes.as_subclass(OnGPU), torch.tensor([0.1, 0.3, 0.2]), 0.5)
    assert kept.tolist() == [1, 2]
    with pytest.raises(InputError, match="not finite"):
        box_nms(boxes.as_subclass(OnGPU), torch.tensor([0.1, torch.nan, 0.2]), 0.5)
