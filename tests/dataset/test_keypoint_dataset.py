import itertools
import pickle

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate
from torchvision.transforms import functional as vision

from lib.dataset.annotations import Annotations
from lib.dataset.crop import crop_matrix, rows_needed
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.images import read_image
from lib.dataset.keypoint_dataset import Augmentation, KeypointDataset, denormalize, normalize
from lib.dataset.keypoints import SHARED_KEYPOINTS, joint_mapping
from lib.dataset.skeleton import Skeleton
from tests.factories.data_sets import smooth_image
from tests.reference.simple_baseline import gaussian_heatmaps, left_right_pairs, three_point_matrix

CODEC = HeatmapCodec(image_size=(96, 128), heatmap_size=(24, 32), sigma=2)
SMALL = HeatmapCodec(image_size=(12, 16), heatmap_size=(6, 8), sigma=1)
USUAL = Augmentation(flip=True, rotation=40.0, scale=0.3)
JOINTS = len(SHARED_KEYPOINTS)
DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]  # of ImageNet's colours


def people_on(images, count, joints=None, visible=None, centers=(50, 40), sizes=(60, 80)):
    """``count`` people, one after the other on the ``images`` (paths)."""
    joints = np.full((count, JOINTS, 2), 50) if joints is None else joints
    visible = np.ones((count, JOINTS)) if visible is None else visible
    return Annotations(
        mapping=joint_mapping("coco", SHARED_KEYPOINTS),
        ids=np.arange(count) + 100,
        image_paths=tuple(map(str, images)),
        image_index=np.arange(count, dtype=np.int32) % len(images),
        joints=np.asarray(joints, np.float32),
        visible=np.asarray(visible, np.float32),
        centers=np.broadcast_to(np.asarray(centers, np.float32), (count, 2)),
        sizes=np.broadcast_to(np.asarray(sizes, np.float32), (count, 2)),
    )


@pytest.fixture
def people(tmp_path):
    """Eight people anywhere on four soft images, some of their joints outside of crop or image."""
    rng = np.random.default_rng(3)
    paths = [tmp_path / f"{n}.png" for n in range(4)]
    for n, path in enumerate(paths):
        cv2.imwrite(str(path), smooth_image(90 + 7 * n, 80 + 3 * n, seed=n))
    return people_on(
        paths, 8,
        joints=rng.uniform(-20, 120, (8, JOINTS, 2)), visible=rng.integers(0, 2, (8, JOINTS)),
        centers=rng.uniform(20, 70, (8, 2)), sizes=rng.uniform(20, 70, (8, 1)) * (1.5, 2),
    )  # fmt: skip


def crop_of(dataset, index, visit):
    """(size, rotation, mirror) of the crop of a sample, from the generator that its docstring promises."""
    size = dataset.annotations.sizes[index]
    if dataset.augmentation is None:
        return size, 0.0, False
    factor, rotation, mirror = dataset.augmentation.draw(np.random.default_rng([dataset.seed, visit, index]))
    return size * factor, rotation, mirror


def plain_sample(people, index, codec, size, rotation, mirror, color_rgb=True):
    """SimpleBaseline's sample: mirror the pixels, turn and crop them, tensor, Gaussian joint by joint."""
    pixels = cv2.imread(people.image_paths[people.image_index[index]])
    if color_rgb:
        pixels = pixels[:, :, ::-1]
    joints, visible = people.joints[index].astype(np.float64), people.visible[index].copy()
    center = people.centers[index].astype(np.float64)
    if mirror:
        width = pixels.shape[1]
        pixels = pixels[:, ::-1]
        center[0] = width - 1 - center[0]
        joints[:, 0] = width - 1 - joints[:, 0]
        for left, right in left_right_pairs(people.mapping.names):
            joints[[left, right]] = joints[[right, left]]
            visible[[left, right]] = visible[[right, left]]
    matrix = three_point_matrix(center, size, codec.image_size, rotation)
    crop = cv2.warpAffine(np.ascontiguousarray(pixels), matrix, codec.image_size, flags=cv2.INTER_LINEAR)
    for j in range(len(joints)):
        joints[j] = matrix @ [*joints[j], 1]
    heatmaps, weight = gaussian_heatmaps(joints, visible, codec.image_size, codec.heatmap_size, codec.sigma)
    image = vision.normalize(vision.to_tensor(crop), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return image, heatmaps, weight


def assert_samples_equal(one, other, equal=True):
    same = [torch.equal(a, b) for a, b in zip(one[:3], other[:3])]
    assert all(same) if equal else not same[0]


@pytest.mark.parametrize("color_rgb", [True, False], ids=["rgb", "bgr"])
@pytest.mark.parametrize(
    "augmentation",
    [None, USUAL, Augmentation(True, 0.0, 0.0), Augmentation(False, 40.0, 0.0)],
    ids=["none", "usual", "flip", "rotation"],
)
def test_sample_is_simple_baselines(people, augmentation, color_rgb):
    dataset = KeypointDataset(people, CODEC, augmentation, color_rgb, seed=1)
    for index in range(len(dataset)):
        sample = dataset[index, 5]
        size, rotation, mirror = crop_of(dataset, index, 5)
        image, heatmaps, weight = plain_sample(people, index, CODEC, size, rotation, mirror, color_rgb)
        assert sample.image.shape == (3, 128, 96) and sample.image.dtype == torch.float32
        assert sample.heatmaps.dtype == sample.target_weight.dtype == torch.float32
        assert sample.problem == "" and int(sample.index) == index and bool(sample.flipped) == mirror
        levels = 255 * ((sample.image - image) * DEVIATION).abs()
        # OpenCV places samples on 1/32 of a pixel; mirrored, that may round the other way, which shows
        # where the image ends and black begins.
        assert float(levels.max()) < (9 if mirror else 1.01)
        assert float((levels < 1.01).float().mean()) > 0.98
        np.testing.assert_array_equal(sample.target_weight, weight)
        np.testing.assert_allclose(sample.heatmaps, heatmaps, rtol=1e-6, atol=1e-7)
    assert 0 < people.visible.mean() < 1


def test_a_sample_depends_on_seed_index_and_visit_alone(people):
    dataset, again = (KeypointDataset(people, CODEC, USUAL, seed=4) for _ in range(2))
    samples = {key: dataset[key] for key in itertools.product(range(4), range(3))}
    torch.manual_seed(99)
    np.random.seed(99)
    for key in reversed(samples):
        assert_samples_equal(again[key], samples[key])
    assert_samples_equal(samples[1, 0], samples[1, 1], equal=False)
    assert_samples_equal(samples[1, 0], KeypointDataset(people, CODEC, USUAL, seed=5)[1, 0], equal=False)


def test_without_augmentation_every_visit_is_the_same(people):
    dataset = KeypointDataset(people, CODEC)
    assert_samples_equal(dataset[2, 0], dataset[2, 7])
    assert len(dataset) == 8


@pytest.fixture
def tiny(tmp_path):
    """One person on an image that costs nothing to read."""
    cv2.imwrite(str(tmp_path / "tiny.png"), smooth_image(8, 8))
    return people_on([tmp_path / "tiny.png"], 1, centers=(4, 4), sizes=(6, 8))


def test_augmentation_has_simple_baselines_distribution():
    draws = [USUAL.draw(np.random.default_rng([0, visit, 0])) for visit in range(2000)]
    factor, rotation, mirror = map(np.array, zip(*draws))
    # Bounds are four standard errors or more.
    assert abs(mirror.mean() - 0.5) < 0.05
    turned = rotation != 0
    assert abs(turned.mean() - 0.6) < 0.05
    assert np.abs(rotation).max() == 80
    assert abs((np.abs(rotation[turned]) == 80).mean() - 0.0455) < 0.025  # beyond two deviations
    assert abs(rotation[turned & (np.abs(rotation) < 80)].std() - 40 * 0.88) < 3  # cut off there
    assert abs(rotation.mean()) < 3
    np.testing.assert_allclose([factor.min(), factor.max()], [0.7, 1.3], rtol=1e-6)
    for bound in (0.7, 1.3):
        assert abs(np.isclose(factor, bound).mean() - 0.1587) < 0.035  # beyond one deviation
    assert abs(factor.mean() - 1) < 0.02
    assert np.abs(np.corrcoef([factor, rotation, mirror]) - np.eye(3)).max() < 0.09


def test_augmentation_can_be_switched_off_part_by_part():
    nothing = Augmentation(flip=False, rotation=0.0, scale=0.0)
    assert {nothing.draw(np.random.default_rng(seed)) for seed in range(50)} == {(1.0, 0.0, False)}


def test_joints_of_a_sample_lie_on_the_annotated_joint_or_its_partner(tmp_path):
    # Every joint is a disc of its own colour; the heatmap's peak must lie on the right colour.
    colours = np.array(list(itertools.product((60, 150, 240), repeat=3)))[1::2][:JOINTS]
    joints = np.array([(60 + 45 * (j % 4), 60 + 45 * (j // 4)) for j in range(JOINTS)])
    image = np.zeros((300, 260, 3), np.uint8)
    for joint, colour in zip(joints, colours):
        cv2.circle(image, joint.tolist(), 14, colour.tolist(), -1)
    cv2.imwrite(str(tmp_path / "discs.png"), image[:, :, ::-1])
    people = people_on([tmp_path / "discs.png"], 1, [joints], centers=(125, 130), sizes=(180, 240))
    dataset = KeypointDataset(people, CODEC, USUAL)
    flip_indices = Skeleton.of(SHARED_KEYPOINTS).flip_indices
    checked = {True: 0, False: 0}
    for visit in range(30):
        sample = dataset[0, visit]
        crop = denormalize(sample.image).astype(int)
        for j, heatmap in enumerate(sample.heatmaps.numpy()):
            y, x = 4 * np.array(np.unravel_index(heatmap.argmax(), heatmap.shape))
            if sample.target_weight[j] == 0 or heatmap.max() < 1:
                continue
            annotated = flip_indices[j] if sample.flipped else j
            assert np.abs(colours - crop[y, x]).sum(axis=1).argmin() == annotated
            checked[bool(sample.flipped)] += 1
    assert min(checked.values()) > 100


def test_joints_out_of_sight_do_not_count(tiny):
    visible = np.ones((1, JOINTS))
    visible[0, 3] = 0
    joints = np.full((1, JOINTS, 2), 4.0)
    joints[0, 1] = (400, 4)
    joints[0, 2] = (4, -400)
    people = people_on(tiny.image_paths, 1, joints, visible, centers=(4, 4), sizes=(6, 8))
    sample = KeypointDataset(people, SMALL)[0, 0]
    assert sample.target_weight.tolist() == [1, 0, 0, 0] + [1] * (JOINTS - 4)
    assert sample.heatmaps.amax(dim=(1, 2)).tolist() == sample.target_weight.tolist()


def test_bgr_exchanges_red_and_blue(people):
    rgb, bgr = (KeypointDataset(people, CODEC, USUAL, color_rgb=c)[0, 0] for c in (True, False))
    np.testing.assert_array_equal(denormalize(rgb.image)[:, :, ::-1], denormalize(bgr.image))
    assert not torch.equal(rgb.image, bgr.image)


def test_normalise_is_torchvisions_and_denormalise_its_inverse():
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    image = normalize(every)
    expected = vision.normalize(vision.to_tensor(every), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(image, expected)
    assert image.is_contiguous()
    np.testing.assert_array_equal(denormalize(image), every)
    # Colours that no image has are cut off.
    assert denormalize(torch.full((3, 1, 1), 99.0)).tolist() == [[[255, 255, 255]]]
    assert denormalize(torch.full((3, 1, 1), -99.0)).tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize("bad", ["missing", "empty", "text", "folder", "header only"])
def test_an_unreadable_image_is_a_problem_and_not_an_exception(tmp_path, bad):
    path = tmp_path / "bad.jpg"
    if bad == "folder":
        path.mkdir()
    elif bad != "missing":
        cv2.imwrite(str(path), smooth_image(60, 80))
        content = {"empty": b"", "text": b"not an image\n", "header only": path.read_bytes()[:30]}
        path.write_bytes(content[bad])
    sample = KeypointDataset(people_on([path], 2), SMALL, USUAL)[1, 0]
    assert sample.problem == f"{path}: cannot be read as an image (annotation 101)"
    assert sample.image.shape == (3, 16, 12) and torch.isfinite(sample.image).all()


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.99])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_image_reads_or_is_a_problem(tmp_path, share, suffix):
    path = tmp_path / f"short{suffix}"
    cv2.imwrite(str(path), smooth_image(60, 80))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    image = read_image(str(path))
    sample = KeypointDataset(people_on([path], 1), SMALL)[0, 0]
    assert (image is None) == bool(sample.problem)
    assert image is None or image.shape == (80, 60, 3)
    assert torch.isfinite(sample.image).all()


def test_samples_collate_and_select(people):
    dataset = KeypointDataset(people, CODEC, USUAL)
    batch = default_collate([dataset[i, 0] for i in range(5)])
    assert batch.image.shape == (5, 3, 128, 96) and batch.heatmaps.shape == (5, JOINTS, 32, 24)
    assert batch.index.tolist() == [0, 1, 2, 3, 4]
    part = batch._replace(problem=list("abcde")).select(torch.tensor([True, False, False, True, True]))
    assert part.problem == ["a", "d", "e"] and part.index.tolist() == [0, 3, 4]
    assert_samples_equal(type(part)(*(x[1] for x in part)), dataset[3, 0])
    moved = batch.to(torch.device("meta"))
    assert moved.image.device.type == "meta" and moved.problem == batch.problem


@pytest.fixture
def reads(monkeypatch):
    """(path, reduction) of every image that a data set reads, in order."""
    reads = []

    def recorded(image, color_rgb, reduce, rows=None):
        reads.append((image.path, reduce))
        return read_image(image, color_rgb, reduce, rows)

    monkeypatch.setattr("lib.dataset.keypoint_dataset.read_image", recorded)
    return reads


def test_cached_images_are_read_once_and_give_the_same_samples(people, reads):
    keys = [(index, visit) for visit in range(2) for index in range(len(people))]
    plain, cached = (KeypointDataset(people, SMALL, USUAL, cache=cache) for cache in (False, True))
    expected = [plain[key] for key in keys]
    assert len(reads) == len(keys)
    reads.clear()
    torch.testing.assert_close([cached[key][:-1] for key in keys], [s[:-1] for s in expected], rtol=0, atol=0)
    assert sorted(path for path, _ in reads) == sorted(people.image_paths)


def test_a_data_set_that_caches_can_be_sent_to_workers(people):
    dataset = KeypointDataset(people, SMALL, USUAL, cache=True)
    expected = dataset[3, 1]
    again = pickle.loads(pickle.dumps(dataset))
    torch.testing.assert_close(again[3, 1][:-1], expected[:-1], rtol=0, atol=0)


@pytest.fixture
def photographed(tmp_path):
    """Twelve people on three JPEG images of sharp colours, 500 x 400, small and large, inside and out."""
    rng = np.random.default_rng(5)
    paths = [tmp_path / f"{n}.jpg" for n in range(3)]
    for n, path in enumerate(paths):
        noise = rng.integers(0, 60, (400, 500, 3)) + smooth_image(500, 400, seed=n) // 2
        cv2.imwrite(str(path), noise.astype(np.uint8))
    return people_on(
        paths, 12,
        joints=rng.uniform(-20, 520, (12, JOINTS, 2)),
        centers=rng.uniform(-30, 500, (12, 2)), sizes=rng.uniform(15, 400, (12, 1)) * (1.5, 2),
    )  # fmt: skip


@pytest.mark.parametrize("color_rgb", [True, False], ids=["rgb", "bgr"])
def test_pixels_are_those_of_whole_images_to_the_last_bit(photographed, color_rgb):
    dataset = KeypointDataset(photographed, CODEC, USUAL, color_rgb)
    shares = set()
    for index, visit in itertools.product(range(len(dataset)), range(6)):
        sample = dataset[index, visit]
        size, rotation, mirror = crop_of(dataset, index, visit)
        matrix = crop_matrix(photographed.centers[index], size, CODEC.image_size, rotation, mirror)
        whole = cv2.imread(photographed.image_paths[photographed.image_index[index]])
        crop = cv2.warpAffine(whole[..., ::-1] if color_rgb else whole, matrix, CODEC.image_size)
        mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
        expected = (crop.astype(np.float32) / 255 - mean) / deviation
        np.testing.assert_array_equal(sample.image, expected.transpose(2, 0, 1))
        shares.add(rows_needed(matrix, CODEC.image_size) < 400)
    assert shares == {True, False}


def test_large_people_are_read_from_smaller_images(photographed, reads):
    plain, reduced = (KeypointDataset(photographed, SMALL, USUAL, reduced_decode=r) for r in (False, True))
    for index in range(len(plain)):
        expected = plain[index, 0]
        assert reads.pop()[1] == 1
        sample = reduced[index, 0]
        pixels = crop_of(plain, index, 0)[0][0] / SMALL.image_size[0]
        assert reads.pop()[1] == max(r for r in (1, 2, 4, 8) if r == 1 or r <= pixels)
        for one, other in zip(sample[1:5], expected[1:5]):
            assert torch.equal(one, other)


def test_other_formats_are_never_decoded_smaller(people):
    plain, reduced = (KeypointDataset(people, SMALL, USUAL, reduced_decode=r) for r in (False, True))
    for index in range(len(people)):
        assert_samples_equal(plain[index, 0], reduced[index, 0])


@pytest.mark.parametrize(("factor", "smaller"), [(1.0, 1), (1.9, 1), (2.0, 2), (3.9, 2), (4.0, 4), (9.0, 8)])
def test_a_smaller_image_still_has_the_pixels_of_the_networks_input(tmp_path, reads, factor, smaller):
    people = people_on([tmp_path / "a.jpg"], 1, sizes=(12 * factor, 16 * factor))
    KeypointDataset(people, SMALL, reduced_decode=True)[0, 0]
    assert reads == [(str(tmp_path / "a.jpg"), smaller)]


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("side", [400, 403])
def test_a_smaller_image_shows_the_same_at_the_same_place(tmp_path, side, cache):
    # Colours that change evenly: a shift of half a pixel would show as half a level a pixel.
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    ramp = np.stack([x / 2, y / 2, (x + y) / 4], axis=-1).round().astype(np.uint8)
    cv2.imwrite(str(tmp_path / "ramp.jpg"), ramp, [cv2.IMWRITE_JPEG_QUALITY, 100])
    people = people_on([tmp_path / "ramp.jpg"], 2, centers=(200, 200), sizes=(180, 240))
    gentle = Augmentation(flip=True, rotation=15.0, scale=0.1)
    for size in (SMALL, HeatmapCodec((48, 64), (12, 16), 1)):
        plain, reduced = (
            KeypointDataset(people, size, gentle, cache=cache, reduced_decode=r) for r in (False, True)
        )
        pairs = [(plain[0, visit].image, reduced[0, visit].image) for visit in range(8)]
        assert not any(torch.equal(one, other) for one, other in pairs)
        levels = torch.stack([255 * (one - other) * DEVIATION for one, other in pairs])
        # Half a pixel off would be a quarter of a level everywhere; rounding is off either way.
        assert float(levels.abs().max()) < 4
        assert float(levels.mean(dim=(0, 2, 3)).abs().max()) < 0.2
