import json

import pytest

from tests.factories.small_run import run

OUTPUT = "output/coco_to_mpii/pose_resnet_18/small"
ONCE = ("data", "target: forward", "target: backward", "validation", "elementwise, and the rest of the step")


def profiled(config, *words):
    assert run(config, *words) == 0
    (folder,) = (config.parent / OUTPUT).iterdir()
    return folder, (folder / "profile.log").read_text()


def test_a_profile_names_the_parts_of_a_step_and_leaves_a_trace(config, capsys):
    folder, log = profiled(config, "--ours2", "--profile", "2")
    assert folder.name == "ours2_profile"
    assert capsys.readouterr().out.endswith(f"{folder}\n")
    calls = {line[:44].strip(): line[44:].split()[0] for line in log.splitlines() if line.endswith("%")}
    assert {name: calls[name] for name in ONCE} == dict.fromkeys(ONCE, "1.00")
    assert calls["look-ahead"] == "2.00"  # of either model
    trace = json.loads((folder / "source_and_target.pt.trace.json").read_text())
    names = {event.get("name") for event in trace["traceEvents"]}
    assert {"part: step", "part: jvp", "part: data"} <= names
    assert {path.name for path in folder.iterdir()} == {"profile.log", "source_and_target.pt.trace.json"}


def test_every_phase_has_its_profile(config):
    folder, log = profiled(
        config, "--ours2", "--profile", "1", "LBI.SCHEDULE", "source_first", "LBI.WARMUP", "9"
    )
    assert {path.name for path in folder.glob("*.json")} == {"source.pt.trace.json", "target.pt.trace.json"}
    of_source, of_target = log.split("1 steps of the target model")
    assert "jvp" in of_source and "target: forward" not in of_source
    assert "jvp" not in of_target and "target: forward" in of_target


def test_a_profile_of_no_steps_is_refused(config, capsys):
    assert run(config, "--ours2", "--profile", "0") == 2
    assert "--profile is 0, expected at least 1 step" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(config, "--ours2", "--profile", "some")
