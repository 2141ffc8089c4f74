"""The full-size recipes: what is run, what is left out, and the tables, against numbers by hand."""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from lib.cli.arguments import chosen_mode
from lib.config.loader import load_config, with_settings
from lib.ignoring.modes import MODES
from lib.report.results import GROUPS
from lib.training.cost import forwards_of_hypergradient, forwards_of_step, training_cost
from lib.training.phases import phases
from lib.utils.errors import InputError
from pose_estimation import transfer
from pose_estimation.main import build_parser

PAGE = "intro\n<!-- transfer table -->\nold\n<!-- /transfer table -->\n<!-- transfer estimate -->\n<!-- /transfer estimate -->\nend\n"


def finish(output, mode, seed, mean):
    """The results of a run that has been."""
    folder = output / f"seed{seed}" / "coco_to_mpii" / "pose_resnet_50" / mode / mode
    folder.mkdir(parents=True)
    values = {group: mean + k for k, group in enumerate(GROUPS)}
    content = {"mode": mode, "seed": seed, "test": {"PCKh": values}, "output": str(folder), "log": "log"}
    (folder / "results.json").write_text(json.dumps(content))


def rows_of(text):
    lines = [line for line in text.splitlines() if line.startswith("| `--")]
    return {
        line.split("`")[1].removeprefix("--"): [c.strip() for c in line.split("|")[2:-1]] for line in lines
    }


def test_the_recipes_differ_in_lbi_alone():
    configs = [load_config(transfer.recipe(mode)) for mode in transfer.TRANSFERRED]
    assert len(list(transfer.RECIPES.glob("*.yaml"))) == len(configs) == 5
    for config in configs:
        assert config.model.image_size == (192, 256) and config.model.extra.num_layers == 50
        assert replace(config, lbi=configs[0].lbi) == configs[0]


def test_commands_of_what_is_not_done(tmp_path, capsys):
    output = tmp_path / "runs"
    finish(output, "ours1", 0, 50.0)
    words = [
        "--only",
        "ours1,baseline2",
        "--seeds",
        "0,7",
        "--gpus",
        "3",
        "--output",
        str(output),
        "--dry-run",
    ]
    assert transfer.main(words) == 0
    commands = [line.split() for line in capsys.readouterr().out.splitlines()]
    parsed = [build_parser().parse_intermixed_args(command[2:]) for command in commands]
    assert [chosen_mode(arguments).name for arguments in parsed] == ["baseline2", "ours1", "baseline2"]
    for arguments, seed in zip(parsed, (0, 7, 7)):
        pairs = dict(zip(arguments.overrides[::2], arguments.overrides[1::2]))
        assert (pairs["SEED"], arguments.gpus, pairs["TRAIN.RESUME"]) == (str(seed), "3", "true")
        assert pairs["OUTPUT_DIR"] == str(output / f"seed{seed}")
        assert Path(arguments.cfg).stem == chosen_mode(arguments).name


def test_runs_until_one_fails(tmp_path, monkeypatch, capsys):
    output, page, ran = tmp_path / "runs", tmp_path / "page.md", []
    page.write_text(PAGE)

    def pretend(words, check):
        mode, seed = words[4].removeprefix("--"), int(words[words.index("SEED") + 1])
        ran.append((mode, seed))
        finish(output, mode, seed, 40.0 + seed)
        return transfer.subprocess.CompletedProcess(words, 5 if seed == 2 else 0)

    monkeypatch.setattr(transfer.subprocess, "run", pretend)
    flags = ["--only", "ours2", "--output", str(output), "--readme", str(page)]  # the former name of --page
    assert transfer.main([*flags, "--seeds", "0,1"]) == 0
    assert ran == [("ours2", 0), ("ours2", 1)]
    assert rows_of(page.read_text().split("<!-- /")[0])["ours2"][0] == "2"
    assert transfer.main([*flags, "--seeds", "0,2,3"]) == 2
    assert ran[2:] == [("ours2", 2)] and "exit code 5" in capsys.readouterr().err


def test_the_table_has_mean_and_deviation(tmp_path):
    output, page, means = tmp_path / "runs", tmp_path / "page.md", (50.25, 52.0, 55.5)
    page.write_text(PAGE)
    for seed, mean in enumerate(means):
        finish(output, "ours1", seed, mean)
    finish(output, "baseline1", 4, 61.0)
    words = ["--table", "--output", str(output), "--page", str(page)]
    assert transfer.main(words) == 0
    text = page.read_text()
    assert text.startswith("intro\n") and text.endswith("\nend\n") and "old" not in text
    results, estimated = (part.split("<!-- /")[0] for part in text.split(" -->\n")[1:4:2])
    rows = rows_of(results)
    assert list(rows) == list(transfer.TRANSFERRED)
    deviation = statistics.stdev(means)
    expected = [f"{statistics.mean(means) + k:.1f} ± {deviation:.1f}" for k in range(len(GROUPS))]
    assert rows["ours1"] == ["3", *expected]
    assert rows["baseline1"] == ["1", *(f"{61 + k}.0" for k in range(len(GROUPS)))]
    assert rows["ours2"] == ["-", *["not run here"] * len(GROUPS)]
    assert estimated.strip() == transfer.estimate()
    assert transfer.main(words) == 0 and page.read_text() == text


def test_the_page_holds_the_estimate_and_a_table_of_results():
    page = transfer.build_parser().parse_args([]).page
    text = page.read_text()
    assert page.name == "transfer.md"
    assert transfer.filled(text, "transfer estimate", transfer.estimate(), page.name) == text
    assert list(rows_of(text.split("<!-- /transfer table")[0])) == list(transfer.TRANSFERRED)


@pytest.mark.parametrize("text", ["", "<!-- /a -->\n<!-- a -->", "<!-- a -->\n<!-- a -->\n<!-- /a -->"])
def test_a_page_without_marks_is_refused(text):
    with pytest.raises(InputError, match="some.md: expected <!-- a -->"):
        transfer.filled(text, "a", "x", "some.md")


@pytest.mark.parametrize("words", [["--only", "ours3"], ["--seeds", "0,x"], ["--seeds", "-1"]])
def test_what_cannot_be_run(words, capsys):
    assert transfer.main([*words, "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {words[0]}")


def config_of(folder, text):
    (folder / "c.yaml").write_text(text)
    return load_config(folder / "c.yaml")


def test_forward_passes_of_a_step(tmp_path):
    whole = {"baseline1": 3, "baseline2": 6, "baseline3": 6, "baseline4": 9, "ours1": 11, "ours2": 11,
             "ours3": 14, "ours4": 14, "ours5": 16}  # fmt: skip
    final = whole | {"ours1": 7, "ours2": 7, "ours3": 10, "ours4": 10, "ours5": 10}
    for layers, expected in {"all": whole, "final": final}.items():
        config = config_of(
            tmp_path, f"LBI: {{HYPERGRAD_LAYERS: {layers}, SCHEDULE: together, VAL_BATCH_SIZE: 0}}"
        )
        for name, mode in MODES.items():
            (phase,) = phases(config.train, config.lbi, mode)
            found = forwards_of_step(config.train, phase) + forwards_of_hypergradient(config, phase)
            assert expected[name] <= found <= expected[name] + 0.01 * (layers == "final"), name


def test_the_cost_by_hand(tmp_path):
    text = (
        "TRAIN: {BATCH_SIZE: 10, BEGIN_EPOCH: 1, END_EPOCH: 6}\nTEST: {FLIP_TEST: true, EVAL_EPOCHS: 2}\n"
        "LBI: {HYPERGRAD_LAYERS: all, HYPERGRAD_INTERVAL: 1, SCHEDULE: together, VAL_BATCH_SIZE: 0}"
    )
    config = config_of(tmp_path, text)
    cost = training_cost(config, MODES["ours2"], target_people=91, source_people=120)
    # V: 30 people, T: 61, so 6 batches of 10, 5 epochs. 3 validations of 2 models, twice for the flip test.
    assert cost.steps == 30 and cost.training == 30 * 11
    assert cost.validation == 3 * 2 * 2 * 3
    assert cost.source_passes == 300 / 120
    assert cost.hours(36.0) == pytest.approx((30 * 11 + 36) * 36 / 3600)
    # 5 of the 11 are the hypergradient's.
    assert cost.hours(36.0, 72.0) == pytest.approx(cost.hours(36.0) + 30 * 5 * 36 / 3600)
    assert training_cost(config, MODES["baseline1"], 91, 120).validation == 18


def test_the_cost_of_source_first_by_hand(tmp_path):
    config = config_of(
        tmp_path,
        "TRAIN: {BATCH_SIZE: 10, SRC_BATCH_SIZE: 20, END_EPOCH: 8}\n"
        "LBI: {SCHEDULE: source_first, HYPERGRAD_INTERVAL: 2, FREEZE_WEIGHTS_EPOCH: 6, VAL_BATCH_SIZE: 40, VAL_IN_TRAIN: true,"
        " HYPERGRAD_LAYERS: all, SOURCE_MODEL_ON: source}",
    )
    cost = training_cost(config, MODES["ours2"], target_people=91, source_people=120)
    # 9 batches of T and V. The source: 72 steps of 3 * 2 F, and 27 hypergradients of 3 * 4 and 2 * 2 F.
    # Then the target: 72 steps of 3 F.
    assert cost.steps == 144 and cost.training == 72 * 6 + 27 * 16 + 72 * 3
    assert cost.source_passes == 72 * 20 / 120
    assert cost.validation == 16 * 3
    config = with_settings(
        config, {"LBI.SOURCE_MODEL_ON": "both"}
    )  # and 72 steps more of 3 F for the target's people
    assert training_cost(config, MODES["ours2"], 91, 120).training == cost.training + 72 * 3


def hours_of(text):
    return {mode: (float(cells[-2]), float(cells[-1])) for mode, cells in rows_of(text).items()}


def measurements(path, **ms):
    rows = [{"precision": "tf32", "step": name.replace("_", " "), "ms": value} for name, value in ms.items()]
    rows += [{"precision": "bf16", "step": "baseline2", "ms": 1.0}, {"precision": "tf32", "step": "ours2"}]
    report = {"machine": {"device": "an abacus"}, "parts": {"step": {"numbers": {"steps": rows}}}}
    path.write_text(json.dumps(report))
    return path


def test_the_estimate_takes_measured_steps(tmp_path):
    assumed = transfer.estimate(tmp_path / "none.json")
    assert "assumed" in assumed and hours_of(assumed)["ours1"][1] < 1.15
    # A step of 600 ms is 100 ms for each of 6 F: 97,300 steps and the validations.
    partly = transfer.estimate(measurements(tmp_path / "a.json", baseline2=600.0, ours1=1200.0))
    assert hours_of(partly)["baseline2"][0] == pytest.approx((97_300 * 6 + 64_881) * 0.1 / 3600, abs=0.05)
    assert "600.0 ms" in partly and "an abacus, tf32" in partly and "1200" not in partly
    assert {mode: share for mode, (_, share) in hours_of(partly).items()} == {
        mode: share for mode, (_, share) in hours_of(assumed).items()
    }
    # Measured: 1 F of validation took 300 ms. The recipe's batch has twice the people; one of two steps until 90.
    measured = transfer.estimate(measurements(tmp_path / "b.json", baseline2=600.0, ours1_final=900.0))
    added = 97_300 * 90 / 140 / 2 * 2 * 0.3 / 3600
    assert "900.0 ms" in measured
    assert hours_of(measured)["ours1"][0] == pytest.approx(
        hours_of(measured)["baseline2"][0] + added, rel=0.01
    )
