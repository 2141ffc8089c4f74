"""The description of a run, its charts and hyperparameters."""

import re

import pytest

from lib.config.loader import flat_config
from lib.training.dashboard import COMPARED, about, all_settings, charts, compared_metrics, log_run_info
from tests.factories.training import RecordedMetrics, finished_step, make_logger, make_spec, make_state


def test_description(config):
    spec = make_spec(config, LBI__LAM=0.25)
    text = about(spec.config, spec.mode, ["python", "main.py", "a b"], ["first message", "second"])
    lines = text.splitlines()
    assert lines[0] == f"## ours1: {spec.mode.meaning}"
    assert "    python main.py 'a b'" in lines and lines.count("- first message") == 1
    rows = dict(line.strip("| ").split(" | ", 1) for line in lines if line.startswith("| ") and "`" in line)
    default = type(spec.config.lbi)().lam
    assert rows["LBI.LAM"] == f"`0.25` | `{default}`"
    assert "LBI.GAMMA" not in rows  # as by default
    assert any(line.startswith("    LBI:") for line in lines)


def test_long_commands_are_wrapped_for_a_shell(config):
    spec = make_spec(config)
    text = about(spec.config, spec.mode, ["python", "main.py"] + ["KEY", "value"] * 40, [])
    command = [line for line in text.splitlines()[2:] if line.startswith("    ")][:6]
    joined = " ".join(line.strip().removesuffix("\\").strip() for line in command)
    assert joined.startswith("python main.py KEY value") and command[0].endswith("\\")


@pytest.mark.parametrize("mode", ["baseline1", "ours1", "ours5"])
def test_charts_show_tags_that_a_run_writes(config, mode):
    spec = make_spec(config, mode)
    state, writer = make_state(spec), RecordedMetrics()
    logger = make_logger(spec, state, writer)
    logger.log_step(finished_step(spec, state), waited=0.0)
    logger.log_validation(spec.phases[0], 0)
    logger.log_weight_tables()
    layout = charts(state, "PCKh", "Mean")
    patterns = {tag for heading in layout.values() for tags in heading.values() for tag in tags}
    roles = ("val", "weights_", "loss/", "hypergradient/")
    written = {tag for tag in writer.scalar_values if tag.startswith(roles)}
    shown = {tag for tag in written if any(re.fullmatch(pattern, tag) for pattern in patterns)}
    assert {"val/PCKh_Mean", "val/loss", "loss/target"} <= shown
    if mode != "baseline1":
        assert {"loss/source" if mode == "ours1" else "loss/source_model", "weights_B/zero_share"} <= shown
        assert {"weights_B_table/mean", "weights_B_table/mean_left_hip", "hypergradient/B_norm"} <= shown
    assert bool(layout["ignoring weights"]) == mode.startswith("ours")
    assert ("loss/proximity" in patterns) == (mode == "ours5")


def test_hyperparameters(config):
    spec, writer = make_spec(config, "ours2"), RecordedMetrics()
    state = make_state(spec)
    log_run_info(writer, spec, state, ["a message"])
    settings, compared, metrics = writer.hyperparameters
    assert settings == all_settings(spec.config, state) and settings["mode"] == "ours2"
    assert set(settings) == {"mode", *flat_config(spec.config)} and set(compared) <= set(settings)
    assert compared == COMPARED and metrics == compared_metrics("PCKh", "Mean")
    assert all(isinstance(value, str | int | float) for value in settings.values())
    assert "- a message" in writer.texts["about"] and writer.charts == charts(state, "PCKh", "Mean")
