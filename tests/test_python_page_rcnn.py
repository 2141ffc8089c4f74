"""The keypoint R-CNN of docs/python.md: the page's function, with torchvision's own detector, made small."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.detection import KeypointRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.models.detection.roi_heads import keypointrcnn_loss
from torchvision.ops import MultiScaleRoIAlign

from lib.ignoring.loss_aware import LossAwareWeights
from lib.ignoring.own_loop import IgnoringWeights
from lib.ignoring.variables import SourceSamples

PAGE = Path(__file__).resolve().parents[1] / "docs/python.md"
SIDE, JOINTS, COUNT = 64, 3, 200


class Backbone(nn.Module):
    """As torchvision's with a pyramid, a dictionary of features; here of one level."""

    out_channels = 16

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 16, 5, 2, 2), nn.Conv2d(16, 16, 5, 2, 2)

    def forward(self, images):
        return {"0": self.second(self.first(images).relu()).relu()}


@pytest.fixture
def keypoint_losses():
    text = PAGE.read_text(encoding="utf-8").split("### A keypoint R-CNN of torchvision")[1]
    names = {"torch": torch}
    exec(text.split("```python\n")[1].split("```")[0], names)
    return names["keypoint_losses"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return KeypointRCNN(
        Backbone(),
        min_size=SIDE,
        max_size=SIDE,
        rpn_anchor_generator=AnchorGenerator(((16, 32, 64),), ((1.0,),)),
        rpn_pre_nms_top_n_train=50,
        rpn_post_nms_top_n_train=20,
        box_batch_size_per_image=16,
        box_roi_pool=MultiScaleRoIAlign(["0"], 3, 2),
        box_head=nn.Sequential(nn.Flatten(), nn.Linear(16 * 9, 32), nn.ReLU()),
        box_predictor=FastRCNNPredictor(32, 2),
        keypoint_roi_pool=MultiScaleRoIAlign(["0"], 14, 2),
        keypoint_head=KeypointRCNNHeads(16, (16,)),
        keypoint_predictor=KeypointRCNNPredictor(16, JOINTS),
    ).train()


def places_of(count):
    return 10 + torch.rand(count, JOINTS, 2) * (SIDE - 20)


def images_of(places):
    """A list of [3, SIDE, SIDE], with a blob of another color for each keypoint."""
    axis = torch.arange(SIDE).float()
    x, y = ((axis - places[..., k : k + 1]).square() for k in (0, 1))
    return list(
        torch.exp(-(x[..., None, :] + y[..., :, None]) / 12) + 0.05 * torch.randn(len(places), 3, SIDE, SIDE)
    )


def targets_of(places, visible=None):
    visible = torch.ones(len(places), JOINTS) if visible is None else visible
    return [
        {
            "boxes": torch.tensor([[4.0, 4, SIDE - 4, SIDE - 4]]),
            "labels": torch.ones(1).long(),
            "keypoints": torch.cat([place, seen[:, None]], 1)[None],
        }
        for place, seen in zip(places, visible)
    ]


def test_their_mean_is_torchvisions_loss(model, keypoint_losses):
    places, visible = places_of(4), torch.ones(4, JOINTS)
    visible[1, 2] = visible[3, 0] = 0
    logits = []
    model.roi_heads.keypoint_predictor.register_forward_hook(lambda _, __, output: logits.append(output))
    images, targets = images_of(places), targets_of(places, visible)
    losses, has_loss = keypoint_losses(model, images, targets)
    _, resized = model.transform(images, targets)
    boxes = [target["boxes"] for target in resized]
    keypoints = [target["keypoints"] for target in resized]
    expected = keypointrcnn_loss(logits[0], boxes, keypoints, [torch.zeros(1).long()] * 4)
    assert has_loss.bool().equal(visible.bool())
    torch.testing.assert_close(losses[has_loss.bool()].mean(), expected)


@pytest.mark.slow
def test_its_wrong_labels_are_found(model, keypoint_losses):
    right, places = places_of(60), places_of(COUNT)
    trusted, trusted_targets = images_of(right), targets_of(right)
    doubtful, is_wrong = images_of(places), torch.rand(COUNT, JOINTS) < 0.3
    targets = targets_of(torch.where(is_wrong[..., None], places_of(COUNT), places))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    variables = LossAwareWeights(COUNT, tuple(range(JOINTS)), lr=1.0, floor=0.05)
    ignoring = IgnoringWeights(variables, model, optimizer, model.roi_heads.keypoint_predictor.parameters())
    for _ in range(80):
        some, index = torch.randint(40, (8,)).tolist(), torch.randint(COUNT, (16,))
        optimizer.zero_grad()
        sum(model([trusted[i] for i in some], [trusted_targets[i] for i in some]).values()).backward()
        losses, labelled = keypoint_losses(model, [doubtful[i] for i in index], [targets[i] for i in index])
        weights = ignoring.learn(
            SourceSamples(index, torch.zeros(16).bool(), labelled, losses),
            lambda: keypoint_losses(model, trusted[40:], trusted_targets[40:])[0].mean(),
        )
        (weights * losses).mean().backward()
        optimizer.step()
    scores = variables.all_scores()
    auroc = float((scores[is_wrong][:, None] > scores[~is_wrong]).float().mean())
    print(f"AUROC {auroc:.3f}")
    assert auroc > 0.7
