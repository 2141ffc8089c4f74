import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.config.data_settings import SingleDatasetConfig
from lib.config.schema import Config, TestConfig
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.evaluation.inference import (
    InferenceOptions,
    estimate_heatmaps,
    flip_back,
    flip_test_heatmaps,
    inference_options,
    predict,
)
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.small_data_set import COUNT, small_data_set
from tests.factories.small_network import small_network
from tests.harness.together import evaluated
from tests.reference import plain_evaluation

CPU = torch.device("cpu")


def test_heatmaps_are_flipped_back_by_hand():
    """Two joints that exchange sides, and one in the middle; each a heatmap of one row."""
    heatmaps = torch.tensor([[[[1.0, 2, 3, 4]], [[5.0, 6, 7, 8]], [[9.0, 8, 7, 9]]]])
    assert flip_back(heatmaps, [1, 0, 2], shift=False)[0, :, 0].tolist() == [
        [8, 7, 6, 5],
        [4, 3, 2, 1],
        [9, 7, 8, 9],
    ]
    # Everything moves one pixel to the right; the first column stands twice.
    assert flip_back(heatmaps, [1, 0, 2], shift=True)[0, :, 0].tolist() == [
        [8, 8, 7, 6],
        [4, 4, 3, 2],
        [9, 9, 7, 8],
    ]


@pytest.mark.parametrize("heatmap_x", [5, 8, 11])
def test_the_shift_aligns_a_flipped_joint_with_the_joint(heatmap_x):
    """A joint on the heatmap's grid, encoded in the image and in the mirrored image (x -> W - 1 - x)."""
    codec = HeatmapCodec((64, 64), (16, 16), 1.0)
    x, y = 4.0 * heatmap_x, 20.0
    upright, _ = codec.encode(np.array([[x, y]]), np.ones(1))
    flipped, _ = codec.encode(np.array([[63 - x, y]]), np.ones(1))
    back = torch.from_numpy(flipped)[None]
    assert np.array_equal(flip_back(back, [0], shift=True)[0], upright)
    unshifted = flip_back(back, [0], shift=False)[0].numpy()
    assert np.unravel_index(unshifted.argmax(), unshifted.shape)[2] == heatmap_x - 1


def flip_tested(network, images, flip_indices, shift):
    """The flip test as SimpleBaseline's validate() has it, in NumPy: image by image, joint by joint."""
    images = images.numpy()
    heatmaps = []
    for image in images:
        upright = network(torch.from_numpy(image[None]))[0].numpy()
        flipped = network(torch.from_numpy(image[None, :, :, ::-1].copy()))[0].numpy()
        mean = np.empty_like(upright)
        for joint, other in enumerate(flip_indices):
            back = flipped[other, :, ::-1].copy()
            if shift:
                back[:, 1:] = back[:, :-1].copy()
            mean[joint] = (upright[joint] + back) * 0.5
        heatmaps.append(mean)
    return np.stack(heatmaps)


@pytest.mark.parametrize("shift", [False, True])
@torch.no_grad()
def test_the_flip_test_is_the_same_in_one_pass_and_in_two(shift):
    network, flip_indices = small_network(3), [1, 0, 2]
    images = torch.randn(5, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    expected = flip_tested(network, images, flip_indices, shift)
    assert np.abs(expected).max() > 0.5  # far above the tolerance
    for single_pass in (False, True):
        heatmaps = flip_test_heatmaps(network, images, flip_indices, shift, single_pass)
        np.testing.assert_allclose(heatmaps.numpy(), expected, rtol=0, atol=1e-5)
    assert torch.equal(
        estimate_heatmaps(network, images, flip_indices, shift),
        flip_test_heatmaps(network, images, flip_indices, shift, single_pass=False),
    )
    assert torch.equal(estimate_heatmaps(network, images, None, shift), network(images))


def test_heatmaps_are_single_precision():
    network = small_network(3).to(torch.bfloat16)
    images = torch.zeros(1, 3, 64, 64, dtype=torch.bfloat16)
    with torch.no_grad():
        for flip_indices in (None, [1, 0, 2]):
            assert estimate_heatmaps(network, images, flip_indices, True).dtype == torch.float32


OPTIONS = InferenceOptions(batch_size=3, workers=0, flip_test=True, shift_heatmap=True, on_bad_image="raise")


@pytest.mark.parametrize("flip_test", [False, True])
def test_predictions_against_loops_over_people(tmp_path, flip_test):
    dataset, network = small_data_set(tmp_path), small_network(13)
    images = torch.stack([dataset[index, 0].image for index in range(COUNT)])
    with torch.no_grad():
        if flip_test:
            heatmaps = flip_tested(network, images, dataset.flip_indices, shift=True)
        else:
            heatmaps = network(images).numpy()
    coords, scores = plain_evaluation.decode(heatmaps)
    people = dataset.annotations
    joints = plain_evaluation.to_image(coords, people.centers, people.sizes, (16, 16))
    # About half of the labels are moved to where the network sees the joint, so that the accuracy is not 0.
    moved = np.random.default_rng(0).random((COUNT, 13)) < 0.5
    # A third of the labels is missing, so that some joints are not labelled in some batch.
    visible = people.visible * (np.random.default_rng(1).random((COUNT, 13)) < 0.67)
    joints_or_labels = np.where(moved[..., None], joints, people.joints)
    people = dataclasses.replace(people, joints=joints_or_labels, visible=visible)
    dataset = KeypointDataset(people, dataset.codec)
    targets = np.stack([dataset[index, 0].heatmaps for index in range(COUNT)])
    labelled = np.stack([dataset[index, 0].target_weight for index in range(COUNT)]) > 0

    options = dataclasses.replace(OPTIONS, flip_test=flip_test)
    predictions = predict(network, dataset, CPU, options)
    assert predictions.index.tolist() == list(range(COUNT))
    np.testing.assert_allclose(predictions.joints, joints, rtol=0, atol=1e-4)
    np.testing.assert_allclose(predictions.scores, scores, rtol=0, atol=1e-5)

    # SimpleBaseline's JointsMSELoss: half the squared error, mean over people, joints and pixels.
    squared = [
        ((heatmaps[n, j].astype(float) - targets[n, j]) ** 2).mean() if labelled[n, j] else 0.0
        for n in range(COUNT)
        for j in range(13)
    ]
    assert predictions.loss == pytest.approx(0.5 * sum(squared) / len(squared), rel=1e-5)

    # Of 16 pixels half a tenth are 0.8: the peaks must be equal. Each batch counts alike, each joint too.
    shares = []
    for batch in (range(0, 3), range(3, 6), range(6, 8)):
        for j in range(13):
            hits = [heatmaps[n, j].argmax() == targets[n, j].argmax() for n in batch if labelled[n, j]]
            shares += [sum(hits) / len(hits)] if hits else []
    assert predictions.accuracy == pytest.approx(sum(shares) / len(shares))
    assert 0.2 < predictions.accuracy < 0.8


def test_without_labels_there_is_neither_loss_nor_accuracy(tmp_path):
    dataset = small_data_set(tmp_path)
    unlabelled = dataclasses.replace(dataset.annotations, visible=np.zeros((COUNT, 13), int))
    predictions = predict(small_network(13), KeypointDataset(unlabelled, dataset.codec), CPU, OPTIONS)
    assert np.isnan([predictions.accuracy, predictions.loss]).all()


@pytest.mark.parametrize("training", [False, True])
def test_the_networks_mode_is_restored_and_its_state_unchanged(tmp_path, training):
    network = small_network(13).train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predict(network, small_data_set(tmp_path), CPU, OPTIONS)
    assert all(module.training == training for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.fixture
def partly_damaged(tmp_path):
    """(`small_data_set` with one image cut off, positions of the people in the other images)."""
    dataset = small_data_set(tmp_path)
    people = dataset.annotations
    damaged = people.image_index[4]
    paths = list(people.image_paths)
    (tmp_path / "damaged.jpg").write_bytes(Path(paths[damaged]).read_bytes()[:20])
    paths[damaged] = str(tmp_path / "damaged.jpg")
    people = dataclasses.replace(people, image_paths=tuple(paths))
    return KeypointDataset(people, dataset.codec), np.flatnonzero(people.image_index != damaged)


def test_unreadable_images_are_left_out_and_reported(tmp_path, partly_damaged):
    dataset, readable = partly_damaged
    with pytest.raises(InputError, match=r"damaged\.jpg"):
        predict(small_network(13), dataset, CPU, OPTIONS)

    options = dataclasses.replace(OPTIONS, on_bad_image="skip")
    with captured_messages() as problems:
        predictions = predict(small_network(13), dataset, CPU, options)
    assert 0 < len(readable) < COUNT and predictions.index.tolist() == readable.tolist()
    assert len(problems) == COUNT - len(readable) and all("damaged.jpg" in problem for problem in problems)
    whole = predict(small_network(13), small_data_set(tmp_path), CPU, OPTIONS)
    np.testing.assert_allclose(predictions.joints, whole.joints[readable], rtol=0, atol=1e-4)
    assert predictions.scores.shape == (len(readable), 13)


def test_a_batch_without_a_readable_image_is_an_error(partly_damaged):
    dataset, readable = partly_damaged
    unreadable = np.setdiff1d(np.arange(len(dataset)), readable)
    dataset = dataset.with_annotations(dataset.annotations.subset(unreadable))
    with pytest.raises(InputError, match=r"no readable image.*damaged\.jpg"):
        predict(small_network(13), dataset, CPU, dataclasses.replace(OPTIONS, on_bad_image="skip"))


class HalfGroup(Group):
    """Rank ``rank`` of two; the objects that the other rank would send are given as ``received``."""

    def __init__(self, rank, received=None):
        super().__init__(rank=rank, size=2)
        self.sent_objects, self.received = [], received

    def all_gather_object(self, value):
        self.sent_objects.append(value)
        return [value] if self.received is None else [value, self.received[len(self.sent_objects) - 1]]


def test_every_rank_reports_the_unreadable_images_of_all(partly_damaged):
    dataset, readable = partly_damaged
    skip = dataclasses.replace(OPTIONS, on_bad_image="skip")
    with captured_messages() as alone:
        expected = predict(small_network(13), dataset, CPU, skip)

    second = HalfGroup(rank=1)
    options = dataclasses.replace(skip, group=second)
    with captured_messages() as problems_of_second:
        part = predict(small_network(13), dataset, CPU, options)
    assert 0 < len(part.index) < len(readable)
    options = dataclasses.replace(skip, group=HalfGroup(0, second.sent_objects))
    with captured_messages() as problems:
        predictions = predict(small_network(13), dataset, CPU, options)
    assert problems == alone != [] and set(problems_of_second) <= set(alone)
    assert predictions.index.tolist() == expected.index.tolist()
    assert np.array_equal(predictions.joints, expected.joints)
    assert (predictions.loss, predictions.accuracy) == (expected.loss, expected.accuracy)


def test_options_of_a_configuration():
    config = Config(
        workers=2,
        test=TestConfig(batch_size=7, flip_test=False, shift_heatmap=True),
        dataset=SingleDatasetConfig(on_bad_image="skip"),
    )
    group = Group()
    assert inference_options(config, group) == InferenceOptions(7, 2, False, True, "skip", group)
    assert inference_options(config).group is ALONE


@pytest.mark.parametrize("batch_size", [3, 8])
def test_processes_return_the_predictions_of_a_single_process(together, data, batch_size):
    """To the last bit, and in order: 3 batches of 8 people, or one, which leaves processes without any."""
    summary, expected = evaluated(data, batch_size, ALONE)
    assert expected.index.tolist() == list(range(8)) and expected.scores.std() > 0
    for processes in together.values():
        for result in processes:
            same, predictions = result["evaluated"][batch_size]
            assert same == summary
            for one, other in zip(vars(predictions).values(), vars(expected).values()):
                assert np.array_equal(one, other)
