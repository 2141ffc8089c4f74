"""A whole small run on CUDA, and how the device is chosen."""

import pytest
import torch

from lib.nms.nms import box_nms
from lib.utils.device import pick_device
from lib.utils.errors import InputError
from tests.factories.small_run import results_of, run, weights_file
from tests.gpu.on_device import DEVICE, NEEDS_DEVICE, ON_CUDA

pytestmark = NEEDS_DEVICE


def test_auto_takes_the_first_cuda_device():
    device, sentence = pick_device("auto", "0")
    if ON_CUDA:
        assert device == torch.device("cuda", 0)
        assert torch.cuda.get_device_name(0) in sentence
        with pytest.raises(InputError, match=f"GPUS is '{torch.cuda.device_count()}'"):
            pick_device("cuda", str(torch.cuda.device_count()))
    assert pick_device("cpu", "0")[0].type == "cpu"


def test_boxes_on_the_device_stay_there():
    rng = torch.Generator().manual_seed(0)
    corners = 80 * torch.rand(300, 2, generator=rng, dtype=torch.float64)
    boxes = torch.cat([corners, corners + 5 + 30 * torch.rand(300, 2, generator=rng, dtype=torch.float64)], 1)
    scores = torch.rand(300, generator=rng, dtype=torch.float64)
    found = box_nms(boxes.to(DEVICE), scores.to(DEVICE), 0.4)
    assert list(map(int, found)) == list(box_nms(boxes.numpy(), scores.numpy(), 0.4))
    if ON_CUDA:
        assert found.device.type == "cuda"


@pytest.mark.parametrize("mode", ["ours1", "ours2"])
def test_a_small_run_ends_with_results_and_weights(config, mode):
    """With reading processes, pinned memory, evaluation and checkpoints."""
    assert run(config, f"--{mode}", "DEVICE", DEVICE.type, "WORKERS", "2", "LBI.HYPERGRAD_INTERVAL", "1") == 0
    assert results_of(config, mode)["test"]["PCKh"]["Mean"] >= 0
    tensors = weights_file(config, mode)["target_model"]
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
