"""A network's shape, joints, input and colours from a checkpoint alone."""

import numpy as np
import pytest
import torch

from lib.config.loader import load_config
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS
from lib.models.pose_resnet import DeconvHead, PoseResNet
from lib.models.trained import color_order, load_trained, with_color_order
from lib.models.weights_file import read_weights
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.small_network import small_network, write_checkpoint


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"num_layers": 34, "width": 2},
        {"num_layers": 50, "width": 2, "head": DeconvHead((6, 4), (3, 2))},
        {"num_layers": 50, "width": 2, "style": "caffe"},
        {"num_layers": 18, "head": DeconvHead((8, 8, 8), bias=True, final_kernel=3)},
        {"head": DeconvHead((), ())},
    ],
)
def test_the_network_follows_from_its_tensors(shape, tmp_path):
    network = small_network(**shape)
    path = tmp_path / ("caffe_64x64.pth" if shape.get("style") else "net_64x64.pth")
    torch.save(network.state_dict(), path)
    trained = load_trained(path)
    image = torch.randn(2, 3, 64, 64)
    heatmaps = trained.network(image)
    assert torch.equal(heatmaps, network(image))
    assert heatmaps.shape[2:] == trained.codec.heatmap_size[::-1]
    assert trained.network.num_layers == shape.get("num_layers", 10)
    assert trained.joints == SHARED_KEYPOINTS and not trained.network.training


@pytest.mark.parametrize("joints, names", [(16, MPII_KEYPOINTS), (17, COCO_KEYPOINTS)])
def test_published_checkpoints(joints, names, tmp_path):
    path = tmp_path / "pose_resnet_50_256x192.pth.tar"
    state = small_network(joints, num_layers=50, width=2).state_dict()
    # As DataParallel saved them; from before torch counted BatchNorm's batches.
    state = {f"module.{k}": v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save(state, path)
    trained = load_trained(path)
    assert trained.joints == names and trained.codec.image_size == (192, 256)
    assert trained.codec.heatmap_size == (48, 64) and not trained.color_rgb
    requested = load_trained(path, image_size=(64, 96), color_rgb=True)
    assert requested.codec.image_size == (64, 96) and requested.color_rgb


def test_settings_and_joints_kept_in_the_checkpoint(tmp_path):
    path = write_checkpoint(tmp_path / "last.pth", small_network(16), image_size=(64, 96))
    trained = load_trained(path)
    assert trained.codec.image_size == (64, 96) and trained.color_rgb and trained.joints == MPII_KEYPOINTS
    content = torch.load(path, weights_only=True)
    content["joints"] = [f"left_{i}" for i in range(8)] + [f"right_{i}" for i in range(8)]
    content["config"] += "A_SETTING_OF_LATER: 1\n"
    torch.save(content, path)
    assert load_trained(path).joints == tuple(content["joints"])


def test_settings_of_the_checkpoint_and_defaults_of_a_published_one(tmp_path):
    state = small_network().state_dict()
    torch.save(state, tmp_path / "net_64x96.pth")
    published = load_trained(tmp_path / "net_64x96.pth")
    assert published.shift_heatmap and published.codec.sigma == 2 and published.color_rgb
    assert published.codec.image_size == (96, 64)
    settings = """\
MODEL: {IMAGE_SIZE: [64, 96], EXTRA: {SIGMA: 1.5}}
DATASET: {COLOR_RGB: false}
TEST: {SHIFT_HEATMAP: false}
"""
    torch.save({"target_model": state, "config": settings}, tmp_path / "last.pth")
    trained = load_trained(tmp_path / "last.pth")
    assert not trained.shift_heatmap and trained.codec.sigma == 1.5 and not trained.color_rgb
    with captured_messages() as messages:
        requested = load_trained(tmp_path / "last.pth", color_rgb=True)
    assert requested.color_rgb and "RGB" in messages[-1]


def as_mmpose(state):
    head = ("deconv_layers", "final_layer")
    return {
        ("keypoint_head." if name.startswith(head) else "backbone.") + name: v for name, v in state.items()
    }


@pytest.mark.parametrize(
    "name, size",
    [
        ("res50_coco_256x192-ec54d7f3_20200709.pth", (192, 256)),
        ("td-hm_res50_8xb64-210e_coco-256x192-04af38ce_20220923.pth", (192, 256)),
        ("res50_coco_384x288_dark-33d3e5e5_20210203.pth", (288, 384)),
    ],
)
def test_checkpoints_of_mmpose(name, size, tmp_path):
    network = small_network(17)
    torch.save({"meta": {"epoch": 210}, "state_dict": as_mmpose(network.state_dict())}, tmp_path / name)
    trained = load_trained(tmp_path / name)
    assert trained.joints == COCO_KEYPOINTS and trained.codec.image_size == size
    assert trained.color_rgb  # unlike SimpleBaseline's with as many joints
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(trained.network(images), network(images))


def test_joints_of_mmposes_animals_are_not_taken_for_those_of_people(tmp_path):
    names = [f"{side}_{part}" for part in "abcdefgh" for side in "LR"] + ["Nose"]  # 17, as COCO's
    described = {
        "dataset_name": "ap10k",
        "keypoint_id2name": dict(enumerate(names)),
        "flip_indices": [j ^ 1 for j in range(16)] + [16],
        "skeleton_links": [(0, 16)],
        "sigmas": np.ones(17, np.float32),
        "keypoint_colors": np.zeros((17, 3), np.uint8),
    }
    content = {"meta": {"dataset_meta": described}, "state_dict": as_mmpose(small_network(17).state_dict())}
    torch.save(content, tmp_path / "res10_ap10k-64x64.pth")
    category = load_trained(tmp_path / "res10_ap10k-64x64.pth").category
    assert category.name == "ap10k" and not category.ids
    assert category.skeleton.names == tuple(names) and category.skeleton.limbs == [(0, 16)]


@pytest.mark.parametrize(
    "joints, content, rgb",
    [
        (17, {}, False),  # published
        (16, {}, False),
        (13, {}, True),
        (17, {"config": "DATASET: {COLOR_RGB: true}"}, True),
        (17, {"config": "DATASET: {COLOR_RGB: auto}"}, True),
        (13, {"config": "DATASET: {COLOR_RGB: false}"}, False),
        (17, {"config": "SEED: 1"}, True),
    ],
)
def test_color_order(joints, content, rgb, tmp_path):
    torch.save({"state_dict": small_network(joints).state_dict(), **content}, tmp_path / "a.pth")
    assert color_order(read_weights(tmp_path / "a.pth")).rgb is rgb


@pytest.mark.parametrize(
    "given, rgb, warns", [("auto", False, False), (True, True, True), (False, False, False)]
)
def test_color_order_of_an_evaluation(given, rgb, warns, tmp_path):
    torch.save(small_network(17).state_dict(), tmp_path / "a.pth")
    (tmp_path / "c.yaml").write_text(f"DATASET: {{COLOR_RGB: {given}}}")
    config = load_config(tmp_path / "c.yaml")
    with captured_messages() as messages:
        config = with_color_order(config, read_weights(tmp_path / "a.pth"))
    assert config.dataset.reads_rgb is rgb
    assert any("BGR" in message for message in messages) is (warns or given == "auto")


@pytest.mark.parametrize("style", ["pytorch", "caffe"])
def test_the_style_is_that_of_the_settings_whatever_the_name(style, tmp_path):
    network = small_network(num_layers=50, width=2, style=style)
    settings = f"MODEL: {{IMAGE_SIZE: [64, 64], STYLE: {style}}}"
    torch.save({"target_model": network.state_dict(), "config": settings}, tmp_path / "caffe_run.pth")
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(load_trained(tmp_path / "caffe_run.pth").network(images), network(images))


def spoilt(tensors):
    tensors["conv1.weight"][0, 0, 0, 0] = float("nan")
    return tensors


@pytest.mark.parametrize(
    "change, name, expected",
    [
        (lambda t: {k: v for k, v in t.items() if "final" not in k}, "a_64x64.pth", "final_layer.weight"),
        (lambda t: {k: v for k, v in t.items() if not k.startswith("layer3")}, "a_64x64.pth", "1, 1, 0, 1 blocks"),
        (lambda t: {k: v for k, v in t.items() if k != "layer1.0.bn1.weight"}, "a_64x64.pth", "re-initialized 1"),
        (spoilt, "a_64x64.pth", "not finite"),
        (lambda t: t, "a.pth", "--image-size"),
        (lambda t: t, "a_60x64.pth", "multiples of 32"),
        (lambda t: {"target_model": t, "joints": ["nose"] * 13}, "a_64x64.pth", "13 different names"),
        (lambda t: {"target_model": t, "joints": [*SHARED_KEYPOINTS[:12], 7]}, "a_64x64.pth", "13 different names"),
        (lambda t: {"target_model": t, "joints": torch.zeros(2, 2)}, "a_64x64.pth", "13 different names"),
        (lambda t: {"target_model": t, "config": "MODEL: {IMAGE_SIZE: [64]}"}, "a.pth", "a width and a height"),
        (lambda t: {"target_model": t, "config": "{"}, "a.pth", "not valid YAML"),
    ],
)  # fmt: skip
def test_one_clear_error(change, name, expected, tmp_path):
    torch.save(change(small_network().state_dict()), tmp_path / name)
    with pytest.raises(InputError, match=expected) as error:
        load_trained(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_number_of_joints_without_names(tmp_path):
    torch.save(PoseResNet(10, 5, width=2, head=DeconvHead((4, 4, 4))).state_dict(), tmp_path / "a_64x64.pth")
    with pytest.raises(InputError, match="5 heatmaps.*'joints'"):
        load_trained(tmp_path / "a_64x64.pth")
