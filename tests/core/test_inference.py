import pytest
import torch

from lib.core.inference import both_ways
from lib.models.pose_resnet import PoseResNet


@pytest.mark.parametrize("shift", [False, True])
def test_the_flip_test_is_the_same_in_one_pass_and_in_two(shift):
    torch.manual_seed(0)
    model = PoseResNet(10, 3, width=4, deconv_filters=(8, 8, 8)).eval()
    images, partner = torch.randn(5, 3, 64, 96), [1, 0, 2]
    with torch.no_grad():
        apart = both_ways(model, images, partner, shift, at_once=False)
        together = both_ways(model, images, partner, shift, at_once=True)
        straight, back = model(images), model(images.flip(-1))
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-6)
    for j, other in enumerate(partner):
        mirrored = back[:, other].flip(-1)
        moved = mirrored.roll(1, dims=-1) if shift else mirrored
        expected = (straight[:, j] + moved) / 2
        torch.testing.assert_close(apart[:, j, :, 1:], expected[..., 1:])
