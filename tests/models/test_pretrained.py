import pytest
import torch
import torchvision

from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS
from lib.models.pose_resnet import DeconvHead, PoseResNet
from lib.models.pretrained import imagenet_weights_path, load_weights, load_whole_network
from lib.models.weights_file import Weights, read_state_dict
from lib.utils.errors import InputError
from lib.utils.log import captured_messages


def thin(num_joints, **head):
    return PoseResNet(18, num_joints, width=4, head=DeconvHead((8, 8, 8), **head))


def filled(model, seed=1):
    """A state dict like the model's, all its values random."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(tensor.shape, generator=generator).to(tensor.dtype)
        for name, tensor in model.state_dict().items()
    }


def assert_same(tensors, expected):
    assert tensors.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(tensors[name], expected[name], rtol=0, atol=0)


def test_own_checkpoint_is_loaded_whole():
    model = thin(13)
    weights = filled(model)
    report = load_weights(model, weights)
    assert_same(model.state_dict(), weights)
    assert (set(report.loaded), report.dropped, report.reinitialized) == (set(weights), {}, ())
    assert report.summary() == f"loaded {len(weights)} tensors"


def test_imagenet_backbone_is_loaded_without_its_classifier():
    torch.manual_seed(0)
    weights = filled(torchvision.models.resnet18())
    model = PoseResNet(18, 13)
    head = {n: t.clone() for n, t in model.state_dict().items() if n.startswith(("deconv", "final"))}
    report = load_weights(model, weights)

    assert report.dropped == {"fc.weight": "not in the network", "fc.bias": "not in the network"}
    assert set(report.loaded) == weights.keys() - report.dropped.keys()
    assert_same(model.state_dict(), {**{name: weights[name] for name in report.loaded}, **head})
    assert set(report.reinitialized) == {n for n in head if not n.endswith("num_batches_tracked")}
    assert report.summary().splitlines() == [
        "loaded 120 tensors",
        "dropped 2: fc.weight (not in the network), fc.bias (not in the network)",
        "re-initialized 17: deconv_layers (15), final_layer (2)",
    ]


# The mappings of the original research code, by position
FROM_COCO = [16, 14, 12, 11, 13, 15, 0, 10, 8, 6, 5, 7, 9]
FROM_MPII = [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15]


@pytest.mark.parametrize("count, rows", [(17, FROM_COCO), (16, FROM_MPII)])
def test_published_checkpoint_gives_the_shared_joints(tmp_path, count, rows):
    published = filled(thin(count))
    old = {n: t for n, t in published.items() if not n.endswith("num_batches_tracked")}
    torch.save(
        {"epoch": 140, "state_dict": {f"module.{n}": t for n, t in old.items()}}, tmp_path / "pose.pth.tar"
    )
    model = thin(13)
    report = load_weights(model, read_state_dict(tmp_path / "pose.pth.tar"))

    assert (set(report.loaded), report.dropped, report.reinitialized) == (set(old), {}, ())
    for name, tensor in model.named_parameters():
        expected = old[name][rows] if name.startswith("final_layer") else old[name]
        torch.testing.assert_close(tensor.detach(), expected, rtol=0, atol=0)


def final_bias(model):
    return model.final_layer.bias.tolist()


def numbered(model):
    """Weights of ``model`` in which the bias of each heatmap is its number."""
    weights = filled(model)
    weights["final_layer.bias"] = torch.arange(len(weights["final_layer.bias"])).float()
    return weights


def test_joints_may_be_named():
    names = ("head", "left_wrist")
    for count, expected in ((17, [0, 9]), (16, [9, 15])):
        model = thin(2)
        load_weights(model, numbered(thin(count)), joints=names)
        assert final_bias(model) == expected
    model = thin(2)
    load_weights(model, numbered(thin(3)), source_joints=("left_wrist", "neck", "head"), joints=names)
    assert final_bias(model) == [2, 0]
    model = thin(13)
    load_weights(model, numbered(model), source_joints=SHARED_KEYPOINTS[::-1])
    assert final_bias(model) == list(range(13))[::-1]


def test_equal_numbers_of_joints_are_equal_joints_unless_named():
    model = thin(13)
    load_weights(model, numbered(model), joints=SHARED_KEYPOINTS[::-1])
    assert final_bias(model) == list(range(13))


@pytest.mark.parametrize(
    "count, source_joints, network",
    [
        (17, None, MPII_KEYPOINTS),  # COCO annotates no pelvis
        (13, None, COCO_KEYPOINTS),
        (2, ("head", "neck"), ("head", "tail")),  # as many, but not the same
        (5, None, SHARED_KEYPOINTS),  # unknown names
    ],
)
def test_head_of_other_joints_is_dropped(count, source_joints, network):
    model = thin(len(network))
    before = {n: t.clone() for n, t in model.final_layer.state_dict().items()}
    report = load_weights(model, numbered(thin(count)), source_joints=source_joints, joints=network)
    assert list(report.dropped) == list(report.reinitialized) == ["final_layer.weight", "final_layer.bias"]
    assert_same(model.final_layer.state_dict(), before)


def test_wrong_number_of_named_joints_is_refused():
    with pytest.raises(InputError, match="has 17 heatmaps; expected 13"):
        load_weights(thin(13), filled(thin(17)), source_joints=SHARED_KEYPOINTS)


def test_other_shapes_are_dropped_and_listed():
    model = thin(13, final_kernel=3)
    report = load_weights(model, filled(thin(13)))
    assert report.dropped == {"final_layer.weight": "13x8x1x1, the network's is 13x8x3x3"}
    assert report.reinitialized == ("final_layer.weight",)


def test_long_lists_are_cut_in_the_summary():
    report = load_weights(thin(13), filled(PoseResNet(34, 13, width=4, head=DeconvHead((8, 8, 8)))))
    assert len(report.dropped) > 50 and not report.reinitialized
    assert len(report.summary().splitlines()) == 2
    assert report.summary().endswith(f"and {len(report.dropped) - 4} more")


def test_checkpoint_of_something_else_is_refused():
    with pytest.raises(InputError, match="2 tensors begin with weight, bias"):
        load_weights(thin(13), torch.nn.Linear(2, 2).state_dict())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_that_are_not_finite_are_refused_by_name(value):
    model = thin(13)
    weights = filled(model)
    weights["layer3.0.conv1.weight"][0, 0, 0, 0] = value
    with pytest.raises(InputError, match=r"layer3\.0\.conv1\.weight"):
        load_weights(model, weights)


def test_older_name_of_imagenet_weights_finds_the_newer(tmp_path):
    wanted = tmp_path / "resnet50-19c8e357.pth"
    for name in ("resnet50-caffe.pth", "resnet101-63fe2227.pth", "resnet50-0676ba61.pth.partial"):
        (tmp_path / name).touch()
    assert imagenet_weights_path(wanted) == wanted

    newer = tmp_path / "resnet50-0676ba61.pth"
    newer.touch()
    with captured_messages() as messages:
        assert imagenet_weights_path(str(wanted)) == newer
    (message,) = messages
    assert str(wanted) in message and str(newer) in message

    wanted.touch()
    assert imagenet_weights_path(wanted) == wanted


def test_only_imagenet_weights_of_the_same_style_stand_in(tmp_path):
    (tmp_path / "resnet50-0676ba61.pth").touch()
    (tmp_path / "mine-new.pth").touch()
    for name in ("resnet50-caffe.pth", "mine-old.pth"):
        assert imagenet_weights_path(tmp_path / name) == tmp_path / name


def test_a_whole_network_is_all_tensors_of_its_layers_and_no_others_within():
    model = thin(13)
    own = filled(model)

    def loaded(tensors):
        return load_whole_network(thin(13), Weights("a.pth", tensors, {}, False))

    assert set(loaded(own).loaded) == set(own)
    assert "loss.scale" in loaded(own | {"loss.scale": torch.ones(2)}).dropped  # beside the network
    for spoilt, expected in (
        (own | {"layer1.0.attention.weight": torch.ones(2)}, "1 of its tensors .*layer1.0.attention.weight"),
        ({name: own[name] for name in own if name != "final_layer.bias"}, "final_layer .1.; expected all"),
        (own | {"bn1.weight": torch.full_like(own["bn1.weight"], torch.nan)}, "bn1.weight .*not finite"),
        ({"x.weight": torch.ones(2)}, "no tensor of the checkpoint fits"),
    ):
        with pytest.raises(InputError, match=f"a.pth: .*{expected}"):
            loaded(spoilt)
