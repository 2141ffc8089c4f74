"""train.py: its first step and its logged loss against SimpleBaseline's, written from the formula."""

import copy
import json

import pytest
import torch
import torch.nn.functional as F

from lib.training import trainer
from pose_estimation import main, train
from tests.pose_estimation.test_valid import last_line, single

LR, MOMENTUM, DECAY = 20.0, 0.9, 0.003


def joints_mse(predicted, wanted, weights):
    """SimpleBaseline's JointsMSELoss: joint by joint, half the mean over people and pixels; mean of the joints."""
    total = torch.zeros((), dtype=torch.float64)
    for j in range(predicted.shape[1]):
        scale = weights[:, j, None, None]
        total = total + 0.5 * F.mse_loss(predicted[:, j] * scale, wanted[:, j] * scale)
    return total / predicted.shape[1]


@pytest.fixture
def first_step(monkeypatch):
    """The network before the first step of a run and the batches of it, filled in when the run takes it."""
    found, take = {}, trainer.run_phase_step

    def record(lbi, phase, state, batches, weighting):
        found.setdefault("network", copy.deepcopy(state.target.model))
        found.setdefault("batch", batches.target)
        return take(lbi, phase, state, batches, weighting)

    monkeypatch.setattr(trainer, "run_phase_step", record)
    return found


def first_loss(path):
    """The loss that metrics.jsonl has for the first step."""
    with open(path.with_name("metrics.jsonl")) as file:
        return next(line["loss/target"] for line in map(json.loads, file) if "loss/target" in line)


@pytest.mark.parametrize("use_target_weight", ["true", "false"])
def test_the_first_step_of_sgd_is_simple_baselines(use_target_weight, first_step, config, data, capsys):
    settings = ["TRAIN.OPTIMIZER", "sgd", "TRAIN.LR", str(LR), "TRAIN.MOMENTUM", str(MOMENTUM), "TRAIN.WD", str(DECAY),
                "LOSS.USE_TARGET_WEIGHT", use_target_weight, "--num_epochs", "1", "TRAIN.STEPS_PER_EPOCH", "1"]  # fmt: skip
    assert train.main(["--cfg", str(config), *single("coco", data), *settings]) == 0
    path = last_line(capsys)
    trained = torch.load(path.with_name("last.pth"), weights_only=True)["target_model"]

    network, batch = first_step["network"].double().train(), first_step["batch"]
    weights = batch.loss_weights.double()
    assert (weights == 0).any() == (use_target_weight == "true")
    loss = joints_mse(network(batch.images.double()), batch.heatmaps.double(), weights)
    assert first_loss(path) == pytest.approx(loss.item(), rel=1e-4)
    names, parameters = zip(*network.named_parameters())
    for name, before, gradient in zip(names, parameters, torch.autograd.grad(loss, parameters)):
        step = -LR * (gradient + DECAY * before.detach())
        taken = trained[name].double() - before.detach()
        assert (taken - step).norm() <= 2e-3 * step.norm() + 1e-6, name


def test_main_trains_on_the_sum_and_logs_the_same_scale(first_step, config, capsys):
    assert main.main(["--cfg", str(config), "--baseline1", "--num_epochs", "1"]) == 0
    network, batch = first_step["network"].double().train(), first_step["batch"]
    predicted = network(batch.images.double())
    loss = joints_mse(predicted, batch.heatmaps.double(), batch.loss_weights.double())
    assert first_loss(last_line(capsys)) == pytest.approx(loss.item(), rel=1e-4)
    pixels = predicted.shape[2] * predicted.shape[3]
    assert batch.losses(predicted.float()).mean().item() == pytest.approx(pixels * loss.item(), rel=1e-4)


def test_a_run_on_the_sum_is_not_resumed_on_the_mean(config, data, capsys):
    words = ["--cfg", str(config), *single("mpii", data)]
    assert train.main([*words, "--num_epochs", "1"]) == 0
    last = last_line(capsys).with_name("last.pth")
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint.pop("loss_over_pixels") == "mean"
    torch.save(checkpoint, last)  # as earlier versions wrote it
    assert train.main([*words, "--resume"]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"error: {last}: cannot resume") and "\n" not in error
