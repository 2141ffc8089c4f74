"""Whole runs in two processes on this machine's CPU."""

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lib.cli.launch import start_on_gpus
from lib.utils.distributed import Group
from pose_estimation import main as main_py
from pose_estimation import train as train_py
from pose_estimation import valid as valid_py
from tests.factories.small_run import RUNS, make_data, results_of, run, weights_file, write_config
from tests.harness.processes import in_processes
from tests.harness.together import RUNS_OF_MODES, train_every_mode

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def two_gpus(monkeypatch):
    """Two CUDA devices, as far as this process can see; the processes that it starts compute on the CPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def exit_code(command, config, *argv):
    with pytest.raises(SystemExit) as ended:
        command.main(["--cfg", str(config), "--gpus", "0,1", *argv])
    return ended.value.code


def torchrun(script, *argv, processes=2):
    starter = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
    return subprocess.run([*starter, str(ROOT / script), *map(str, argv)], capture_output=True, text=True)


def files_of(config, mode):
    folder = config.parent / "output" / RUNS / mode
    return {path.name for path in folder.rglob("*")}


def test_two_gpus_start_two_processes_that_train_one_model(config, two_gpus, capfd):
    """Their BatchNorm is that of all people together, so that they end as one process does (single precision)."""
    words = ["--ours1", "TRAIN.SYNC_BN", "true", "TRAIN.BATCH_SIZE", "5"]
    words += ["TRAIN.OPTIMIZER", "sgd"]  # a first step of Adam's makes much of single precision's last digits
    assert exit_code(main_py, config, *words) == 0
    captured = capfd.readouterr()
    assert "2 processes train together" in captured.out and captured.err == ""
    assert captured.out.count("epoch 1 step 4 ") == 1 and captured.out.count("results.json") == 1
    found, results, files = (
        weights_file(config, "ours1"),
        results_of(config, "ours1"),
        files_of(config, "ours1"),
    )
    shutil.rmtree(config.parent / "output")
    with pytest.MonkeyPatch.context() as alone:
        alone.setattr(torch.cuda, "is_available", lambda: False)
        assert run(config, *words) == 0
    expected = weights_file(config, "ours1")
    assert files == files_of(config, "ours1")
    assert torch.equal(found["variables"]["B"]["seen"], expected["variables"]["B"]["seen"])
    assert found["variables"]["B"]["seen"].sum() > 50
    torch.testing.assert_close(found["variables"], expected["variables"], rtol=0, atol=2e-3)
    torch.testing.assert_close(found["target_model"], expected["target_model"], rtol=1e-3, atol=1e-4)
    one = results_of(config, "ours1")
    assert results["steps"] == one["steps"] == 4 and results["test"]["people"] == one["test"]["people"]
    assert results["test"]["loss"] == pytest.approx(one["test"]["loss"], rel=1e-3)


def test_no_processes_are_started_without_need(two_gpus, monkeypatch):
    """In a process of a group, for one device, or on the CPU."""
    started = []
    monkeypatch.setattr("torch.distributed.launcher.api.elastic_launch", lambda *a: started.append(a))
    for group, settings in (
        (Group(0, 2), {"device": "auto", "gpus": "0,1"}),
        (Group(), {"device": "auto", "gpus": "1"}),
        (Group(), {"device": "cpu", "gpus": "0,1"}),
    ):
        start_on_gpus(SimpleNamespace(**settings), group, "no such script", [])
    assert started == []


@pytest.mark.slow
def test_an_error_of_one_process_is_reported_once_and_ends_all(tmp_path, two_gpus, capfd):
    """An image that only one of them reads."""
    data = make_data(tmp_path)
    config = write_config(tmp_path, data)
    image = min((data / "coco" / "images" / "train2017").iterdir())
    image.write_bytes(b"no image")
    assert exit_code(main_py, config, "--ours2", "TRAIN.SRC_BATCH_SIZE", "20") == 2
    captured = capfd.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1 and image.name in captured.err
    assert "Traceback" not in captured.out


DIES = """\
import os, signal, sys
sys.path.insert(0, {root!r})
from lib.cli.launch import run_together

def command(argv, group):
    group.barrier()
    if group.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    group.barrier()

sys.exit(run_together(command, None))
"""


@pytest.mark.slow
def test_a_process_that_is_killed_ends_all(tmp_path, two_gpus, capfd):
    script = tmp_path / "dies.py"
    script.write_text(DIES.format(root=str(ROOT)))
    with pytest.raises(SystemExit) as ended:
        start_on_gpus(SimpleNamespace(device="auto", gpus="0,1"), Group(), str(script), [])
    assert ended.value.code == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ") and "process 1" in line and "SIGKILL" in line


@pytest.mark.slow
def test_an_error_of_all_is_reported_once(config, two_gpus, capfd):
    assert exit_code(main_py, config, "--ours2", "TRAIN.BATCH_SIZE", "1") == 2
    captured = capfd.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ") and "1" in line and "2 processes" in line


@pytest.mark.slow
def test_every_mode_trains_and_visits_the_same_people_as_one_process(config, tmp_path_factory):
    in_processes(partial(train_every_mode, config), (2,), tmp_path_factory.mktemp("modes"))
    for kind, mode in RUNS_OF_MODES:
        found, results = (read(config, mode, f"two/{kind}") for read in (weights_file, results_of))
        assert results["steps"] == 4 and np.isfinite(results["test"]["loss"])
        assert (
            run(config, f"--{mode}", "LBI.VARIABLES", kind, "OUTPUT_DIR", f"{config.parent}/one/{kind}") == 0
        )
        expected = weights_file(config, mode, f"one/{kind}")
        assert found["variables"].keys() == expected["variables"].keys()
        for place, variables in expected["variables"].items():
            assert torch.equal(found["variables"][place]["seen"], variables["seen"])


@pytest.mark.slow
def test_train_and_valid_under_torchrun(config, data):
    mpii = ("DATASET.DATASET", "mpii", "DATASET.ROOT", data / "mpii")
    done = torchrun("pose_estimation/train.py", "--cfg", config, *mpii)
    assert done.returncode == 0, done.stderr
    (best,) = (config.parent / "output").rglob("best.pth")
    words = ["--cfg", str(config), *map(str, mpii), "--model-file", str(best)]
    done = torchrun("pose_estimation/valid.py", *words, processes=3)
    assert done.returncode == 0, done.stderr
    (path,) = (config.parent / "output").rglob("valid/results.json")
    found = path.read_text()
    assert valid_py.main(words) == 0
    assert path.read_text() == found
    assert train_py.ALONE.name == "train"
