"""Device, disk and memory, against sizes calculated by hand."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from torch import nn

import lib.doctor.machine as machine
from lib.config.schema import Config, IgnoringConfig, TrainConfig
from lib.doctor.findings import Level
from lib.ignoring.trainable_model import TrainableModel
from lib.ignoring.variables import PersistentWeights
from lib.training.state import State

CPU = torch.device("cpu")
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def state():
    """A model of 12 float32 parameters, and variables of 5 x 3 keypoints."""
    model = nn.Linear(3, 3)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    variables = {"B": PersistentWeights(5, (1, 0, 2), 0.7)}
    return State("ours1", TrainableModel(model, optimizer, parameters), None, variables)


@pytest.mark.parametrize(("optimizer", "moments"), [("adam", 2), ("sgd", 1)])
def test_size_of_a_checkpoint(state, optimizer, moments):
    tables = state.variables["B"].state_dict().values()
    of_variables = sum(t.numel() * t.element_size() for t in tables if torch.is_tensor(t))
    assert of_variables >= 5 * 3 * 4
    config = Config(train=TrainConfig(optimizer=optimizer))
    assert machine.checkpoint_bytes(config, state) == 12 * 4 * (1 + moments) + of_variables


@pytest.mark.parametrize(
    ("share", "retrain", "level"),
    [
        (0.99, 0.0, Level.ERROR),
        (1.5, 0.0, Level.WARNING),
        (2.5, 0.0, Level.OK),
        (1.5, 0.5, Level.ERROR),  # retraining writes checkpoints of its own
    ],
)
def test_disk(state, tmp_path, monkeypatch, share, retrain, level):
    config = Config(lbi=IgnoringConfig(retrain=retrain))
    free = int(share * 3 * machine.checkpoint_bytes(config, state))
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(Path(path)) or Usage(1, 1, free))
    finding = machine.check_disk(config, state, tmp_path / "not" / "there")
    assert finding.level is level and str(tmp_path) in finding.result
    assert asked == [tmp_path]  # the part of the path that exists


def test_disk_below_a_file(state, tmp_path):
    (tmp_path / "file").write_text("")
    finding = machine.check_disk(Config(), state, tmp_path / "file" / "output")
    assert finding.level is Level.ERROR and "OUTPUT_DIR" in finding.advice


@pytest.mark.parametrize(
    ("cache", "workers", "level"),
    [(0, 0, Level.OK), (60, 0, Level.OK), (71, 1, Level.WARNING), (45, 2, Level.ERROR)],
)
def test_memory(monkeypatch, cache, workers, level):
    """10 bytes of steps, and the cache of every worker, of 100."""
    monkeypatch.setattr(machine, "machine_memory", lambda: 99.5)
    (finding,) = machine.check_memory(CPU, 10, cache, workers)
    assert (finding.level, finding.subject) == (level, "memory")
    assert ("DATASET.CACHE" in finding.advice) == (level is not Level.OK)


def test_memory_of_the_machine_is_limited_by_its_container(monkeypatch):
    whole = machine.machine_memory()
    assert whole > 2**20
    monkeypatch.setattr(Path, "read_text", lambda self: "4096\n")
    assert machine.machine_memory() == 4096
    monkeypatch.setattr(Path, "read_text", lambda self: "max\n")
    assert machine.machine_memory() >= whole


def test_device(monkeypatch):
    finding, device = machine.check_device(Config(device="cpu"))
    assert finding.level is Level.OK and device == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    finding, device = machine.check_device(Config(device="cuda"))
    assert finding.level is Level.ERROR and device is None and "DEVICE auto" in finding.advice
