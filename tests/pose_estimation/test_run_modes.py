"""Modes side by side: results of each, nothing run twice, failures, and a clean stop."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pose_estimation import run_modes
from pose_estimation.run_modes import MAIN, SideBySide, build_parser, is_finished, results_path
from tests.factories.small_run import make_data, results_of, write_config


@pytest.mark.slow
def test_trains_the_modes_and_skips_finished_ones(tmp_path, capsys):
    config = write_config(tmp_path, make_data(tmp_path))
    words = ["--cfg", str(config), "--modes", "ours1,baseline1", "TRAIN.END_EPOCH", "1"]
    assert run_modes.main(words) == 0
    assert results_of(config, "ours1")["mode"] == "ours1" and results_of(config, "baseline1")["steps"] == 2
    lines = capsys.readouterr().out.splitlines()
    assert {line.partition("|")[0].strip() for line in lines} == {"ours1", "baseline1"}
    assert run_modes.main(words) == 0
    assert capsys.readouterr().out == ""


def test_finished_means_newer_than_the_settings(tmp_path):
    config = write_config(tmp_path, tmp_path)
    results = results_path(config, "ours1", [])
    assert results == tmp_path / "output/coco_to_mpii/pose_resnet_18/small/ours1/results.json"
    assert not is_finished(results, config)
    results.parent.mkdir(parents=True)
    results.write_text("{}")
    os.utime(config, (0, 0))
    assert is_finished(results, config)
    os.utime(config, (time.time() + 60,) * 2)
    assert not is_finished(results, config)


def command_lines(tmp_path, monkeypatch, *words):
    config, seen = write_config(tmp_path, tmp_path), {}
    monkeypatch.setattr(
        SideBySide, "run", lambda self, commands: seen.update(commands) or {"jobs": 0, "n": self.jobs}
    )
    run_modes.train_modes(build_parser().parse_intermixed_args(["--cfg", str(config), *words]))
    return seen


def test_the_cores_are_shared_out(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    words = ("--modes", "baseline1,baseline2", "--jobs", "2", "SEED", "5")
    commands = command_lines(tmp_path, monkeypatch, *words)
    assert list(commands) == ["baseline1", "baseline2"]
    assert commands["baseline2"][2:] == [
        str(MAIN), "--cfg", str(tmp_path / "small.yaml"), "--baseline2", "SEED", "5", "THREADS", "4",
    ]  # fmt: skip
    given = command_lines(tmp_path, monkeypatch, *words, "THREADS", "3")
    assert given["baseline1"][-2:] == ["THREADS", "3"] and given["baseline1"].count("THREADS") == 1


@pytest.mark.parametrize("words, named", [(["--modes", "ours1,our2"], "our2"), (["--modes", "ours1", "--jobs", "0"], "--jobs")])  # fmt: skip
def test_names_what_it_cannot_use(tmp_path, capsys, words, named):
    assert run_modes.main(["--cfg", str(write_config(tmp_path, tmp_path)), *words]) == 2
    assert named in capsys.readouterr().err


def test_a_failure_does_not_stop_the_others(capsys):
    say = "import sys; print(sys.argv[1]); sys.exit(int(sys.argv[2]))"
    commands = {
        name: [sys.executable, "-c", say, name.upper(), code] for name, code in (("a", "3"), ("bb", "0"))
    }
    assert SideBySide(1, 2).run(commands) == {"a": 3, "bb": 0}
    assert capsys.readouterr().out.splitlines() == ["a  | A", "bb | BB"]


WAITER = """
import sys
from pose_estimation.run_modes import SideBySide
saving = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(143)));"
saving += "print('started', flush=True); time.sleep(60)"
SideBySide(1, 1).run({name: [sys.executable, "-u", "-c", saving] for name in "ab"})
"""


def test_a_signal_is_passed_on_and_what_has_not_started_never_does():
    with subprocess.Popen([sys.executable, "-u", "-c", WAITER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "a | started\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "a | saved\n"
    assert process.returncode == 128 + signal.SIGTERM
