"""What TensorBoard shows of a whole run, and Weights & Biases if it is asked for."""

import json
import sys

import cv2
import numpy as np
import pytest
from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.layout_pb2 import Layout
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from tests.factories.small_run import RUNS, results_of, run
from tests.harness import fake_wandb
from tests.harness.event_files import values_of


def layout_of(values):
    (value,) = values["custom_scalars__config__"]
    layout = Layout.FromString(value.tensor.string_val[0])
    return {c.title: {chart.title: list(chart.multiline.tag) for chart in c.chart} for c in layout.category}


def hparams(value):
    return HParamsPluginData.FromString(value.metadata.plugin_data.content)


@pytest.fixture
def board(config):
    return lambda mode: values_of(config.parent / "log" / RUNS / mode)


def test_the_pages_of_ours5_and_of_a_baseline(config, board, monkeypatch):
    command = ["pose_estimation/main.py", "--cfg", "a b.yaml", "--ours5", "SEED", "3"]
    monkeypatch.setattr(sys, "argv", command)
    assert run(config, "--ours5", "SEED", "3", "PRINT_FREQ", "1") == 0
    assert run(config, "--baseline1", "--num_epochs", "1") == 0
    ours, baseline = board("ours5"), board("baseline1")

    # Every curve of the layout is there, in either mode; charts of one name are the same.
    for values in (ours, baseline):
        for charts in layout_of(values).values():
            for chart, tags in charts.items():
                assert all(tag.endswith(("$", ".*")) for tag in tags)
                begins = [tag.rstrip("$").removesuffix(".*") for tag in tags]
                assert any(tag.startswith(tuple(begins)) for tag in ours), chart
    of_ours, of_baseline = layout_of(ours), layout_of(baseline)
    assert list(of_ours) == list(of_baseline)
    for heading, charts in of_baseline.items():
        for chart, tags in charts.items():
            assert of_ours[heading][chart] == tags
            assert any(tag.rstrip("$") in baseline for tag in tags), chart
    assert of_ours["ignoring weights"] and not of_baseline["ignoring weights"]

    # The table of runs: the same columns for both, in this very run.
    tables = [hparams(values["_hparams_/experiment"][0]).experiment for values in (ours, baseline)]
    assert tables[0] == tables[1]
    assert [info.name for info in tables[0].hparam_infos][:2] == ["01 mode", "02 SEED"]
    metrics = [info.name.tag for info in tables[0].metric_infos]
    assert {"test/PCKh_Mean", "test_source_model/PCKh_Mean", "weights_A_table/auroc"} <= set(metrics)
    assert set(metrics) <= set(ours)
    row = hparams(ours["_hparams_/session_start_info"][0]).session_start_info.hparams
    assert (row["01 mode"].string_value, row["02 SEED"].string_value) == ("ours5", "3")
    assert not any(path.is_dir() for path in (config.parent / "log" / RUNS / "ours5").iterdir())
    mean = results_of(config, "ours5")["test"]["PCKh"]["Mean"]
    assert ours["test/PCKh_Mean"][-1].simple_value == pytest.approx(mean)
    end = hparams(ours["_hparams_/session_end_info"][0]).session_end_info
    assert end.status == Status.Value("STATUS_SUCCESS")

    # The page about the run.
    text = ours["about/text_summary"][0].tensor.string_val[0].decode()
    assert (
        "## ours5: " in text
        and "    python pose_estimation/main.py --cfg 'a b.yaml' --ours5 SEED 3\n" in text
    )
    assert "| SEED | `3` | `0` |" in text and "| LBI.GAMMA |" not in text
    assert "\n    SEED: 3\n" in text and "- label shift: head is nose" in text

    # Images: the same people every time, one for each epoch.
    for tag in ("pictures/validation_target_model", "pictures/source_weights_A", "pictures/source_weights_B"):
        sheets = [cv2.imdecode(np.frombuffer(v.image.encoded_image_string, np.uint8), 1) for v in ours[tag]]
        assert len(sheets) == 2 and sheets[0].shape == sheets[1].shape
        assert (sheets[0] == sheets[1]).mean() > 0.5 and (sheets[0] != sheets[1]).any()


def test_a_run_that_fails_says_so(config, board):
    assert run(config, "--baseline1", "TRAIN.LR", "1e30") == 3
    end = hparams(board("baseline1")["_hparams_/session_end_info"][0]).session_end_info
    assert end.status == Status.Value("STATUS_FAILURE")


def test_wandb_gets_what_tensorboard_gets(config, board, monkeypatch):
    runs = fake_wandb.install(monkeypatch)
    assert run(config, "--ours1", "--wandb", "poses", "SEED", "3") == 0
    (told,) = runs
    folder = config.parent / "output" / RUNS / "ours1"
    assert told.how["project"] == "poses" and told.how["name"].endswith("small/ours1")
    assert told.how["dir"] == str(folder)
    assert told.config["mode"] == "ours1" and told.config["SEED"] == 3 and told.config["TRAIN.LR"] == 0.003
    assert told.exit_code == 0
    json.dumps(told.config)

    values = board("ours1")
    scalars = {tag: [v.simple_value for v in found] for tag, found in values.items() if found[0].HasField("simple_value")}  # fmt: skip
    told_of = {
        tag.replace("@", "_"): found for tag, found in told.values.items()
    }  # as tensorboardX writes them
    assert len(scalars) > 20
    for tag, expected in scalars.items():
        assert [value for _, value in told_of[tag]] == pytest.approx(expected)
    others = {
        tag for tag, found in values.items() if found[0].HasField("histo") or found[0].HasField("image")
    }
    assert others | scalars.keys() == told_of.keys()
    assert told_of["pictures/validation_target_model"][0][1][0] == "image"


def test_wandb_goes_on_with_the_same_run_and_begins_anew_with_another(config, monkeypatch):
    runs = fake_wandb.install(monkeypatch)
    words = ["--baseline1", "--wandb", "poses"]
    assert run(config, *words, "--num_epochs", "1") == 0
    assert run(config, *words, "--num_epochs", "2", "--resume") == 0
    assert run(config, *words, "--num_epochs", "1") == 0
    first, resumed, another = (told.how["id"] for told in runs)
    assert first == resumed != another
    assert [step for step, _ in runs[1].values["loss/target"]] == [3, 4]


@pytest.mark.parametrize("command", ["--ours1", "--baseline1"])
def test_wandb_that_is_missing_is_one_line_before_anything_is_read(command, config, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert run(config, command, "--wandb", "poses", "DATASET_TARGET.ROOT", "nowhere") == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: WANDB (--wandb) needs wandb: pip install wandb")
    assert captured.err.count("\n") == 1 and not captured.out
    assert not (config.parent / "output").exists()


def test_wandb_that_cannot_begin_is_one_line(config, monkeypatch, capsys):
    fake_wandb.install(monkeypatch)

    def refuse(**_):
        raise RuntimeError("no API key\nconfigured")

    monkeypatch.setattr(sys.modules["wandb"], "init", refuse)
    assert run(config, "--baseline1", "--wandb", "poses") == 2
    assert "poses: wandb cannot start a run (no API key configured); log in" in capsys.readouterr().err


def test_without_the_flag_wandb_is_not_imported(config, monkeypatch):
    runs = fake_wandb.install(monkeypatch)
    assert run(config, "--baseline1", "--num_epochs", "1") == 0
    assert not runs
