import pytest
import torch
import torchvision
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torchvision.models.resnet import BasicBlock

from lib.config.schema import ModelConfig, ModelExtraConfig
from lib.models.pose_resnet import DeconvHead, PoseResNet, build_pose_resnet
from lib.utils.errors import InputError

DEPTHS = (18, 34, 50, 101, 152)


def config(**extra):
    settings = {"num_layers": 18, "width": 8, "num_deconv_filters": (16, 16, 16)}
    return ModelConfig(extra=ModelExtraConfig(**{**settings, **extra}))


def shapes(model):
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def shake(model):
    """Random BatchNorm statistics and weights, so that none of them can be left out unnoticed."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)


@pytest.mark.parametrize("depth", DEPTHS)
def test_parameters_are_those_of_torchvision_and_the_published_head(depth):
    with torch.device("meta"):
        ours = shapes(PoseResNet(depth, 17))
        backbone = shapes(torchvision.models.get_model(f"resnet{depth}"))
    del backbone["fc.weight"], backbone["fc.bias"]
    features = 512 if depth < 50 else 2048
    head = {"final_layer.weight": (17, 256, 1, 1), "final_layer.bias": (17,)}
    for conv, bn, channels in ((0, 1, features), (3, 4, 256), (6, 7, 256)):
        head[f"deconv_layers.{conv}.weight"] = (channels, 256, 4, 4)
        for name in ("weight", "bias", "running_mean", "running_var"):
            head[f"deconv_layers.{bn}.{name}"] = (256,)
        head[f"deconv_layers.{bn}.num_batches_tracked"] = ()
    assert ours == {**backbone, **head}


def test_resnet_10_has_one_block_a_stage():
    with torch.device("meta"):
        ours = shapes(PoseResNet(10, 13))
        backbone = shapes(torchvision.models.ResNet(BasicBlock, [1, 1, 1, 1]))
    del backbone["fc.weight"], backbone["fc.bias"]
    assert {name: shape for name, shape in ours.items() if name in backbone} == backbone
    assert {name.partition(".")[0] for name in ours.keys() - backbone} == {"deconv_layers", "final_layer"}


@pytest.mark.parametrize("depth, millions", [(50, 34.0), (101, 53.0), (152, 68.6)])
def test_number_of_parameters_is_the_published_one(depth, millions):
    # Table 1 of https://arxiv.org/abs/1902.09212
    with torch.device("meta"):
        model = PoseResNet(depth, 17)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == millions


@pytest.mark.parametrize("depth", [18, 50])
def test_features_are_those_of_torchvision(depth):
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(f"resnet{depth}").eval()
    shake(theirs)
    ours = PoseResNet(depth, 13).eval()
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert unexpected == ["fc.weight", "fc.bias"]
    assert {name.partition(".")[0] for name in missing} == {"deconv_layers", "final_layer"}

    features = {}
    ours.layer4.register_forward_hook(lambda module, args, output: features.update(layer4=output))
    images = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        ours(images)
        expected = nn.Sequential(*list(theirs.children())[:-2])(images)
    assert features["layer4"].shape == (2, 512 if depth == 18 else 2048, 3, 2)
    torch.testing.assert_close(features["layer4"], expected)


def test_caffe_style_differs_in_strides_only():
    with torch.device("meta"):
        ours, caffe = PoseResNet(50, 13), PoseResNet(50, 13, style="caffe")
    assert shapes(caffe) == shapes(ours)
    described = dict(caffe.named_modules())
    moved = set()
    for name, module in ours.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            other = described[name]
            assert (module.kernel_size, module.padding) == (other.kernel_size, other.padding)
            if module.stride != other.stride:
                moved.add((name, module.stride[0], other.stride[0]))
    stages = ("layer2.0", "layer3.0", "layer4.0")
    assert moved == {(f"{s}.conv1", 1, 2) for s in stages} | {(f"{s}.conv2", 2, 1) for s in stages}


def test_caffe_style_takes_every_second_pixel_before_the_block():
    # A strided 1x1 convolution sees every second pixel only: the whole block may as well be fed those.
    torch.manual_seed(0)
    block = PoseResNet(50, 13, width=8, style="caffe").eval().layer2[0]
    x = torch.randn(1, 32, 8, 6)
    with torch.no_grad():
        strided = block(x)
        for conv in (block.conv1, block.downsample[0]):
            conv.stride = (1, 1)
        torch.testing.assert_close(strided, block(x[:, :, ::2, ::2]))


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_depth_gives_heatmaps_of_a_quarter_of_the_image(depth):
    model = build_pose_resnet(config(num_layers=depth)).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 96, 64)).shape == (1, 13, 24, 16)


@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_transposed_convolutions_double_the_size(kernel):
    extra = {"num_deconv_layers": 2, "num_deconv_filters": [16, 12], "num_deconv_kernels": [kernel, kernel]}
    model = build_pose_resnet(config(**extra)).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 96, 64)).shape == (1, 13, 12, 8)
    assert shapes(model)["deconv_layers.3.weight"] == (16, 12, kernel, kernel)
    assert shapes(model)["final_layer.weight"] == (13, 12, 1, 1)


def test_final_kernel_and_bias_of_the_transposed_convolutions():
    model = build_pose_resnet(config(final_conv_kernel=3, deconv_with_bias=True)).eval()
    assert shapes(model)["final_layer.weight"] == (13, 16, 3, 3)
    assert shapes(model)["deconv_layers.0.bias"] == (16,)
    assert not model.deconv_layers[0].bias.any()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 64, 64)).shape == (1, 13, 16, 16)


def test_initialization():
    torch.manual_seed(0)
    model = PoseResNet(18, 17)
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all() and (module.bias == 0).all() and module.momentum == 0.1
        elif isinstance(module, nn.ConvTranspose2d) or name == "final_layer":
            assert module.weight.std().item() == pytest.approx(0.001, rel=0.05)
        elif isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
    assert not model.final_layer.bias.any()


@pytest.mark.parametrize(
    "extra, message",
    [
        ({"num_layers": 42}, "NUM_LAYERS is 42; expected one of 10, 18, 34, 50, 101, 152"),
        ({"num_deconv_kernels": [4, 5, 4]}, "NUM_DECONV_KERNELS is 5; expected one of 4, 3, 2"),
        ({"num_deconv_kernels": [4, 4]}, "NUM_DECONV_KERNELS has 2 entries; expected 3"),
        ({"num_deconv_filters": [256] * 4}, "NUM_DECONV_FILTERS has 4 entries; expected 3"),
        ({"num_deconv_filters": [256, 0, 256]}, "NUM_DECONV_FILTERS is 0; expected 1 or more"),
        ({"final_conv_kernel": 2}, "FINAL_CONV_KERNEL is 2; expected one of 1, 3"),
        ({"width": 0}, "WIDTH is 0; expected 1 or more"),
    ],
)
def test_impossible_settings_are_refused(extra, message):
    with pytest.raises(InputError, match=message):
        build_pose_resnet(config(**extra))


def test_impossible_styles_are_refused():
    with pytest.raises(InputError, match="STYLE of a ResNet-50 is 'tf'; expected one of pytorch, caffe"):
        PoseResNet(50, 13, style="tf")
    with pytest.raises(InputError, match="STYLE of a ResNet-18 is 'caffe'; expected one of pytorch"):
        PoseResNet(18, 13, style="caffe")


@pytest.mark.parametrize("depth, style", [(18, "pytorch"), (50, "pytorch"), (50, "caffe")])
def test_forward_mode_derivative_in_train_mode_is_that_of_finite_differences(depth, style):
    torch.manual_seed(0)
    model = PoseResNet(depth, 5, width=4, style=style, head=DeconvHead((8, 8), (4, 4)))
    model = model.double().train()
    shake(model)
    images = torch.randn(4, 3, 64, 64, dtype=torch.float64)
    weights = {name: p.detach() for name, p in model.named_parameters()}
    direction = {name: torch.randn_like(p) * p.abs().mean() for name, p in weights.items()}

    with forward_ad.dual_level(), torch.no_grad():
        dual = {name: forward_ad.make_dual(p, direction[name]) for name, p in weights.items()}
        heatmaps, tangent = forward_ad.unpack_dual(functional_call(model, dual, (images,)))

    def shifted(step):
        with torch.no_grad():
            return functional_call(model, {n: p + step * direction[n] for n, p in weights.items()}, (images,))

    step = 1e-8  # so small that hardly a ReLU changes its mind
    expected = (shifted(step) - shifted(-step)) / (2 * step)
    torch.testing.assert_close(heatmaps, shifted(0.0))
    assert (tangent - expected).norm() < 1e-5 * expected.norm()
