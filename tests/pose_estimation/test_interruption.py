"""Tiny runs that are stopped, killed or spoiled at any moment, and go on as if nothing had been."""

import json
import multiprocessing
import os
import random
import resource
import signal
import time

import pytest
import torch

import lib.training.trainer as training
from lib.utils import checkpoint, stopping
from tests.factories.small_run import RUNS, assert_same, results_of, run, weights_file

# Every kind of state: two models and phases, variables that learn in some steps, part of V at a time, momenta.
EVERYTHING = ["LBI.VARIABLES", "loss_aware", "LBI.SCHEDULE", "source_first", "LBI.HYPERGRAD_INTERVAL", "2",
              "LBI.VAL_BATCH_SIZE", "2", "TRAIN.STEPS_PER_EPOCH", "3"]  # fmt: skip
# What of a run is a time, and so never repeats.
TIMED = ("train/seconds_per_step", "train/waited_for_data")
UNLIKE = ("seconds_per_step", "output", "log")


def folder_of(config, mode, output):
    return config.parent / output / RUNS / mode


def metrics_of(config, mode, output):
    lines = (folder_of(config, mode, output) / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in TIMED} for line in lines]


def assert_same_run(config, mode, expected, found):
    a, b = (weights_file(config, mode, output) for output in (expected, found))
    assert_same(a, b)
    a, b = (results_of(config, mode, output) for output in (expected, found))
    assert {k: v for k, v in a.items() if k not in UNLIKE} == {k: v for k, v in b.items() if k not in UNLIKE}
    assert metrics_of(config, mode, expected) == metrics_of(config, mode, found)


@pytest.fixture
def before_step(monkeypatch):
    """Steps {number: what is called just before it}."""
    calls, number, take = {}, [0], training.run_phase_step

    def call_and_take(*given):
        number[0] += 1
        if number[0] in calls:
            calls.pop(number[0])()
        return take(*given)

    monkeypatch.setattr(training, "run_phase_step", call_and_take)
    return calls


def send(number):
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("mode, steps", [("ours2", (2, 8)), ("ours5", (3, 10)), ("baseline2", (1, 5))])
def test_a_run_stopped_within_its_epochs_goes_on_to_the_bit(config, before_step, capsys, mode, steps):
    words = [f"--{mode}", *EVERYTHING]
    assert run(config, *words, "OUTPUT_DIR", str(config.parent / "whole")) == 0
    total = results_of(config, mode, "whole")["steps"]
    parts = [*words, "OUTPUT_DIR", str(config.parent / "parts")]
    done = 0
    for step in steps:
        before_step[total + step] = send(signal.SIGTERM)  # steps of the run before are counted, too
        capsys.readouterr()
        assert run(config, *parts, *["--resume"] * (done > 0)) == 128 + signal.SIGTERM
        assert f"stopped by SIGTERM after step {step}" in capsys.readouterr().err
        done = weights_file(config, mode, "parts")["step"]
        assert done == step
    assert run(config, *parts, "--resume") == 0
    assert_same_run(config, mode, "whole", "parts")


def test_ctrl_c_with_workers(config, before_step):
    words = ["--baseline2", "--workers", "2", "OUTPUT_DIR", str(config.parent / "parts")]
    before_step[3] = lambda: (
        os.killpg(0, signal.SIGINT) if os.getpgid(0) == os.getpid() else send(signal.SIGINT)()
    )

    def before():
        os.setpgrp()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    in_child(config, words, before=before, expect=128 + signal.SIGINT)
    before_step.clear()
    assert run(config, *words, "--resume") == 0
    assert run(config, "--baseline2", "OUTPUT_DIR", str(config.parent / "whole")) == 0
    assert_same_run(config, "baseline2", "whole", "parts")


def test_a_scheduler_that_asks_every_process_to_stop(config, before_step, capsys):
    words = ["--baseline2", "--workers", "2", "OUTPUT_DIR", str(config.parent / "parts")]

    def ask_all():
        workers = multiprocessing.active_children()
        assert len(workers) >= 2
        for worker in workers:
            os.kill(worker.pid, signal.SIGTERM)
        time.sleep(0.5)  # a worker that ends at once would have
        os.kill(os.getpid(), signal.SIGTERM)

    before_step[3] = ask_all
    begun = time.monotonic()
    assert run(config, *words) == 128 + signal.SIGTERM
    assert time.monotonic() - begun < stopping.GRACE_PERIOD / 2, "workers are not waited for"
    assert "stopped by SIGTERM after step 3" in capsys.readouterr().err
    assert weights_file(config, "baseline2", "parts")["step"] == 3


def test_checkpoints_by_the_clock(config, before_step):
    words = ["--ours1", "TRAIN.STEPS_PER_EPOCH", "3", "OUTPUT_DIR", str(config.parent / "parts")]

    def crash():
        raise MemoryError

    before_step[5] = crash
    with pytest.raises(MemoryError):
        run(config, *words, "TRAIN.SAVE_EVERY_MINUTES", "1e-9")
    assert weights_file(config, "ours1", "parts")["step"] == 4
    assert run(config, *words, "--resume") == 0
    assert run(config, *words[:3], "OUTPUT_DIR", str(config.parent / "whole")) == 0
    assert_same_run(config, "ours1", "whole", "parts")


def test_where_within_an_epoch_is_a_matter_of_its_steps(config, before_step, capsys):
    before_step[1] = send(signal.SIGTERM)
    assert run(config, "--baseline1") == 143
    for key, value in (("TRAIN.STEPS_PER_EPOCH", "3"), ("TRAIN.BATCH_SIZE", "5")):
        capsys.readouterr()
        assert run(config, "--baseline1", "--resume", key, value) == 2
        assert f"checkpoint has {key}" in capsys.readouterr().err


def spoil(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(config, capsys):
    words = ["--ours1", "OUTPUT_DIR", str(config.parent / "parts")]
    assert run(config, *words) == 0
    folder = folder_of(config, "ours1", "parts")
    assert torch.load(folder / "previous.pth", weights_only=True)["epoch"] == 1
    spoil(folder / "last.pth")
    torch.load(folder / "last.pth", weights_only=True)  # which sees nothing
    capsys.readouterr()
    assert run(config, *words, "--resume") == 0
    said = capsys.readouterr().out
    assert "the checksum of" in said and "after 1 epochs" in said
    assert run(config, "--ours1", "OUTPUT_DIR", str(config.parent / "whole")) == 0
    assert_same_run(config, "ours1", "whole", "parts")

    (folder / "last.pth").unlink()  # as between the two renames
    assert run(config, *words, "--resume") == 0
    assert_same_run(config, "ours1", "whole", "parts")
    for name in ("last.pth", "previous.pth"):
        spoil(folder / name)
    capsys.readouterr()
    assert run(config, *words, "--resume") == 2
    assert "previous.pth: cannot be read as a checkpoint: damaged" in capsys.readouterr().err


def in_child(config, words, before=lambda: None, expect=0, kill_after=None):
    """Run main.py in a process of its own, which is killed (-9) after some seconds where those are given."""

    def work():
        before()
        os._exit(run(config, *words))

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(kill_after)
    if child.is_alive():
        child.kill()
        child.join()
        return False
    assert child.exitcode == expect
    return True


def limit_files(size):
    """As a full disk: no file of this process may grow beyond ``size`` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_leaves_the_last_good_checkpoint(config, capfd):
    words = ["--ours1", "OUTPUT_DIR", str(config.parent / "parts")]
    assert run(config, *words, "--num_epochs", "1") == 0
    folder = folder_of(config, "ours1", "parts")
    before = (folder / "last.pth").read_bytes()
    capfd.readouterr()
    words += ["--resume"]
    in_child(config, words, before=lambda: limit_files(len(before) // 2), expect=2)
    err = capfd.readouterr().err
    assert err.startswith("error: ") and "File too large" in err and err.count("\n") == 1
    assert (folder / "last.pth").read_bytes() == before
    assert not list(folder.glob(".unfinished*"))
    assert run(config, *words) == 0
    assert run(config, "--ours1", "OUTPUT_DIR", str(config.parent / "whole")) == 0
    assert_same_run(config, "ours1", "whole", "parts")


def write_slowly():
    """Checkpoints take a while to write, so that many kills fall into it."""
    save = torch.save

    class Slow:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            self.file.write(data)
            self.file.flush()
            time.sleep(0.0002)
            return len(data)

        def flush(self):
            self.file.flush()

    checkpoint.torch.save = lambda state, file: save(state, Slow(file))


@pytest.mark.parametrize("moments", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_moment_goes_on_to_the_bit(config, moments):
    words = ["--ours1", "LBI.VARIABLES", "loss_aware", "OUTPUT_DIR"]
    begun = time.monotonic()
    assert in_child(config, [*words, str(config.parent / "whole")], before=write_slowly)
    whole = time.monotonic() - begun
    parts = [*words, str(config.parent / "parts"), "--resume", "TRAIN.SAVE_EVERY_MINUTES", "1e-9"]
    folder = folder_of(config, "ours1", "parts")
    rng, unfinished, killed = random.Random(0), 0, 0
    for moment in range(moments):
        # As far into the run as ever: some of them end before.
        killed += not in_child(config, parts, before=write_slowly, kill_after=rng.uniform(0, whole))
        unfinished += any(folder.glob(".unfinished*"))
        if moment % 4 == 3 or moment == moments - 1:  # after some kills in a row, to the end
            assert in_child(config, parts)
            assert not list(folder.glob(".unfinished*"))
            assert_same_run(config, "ours1", "whole", "parts")
            if moment < moments - 1:
                folder.rename(folder.with_name(f"ended_{moment}"))
    # The machine's speed varies, so that a few of many kills, or some of three, may come too late.
    assert killed >= (0.6 * moments if moments == 20 else 1)
    assert unfinished or moments < 20
