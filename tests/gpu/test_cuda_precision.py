"""Hypergradients on CUDA in float32, tf32 and bf16, and in another memory layout, against float64.

Relative errors are norms of differences over norms; they are in the report of pytest's --junitxml.
"""

from dataclasses import replace

import pytest
import torch

from lib.ignoring.bilevel_step import Options
from lib.ignoring.modes import MODES
from lib.ignoring.trainable_model import TrainableModel
from lib.ignoring.variables import OnlineWeights
from lib.models.pose_resnet import DeconvHead
from tests.factories.jvp_cases import batch_and_direction, trained_resnet
from tests.factories.setups import as_batch
from tests.factories.step_cases import take
from tests.gpu.on_device import NEEDS_DEVICE, learner_on_device, on_device, relative_error

pytestmark = NEEDS_DEVICE

LAM, GAMMA, PEOPLE, JOINTS, WARM = 1e-3, 0.5, 8, 5, 30
MODES_HERE = {"ours1": "B", "ours2": "A", "ours5": "AB"}
# name: (numbers of parameters, autocast, tf32)
PRECISIONS = {
    "float32": (torch.float32, None, False),
    "tf32": (torch.float32, None, True),
    "bf16": (torch.float32, torch.bfloat16, False),
}
# Largest relative error of a hypergradient: along the validation gradient, and through Adam's derivative,
# which gives parameters with small gradients a large weight and so lets small errors grow.
LAYERS = {"all": (), "final": ("final_layer",)}
LARGEST = {"float32": (1e-4, 1e-3), "tf32": (0.03, 0.1), "bf16": (0.2, 0.5)}


@pytest.fixture(scope="module")
def batches():
    """{target, source, validation: (images, heatmaps, target_weight)} of 64x64 images, on the CPU."""
    model = network()
    torch.manual_seed(1)
    found = {}
    for name in ("target", "source", "validation"):
        images, heatmaps, weight = batch_and_direction(model, (64, 64), PEOPLE)[0]
        found[name] = (torch.randn_like(images), torch.rand_like(heatmaps), weight)
    return found


def network():
    return trained_resnet(10, num_joints=JOINTS, width=16, head=DeconvHead((32, 32), (4, 4)))


@pytest.fixture(scope="module")
def warmed(batches):
    """{target, source: a learner on the CPU in float64}, some steps from its start."""
    found = {}
    for name in ("target", "source"):
        model = network()
        parameters = list(model.parameters())
        made = TrainableModel(model, torch.optim.Adam(parameters, lr=1e-3), parameters)
        for _ in range(WARM):  # fresh noise, so that no parameter's moments are near zero
            images, *rest = batches[name]
            made.step(made.local_gradient(made.losses(as_batch(torch.randn_like(images), *rest)).mean()))
        found[name] = made
    return found


def along(warmed, layers):
    """Learners whose hypergradients are taken along one of ``LAYERS``."""
    return {name: replace(made, hypergradient_layers=LAYERS[layers]) for name, made in warmed.items()}


def record_of(mode, warmed, batches, dtype=torch.float64, through_optimizer=False, **how):
    """What one step of ``mode`` sees on the device from the state ``warmed``, and the parameters after it."""
    target = learner_on_device(warmed["target"], dtype, **how)
    source = learner_on_device(warmed["source"], dtype, **how) if MODES[mode].has_source_model else None
    given = on_device({name: tuple(part.to(dtype) for part in batch) for name, batch in batches.items()})
    if how.get("channels_last"):
        given = {
            name: (images.contiguous(memory_format=torch.channels_last), *rest)
            for name, (images, *rest) in given.items()
        }
    variables = {
        place: on_device(OnlineWeights(PEOPLE, range(JOINTS)).to(dtype)) for place in MODES_HERE.get(mode, "")
    }
    index, flipped = torch.arange(PEOPLE), torch.zeros(PEOPLE, dtype=torch.bool)
    options = Options(LAM, GAMMA, through_optimizer=through_optimizer)
    record = take(MODES[mode], options, target, source, variables, given, *on_device((index, flipped)))
    return record, target.parameters


@pytest.mark.parametrize("through_optimizer", [False, True], ids=["plain", "through Adam"])
@pytest.mark.parametrize("mode", MODES_HERE)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("layers", LAYERS)
def test_hypergradients_in_fewer_digits(
    layers, precision, mode, through_optimizer, warmed, batches, record_property
):
    dtype, autocast, tf32 = PRECISIONS[precision]
    warmed = along(warmed, layers)
    exact, _ = record_of(mode, warmed, batches, through_optimizer=through_optimizer)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32  # until the test's end
    found, _ = record_of(mode, warmed, batches, dtype, through_optimizer, fused=True, autocast=autocast)
    for place, expected in exact.hypergradients.items():
        assert found.hypergradients[place].dtype == torch.float32
        error = relative_error(found.hypergradients[place], expected)
        record_property(f"relative error of {place}", f"{error:.2g}")
        assert error < LARGEST[precision][through_optimizer]
        # Fewer digits were really computed in.
        assert error > (1e-4 if autocast else 1e-9)


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("mode", ["baseline2", *MODES_HERE])
def test_channels_last_gives_the_same_numbers(mode, layers, warmed, batches):
    warmed = along(warmed, layers)
    expected, parameters = record_of(mode, warmed, batches, through_optimizer=True)
    found, others = record_of(mode, warmed, batches, through_optimizer=True, channels_last=True)
    assert any(not p.is_contiguous() for p in others)
    for place, gradient in expected.hypergradients.items():
        assert relative_error(found.hypergradients[place], gradient) < 1e-9
        assert relative_error(found.weights[place], expected.weights[place]) < 1e-9
    assert relative_error(others, parameters) < 1e-10


@pytest.mark.parametrize("mode", MODES_HERE)
@pytest.mark.parametrize("autocast", [None, torch.bfloat16], ids=["float32", "bf16"])
@pytest.mark.parametrize("layers", LAYERS)
def test_channels_last_in_single_precision_and_less(layers, autocast, mode, warmed, batches):
    warmed = along(warmed, layers)
    exact, _ = record_of(mode, warmed, batches)
    found, _ = record_of(
        mode, warmed, batches, torch.float32, channels_last=True, fused=True, autocast=autocast
    )
    for place, expected in exact.hypergradients.items():
        assert (
            relative_error(found.hypergradients[place], expected)
            < LARGEST["bf16" if autocast else "float32"][0]
        )
