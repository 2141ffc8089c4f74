from pathlib import Path

import numpy as np
import pytest
import torch

from lib.dataset.annotations import Annotations, padded_crops
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import joint_mapping
from lib.dataset.skeleton import Skeleton
from lib.evaluation.inference import InferenceOptions, predict
from lib.models.category import Category
from lib.models.trained import load_trained
from lib.predict.people import GivenBoxes, People
from lib.predict.poses import MAX_WINDOW_IMAGES, PoseEstimator, estimate_poses
from lib.predict.sources import Frame, FrameReader, Source
from lib.utils.errors import InputError
from tests.factories.small_network import small_network, write_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return load_trained(
        write_checkpoint(tmp_path_factory.mktemp("a") / "a.pth", small_network(), (64, 96), rgb=False)
    )


def noise(count, seed=0, size=(80, 70)):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(count)]


def someone(count, seed):
    rng = np.random.default_rng(seed)
    return People.from_boxes(
        np.concatenate([rng.uniform(-5, 40, (count, 2)), rng.uniform(5, 40, (count, 2))], axis=1)
    )


@pytest.mark.parametrize("flip_test", [False, True])
def test_batches_equal_one_by_one(trained, flip_test):
    images, people = noise(4), [someone(n, n) for n in (3, 0, 1, 7)]
    together = PoseEstimator(trained, CPU, flip_test, batch_size=4)(images, people)
    single = PoseEstimator(trained, CPU, flip_test, batch_size=1)
    for poses, image, of_image in zip(together, images, people):
        assert poses.joints.shape == (len(of_image.boxes), 13, 2)
        for i, box in enumerate(of_image.boxes):
            (alone,) = single([image], [People.from_boxes(box)])
            np.testing.assert_allclose(poses.joints[i], alone.joints[0], atol=1e-9)
            np.testing.assert_allclose(poses.scores[i], alone.scores[0], atol=1e-5)


def test_batches_are_no_larger_than_allowed_and_of_similar_size(trained):
    sizes = []
    estimator = PoseEstimator(trained, CPU, False, batch_size=4)
    hook = estimator.network.register_forward_hook(
        lambda module, inputs, output: sizes.append(len(inputs[0]))
    )
    estimator(noise(2), [someone(5, 0), someone(4, 1)])
    hook.remove()
    assert sizes == [3, 3, 3]


@pytest.mark.parametrize("flip_test", [False, True])
def test_the_same_as_the_path_of_evaluation(trained, data, flip_test):
    """Against the same boxes as annotations of a data set, through the code of valid.py."""
    sources = [Source(path) for path in sorted((data / "mpii/images").glob("3*.jpg"))[:3]]
    people = [someone(2, seed) for seed in range(3)]
    boxes = np.concatenate([of_image.boxes for of_image in people])
    centers, sizes = padded_crops(boxes, 64 / 96)
    mapping = joint_mapping("mpii", trained.joints)
    paths = tuple(str(source.path) for source in sources)
    annotations = Annotations(mapping, np.arange(6), paths, np.repeat(np.arange(3), 2), np.zeros((6, 13, 2)),
                              np.zeros((6, 13)), centers, sizes)  # fmt: skip
    dataset = KeypointDataset(annotations, trained.codec, None, trained.color_rgb)
    expected = predict(trained.network, dataset, CPU, InferenceOptions(6, 0, flip_test, True, "raise"))

    images = [frame.image for frame in FrameReader(sources)]
    poses = PoseEstimator(trained, CPU, flip_test, batch_size=6)(images, people)
    np.testing.assert_allclose(np.concatenate([p.joints for p in poses]), expected.joints, atol=1e-9)
    np.testing.assert_allclose(np.concatenate([p.scores for p in poses]), expected.scores, atol=1e-6)
    assert len(np.unique(expected.joints[..., 0])) > 10


def frames(count):
    for number in range(count):
        yield Frame(Source(Path("clip.mp4")), np.full((8, 8, 3), number % 256, np.uint8), number, 25.0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_frames_keep_their_order_and_few_are_held(trained, count):
    read = 0

    def counted():
        nonlocal read
        for frame in frames(200):
            read += 1
            yield frame

    find = GivenBoxes(someone(count, 0))
    estimator = PoseEstimator(trained, CPU, False, batch_size=16)
    most = 0
    for number, (frame, poses) in enumerate(estimate_poses(counted(), find, estimator)):
        assert frame.number == number and len(poses.joints) == count
        most = max(most, read - number)
    assert number == 199 and most <= MAX_WINDOW_IMAGES
    assert count == 0 or most <= 16 + 8  # people for a batch, and the images read together


def test_the_flip_test_exchanges_the_pairs_of_the_checkpoint(tmp_path):
    fish = Category((7,), "fish", Skeleton(("a", "b", "c", "d"), (("a", "d"),)))  # names that tell no pair
    trained = load_trained(write_checkpoint(tmp_path / "b.pth", small_network(4), category=fish))
    assert PoseEstimator(trained, CPU, True, 4).flip_indices == [3, 1, 2, 0]


def test_heatmaps_that_are_not_finite_are_an_error(trained, tmp_path):
    network = small_network()
    with torch.no_grad():
        network.final_layer.weight.fill_(3e38)
    trained = load_trained(write_checkpoint(tmp_path / "b.pth", network))
    with pytest.raises(InputError, match="not finite"):
        PoseEstimator(trained, CPU, False, 4)(noise(1), [someone(1, 0)])
