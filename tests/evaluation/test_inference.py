import numpy as np
import pytest
import torch

from lib.evaluation.inference import both_ways
from lib.models.pose_resnet import PoseResNet
from lib.utils.distributed import ALONE
from tests.harness.together import evaluated


@pytest.mark.parametrize("batch_size", [3, 8])
def test_processes_find_every_prediction_of_one_alone_once(together, data, batch_size):
    """To the last bit, and in order: 3 batches of 8 people, or one, which leaves processes without any."""
    summary, expected = evaluated(data, batch_size, ALONE)
    assert expected.index.tolist() == list(range(8)) and expected.scores.std() > 0
    for processes in together.values():
        for found in processes:
            same, predictions = found["evaluated"][batch_size]
            assert same == summary
            for one, other in zip(vars(predictions).values(), vars(expected).values()):
                assert np.array_equal(one, other)


@pytest.mark.parametrize("shift", [False, True])
def test_the_flip_test_is_the_same_in_one_pass_and_in_two(shift):
    torch.manual_seed(0)
    model = PoseResNet(10, 3, width=4, deconv_filters=(8, 8, 8)).eval()
    images, flip_indices = torch.randn(5, 3, 64, 96), [1, 0, 2]
    with torch.no_grad():
        apart = both_ways(model, images, flip_indices, shift, at_once=False)
        together = both_ways(model, images, flip_indices, shift, at_once=True)
        straight, back = model(images), model(images.flip(-1))
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-6)
    for j, other in enumerate(flip_indices):
        mirrored = back[:, other].flip(-1)
        moved = mirrored.roll(1, dims=-1) if shift else mirrored
        expected = (straight[:, j] + moved) / 2
        torch.testing.assert_close(apart[:, j, :, 1:], expected[..., 1:])
