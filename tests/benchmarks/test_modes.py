"""The benchmark: rows, resuming, failures, statistics by hand, and simpler ways to tell wrong labels."""

import json
import math
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import modes
from benchmarks.evidence import benchmark, packages, rivals, tuning
from benchmarks.evidence.cases import MIXTURES, Case, digest, jobs_of, parse_noise_or_mixture, read_rows
from benchmarks.evidence.methods import METHODS, Method, settings_of
from benchmarks.evidence.outcome import FIGURES, Outcome, Ranking
from benchmarks.evidence.overview import overview
from benchmarks.evidence.plot import plot
from benchmarks.evidence.runner import run_side_by_side
from benchmarks.evidence.summary import interval, lines_by_noise, markdown, paired
from lib.config.former_names import ALIASES
from lib.label_noise.corruptions import parse_noises
from lib.synthetic.generate import PeopleConfig, make_people
from lib.utils.errors import InputError, StoppedError
from tests.factories.small_run import write_config

SMALL = {"source_people": 20, "source_val_people": 2, "target_train_people": 15, "test_people": 8}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The words of a command line on a config and on data that are very small, in one process."""
    monkeypatch.setattr(
        benchmark, "draw", lambda p: make_people(p.folder, PeopleConfig(seed=p.seed, noise=p.noise, **SMALL))
    )
    cfg = write_config(tmp_path, tmp_path / "unused")
    return ["--cfg", str(cfg), "--data", str(tmp_path / "people"), "--out", str(tmp_path / "rows.json"),
            "--jobs", "1", "--seeds", "5"]  # fmt: skip


def rows_in(tmp_path, name="rows.json"):
    return json.loads((tmp_path / name).read_text())


def row(method, seed, pckh, **more):
    """A row as run_job makes it."""
    learns = METHODS[method].learns
    made = {"mode": METHODS[method].mode.name, "method": method, "variables": "persistent" if learns else None,
            "noise": "jitter", "share": 0.5, "seed": seed, "settings": {}, "pckh": pckh, "val": pckh,
            "auroc": None, "mean_weight": None, "seconds": 1.0, "steps": 4, "config": "x", "machine": "a machine"}  # fmt: skip
    return made | more


def test_rows_of_a_run_and_what_is_there_is_not_run_again(place, tmp_path, capsys, monkeypatch):
    words = [*place, "--modes", "baseline2,oracle1,ours1,ours1_retrained,small_loss", "--noise", "jitter:0.5"]
    assert modes.main(words) == 0
    rows = rows_in(tmp_path)
    found = {r["method"]: r for r in rows}
    assert list(found) == ["baseline2", "oracle1", "ours1", "ours1_retrained", "small_loss"]
    for r in rows:
        assert (r["noise"], r["share"], r["seed"]) == ("jitter", 0.5, 5)
        assert 0 <= r["pckh"] <= 100 and r["seconds"] > 0 and r["settings"] == {"LBI.VAL_IN_TRAIN": True}
    assert [r["mode"] for r in rows] == ["baseline2", "ours1", "ours1", "ours1", "baseline2"]
    assert [r["steps"] for r in rows] == [4, 4, 4, 8, 4]  # the retraining needs the training before it
    assert [r["variables"] for r in rows] == [None, None, "persistent", "persistent", None]
    assert found["baseline2"]["auroc"] is None and found["oracle1"]["auroc"] is None
    assert 0 < found["oracle1"]["mean_weight"] < 1 and 0 <= found["small_loss"]["auroc"] <= 1
    # small_loss is baseline2 at gamma 1, which is this configuration's gamma too.
    assert found["small_loss"]["pckh"] == found["baseline2"]["pckh"]
    table = (tmp_path / "rows.md").read_text()
    assert "### jitter:0.5" in table and "| ours1_retrained " in table
    assert (tmp_path / "rows.svg").read_text().startswith("<svg xmlns")

    monkeypatch.setattr(benchmark, "run_job", lambda job: pytest.fail("run again"))
    assert modes.main(words) == 0
    assert rows_in(tmp_path) == rows and "5 exist, 0 runs" in capsys.readouterr().out

    # A changed configuration is not mixed with what its predecessor gave.
    cfg = tmp_path / "small.yaml"
    cfg.write_text(cfg.read_text().replace("LR: 0.003", "LR: 0.002"))
    assert modes.main(words) == 2
    assert "another small.yaml" in capsys.readouterr().err


def test_without_wrong_labels_the_oracle_is_its_baseline(place, tmp_path):
    assert modes.main([*place, "--modes", "baseline3,oracle2", "--noise", "none"]) == 0
    baseline, oracle = rows_in(tmp_path)
    assert oracle["mean_weight"] == 1 and oracle["pckh"] == baseline["pckh"]


def test_a_failing_run_does_not_stop_the_others(place, tmp_path, capsys, monkeypatch):
    def run_job(job):
        if job.cases[0].method == "baseline1":
            raise RuntimeError("out of order")
        return [row(case.method, case.seed, 50.0, settings=case.settings) for case in job.cases]

    monkeypatch.setattr(benchmark, "run_job", run_job)
    assert modes.main([*place, "--modes", "baseline1,baseline2", "--noise", "jitter:0.5"]) == 1
    assert [r["method"] for r in rows_in(tmp_path)] == ["baseline2"]
    assert "baseline1 jitter:0.5 seed 5: failed: RuntimeError: out of order" in capsys.readouterr().out


def test_processes_side_by_side():
    made, lines = [], []
    failed = run_side_by_side(["1", "x", "3"], int, 2, lambda n: made.append(n) or "done", lines.append)
    assert failed == 1 and sorted(made) == [1, 3]
    assert [line for line in lines if re.fullmatch(r"\[\d/3\] x: failed: ValueError: .*left", line)]


def test_a_signal_to_a_training_ends_all_tasks():
    def train(task):
        raise StoppedError(15, "stopped by SIGTERM")

    with pytest.raises(SystemExit) as raised:
        run_side_by_side(["1", "2"], train, 1, str, lambda line: pytest.fail(line))
    assert raised.value.code == 143


def test_a_process_ends_with_its_parent():
    """A parent that is killed, with a child that would sleep for a minute."""
    code = (
        "import os, time\n"
        "from benchmarks.evidence.runner import end_with\n"
        "parent, child = os.getpid(), os.fork()\n"
        "if child == 0:\n    end_with(parent)\n    time.sleep(60)\n"
        "time.sleep(1)\nos.kill(parent, 9)\n"
    )
    started = time.monotonic()
    # The child holds the pipe, so this waits for both.
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert time.monotonic() - started < 40


def test_tuning_chooses_on_v_and_the_choice_is_used(place, tmp_path, monkeypatch):
    def run_job(job):
        """V likes gamma 0.3 best, the test set 1."""
        settings = [case.settings.get("LBI.GAMMA", 1.0) for case in job.cases]
        return [row(case.method, case.seed, 60 + gamma, val=50 - abs(gamma - 0.3), settings=case.settings)
                for case, gamma in zip(job.cases, settings)]  # fmt: skip

    monkeypatch.setattr(benchmark, "run_job", run_job)
    words = [*place, "--modes", "baseline1,baseline2,oracle1,small_loss", "--noise", "jitter:0.5"]
    assert modes.main([*words, "--tune"]) == 0
    content = rows_in(tmp_path, "rows.tuning.json")
    assert len(content["runs"]) == 6 and {r["seed"] for r in content["runs"]} == {0, 1}
    assert all("LBI.VAL_IN_TRAIN" not in r["settings"] for r in content["runs"])
    (choice,) = content["choices"]
    assert choice["method"] == "baseline2" and choice["settings"] == {"LBI.GAMMA": 0.3}
    assert [entry["val"] for entry in choice["tried"]] == pytest.approx([49.3, 50, 49.8])

    gammas = {r["method"]: r["settings"].get("LBI.GAMMA") for r in rows_in(tmp_path)}
    assert gammas == {"baseline1": None, "baseline2": 0.3, "oracle1": 0.3, "small_loss": None}
    (tmp_path / "rows.json").unlink()
    assert modes.main(words) == 0  # the file's choices, without --tune
    assert {r["method"]: r["settings"].get("LBI.GAMMA") for r in rows_in(tmp_path)} == gammas
    (tmp_path / "rows.json").unlink()
    assert modes.main([*words, "LBI.GAMMA", "0.5"]) == 0  # what is given wins
    assert {r["settings"].get("LBI.GAMMA") for r in rows_in(tmp_path) if r["method"] != "small_loss"} == {0.5}


def test_what_is_tuned():
    def points(name, given=(), on_both=False):
        return len(tuning.grid(METHODS[name], dict.fromkeys(given), on_both))

    assert [points(name) for name in ("baseline1", "baseline2", "baseline3", "ours5", "small_loss")] == [1, 3, 3, 9, 1]  # fmt: skip
    assert [points(name, (), True) for name in ("baseline1", "baseline2", "baseline3", "ours5")] == [
        1,
        3,
        6,
        9,
    ]
    assert points("ours5", ["LBI.LAM"]) == 3
    case = Case("oracle2", None, "jitter", 0.5, 0)
    assert tuning.tuned_by(case, []).method == "baseline3" and tuning.tuned_by(case, ["oracle2"]) is case
    again = tuning.tuned_by(Case("ours1_retrained", "online", "jitter", 0.5, 0), [])
    assert (again.method, again.variables) == ("ours1", "online")


def test_methods_that_share_a_run(tmp_path):
    cases = [Case("ours1", "online", "jitter", 0.5, 0), Case("ours1_retrained", "online", "jitter", 0.5, 0),
             Case("small_loss", None, "jitter", 0.5, 0, {"LBI.GAMMA": 1.0}),
             Case("small_loss_retrained", None, "jitter", 0.5, 0, {"LBI.GAMMA": 0.1}),
             Case("small_loss_retrained", None, "jitter", 0.5, 0, {"LBI.GAMMA": 0.3}),
             Case("ours1", "online", "jitter", 0.5, 1)]  # fmt: skip
    assert [len(job.cases) for job in jobs_of(cases, tmp_path, tmp_path)] == [2, 2, 1, 1]
    shared = [
        Case(name, None, "jitter", 0.5, 0, {"LBI.GAMMA": 0.3}) for name in ("baseline2", "distance", "loss")
    ]
    assert [len(job.cases) for job in jobs_of(shared, tmp_path, tmp_path)] == [3]
    assert {tuning.tuned_by(case, []).method for case in shared} == {"baseline2"}
    assert settings_of("online")["LBI.SCHEDULE"] == "together" and settings_of(None) == {}
    assert METHODS["small_loss"].settings == {"LBI.GAMMA": rivals.RANKING_GAMMA}


def test_a_mixture_is_a_noise_of_its_own():
    low = Case("ours1", "loss_aware", *parse_noise_or_mixture("low"), 0)
    assert low.noise_text == "low" and low.injected == MIXTURES["low"]
    assert low.people(Path("data")).noise == "none"
    kinds = dict(parse_noises(low.injected))
    assert len(kinds) == 5 and sum(kinds.values()) < 0.2
    typed = Case("ours1", "loss_aware", *parse_noise_or_mixture("jitter:0.10+offset:0.2"), 0)
    assert typed.noise_text == typed.injected == "jitter:0.1+offset:0.2"
    assert typed.people(Path("data")).noise == "none"
    rows = [row("ours1", 0, 70.0, noise="low", share=0.0, ap=0.5), row("ours1", 0, 60.0)]
    assert list(lines_by_noise(rows)) == ["low", "jitter:0.5"]
    assert "0.500 (0.500)" in markdown(rows)
    with pytest.raises(InputError, match="lo"):
        parse_noise_or_mixture("lo")
    with pytest.raises(InputError, match="'convention' cannot be one of several kinds"):
        parse_noise_or_mixture("jitter:0.1+convention:0.2")


def test_rivals_that_rank_from_the_same_training(place, tmp_path):
    ranked = ["target_distance", "target_loss", "distance", "loss", "small_loss", "trace"]
    names = ["baseline1", "baseline2", *ranked, "small_loss_retrained", "confident"]
    words = [*place, "--modes", ",".join(names), "--noise", "jitter:0.2+offset:0.1"]
    assert modes.main([*words, "LBI.GAMMA", "0.5"]) == 0
    found = {r["method"]: r for r in rows_in(tmp_path)}
    for name in ranked:
        assert all(
            0 <= found[name][figure] <= 1 for figure in ("auroc", "ap", "auroc_within", "precision_100")
        )
    assert len({found[name]["auroc"] for name in ranked}) == 6
    assert found["loss"]["recall"] is None and 0 <= found["distance"]["recall"] <= 1
    assert found["distance"]["pckh"] == found["loss"]["pckh"] == found["baseline2"]["pckh"]
    assert (
        found["target_distance"]["pckh"] == found["baseline1"]["pckh"] and found["baseline1"]["auroc"] is None
    )
    assert found["trace"]["pckh"] == found["small_loss"]["pckh"] != found["baseline2"]["pckh"]
    # What confident drops is farther than half a head from baseline1's predictions.
    assert found["confident"]["flagged"] >= found["target_distance"]["flagged"] > 0
    assert found["confident"]["mean_weight"] == pytest.approx(1 - found["confident"]["flagged"])
    assert found["confident"]["steps"] == 2 * found["target_distance"]["steps"]


def test_out_of_fold_judges_each_image_by_networks_that_did_not_see_it(place, tmp_path, monkeypatch):
    kept = []

    def distances(config, data, best):
        """Certainly wrong where the network was trained, right elsewhere."""
        weights = np.load(best.parent / "ignoring_weights.npz")["weights"]
        kept.append((weights, data.source.annotations.image_index))
        return weights

    monkeypatch.setattr(rivals, "head_distances", distances)
    assert modes.main([*place, "--modes", "out_of_fold", "--noise", "jitter:0.5"]) == 0
    (found,) = rows_in(tmp_path)
    assert found["flagged"] == 0 and found["pckh"] is None and found["steps"] == 3 * 4
    held_out = np.stack([weights == 0 for weights, _ in kept])
    assert (held_out.sum(axis=0) == 1).all() and held_out.any(axis=(1, 2)).all()
    _, image_index = kept[0]
    for image in np.unique(image_index):
        assert (held_out[:, image_index == image] == held_out[:, image_index == image][:, :1, :1]).all()


def test_a_rival_that_trains_nothing(place, tmp_path, monkeypatch):
    def recipe(trial, wanted):
        """Suspects what is wrong, which it could only know here."""
        data = trial.data(next(iter(wanted.values())))
        wrong = data.source_truth.corrupted
        return {"geometry_like": Outcome(ranking=Ranking(data, wrong, wrong))}

    method = Method("geometry_like", "tells all", None, recipe, "geometry_like", rival=True)
    monkeypatch.setitem(METHODS, "geometry_like", method)
    assert modes.main([*place, "--modes", "geometry_like", "--noise", "jitter:0.5"]) == 0
    (found,) = rows_in(tmp_path)
    assert [found[figure] for figure in ("auroc", "ap", "auroc_within", "precision", "recall")] == [1] * 5
    assert (found["mode"], found["pckh"], found["seconds"]) == (None, None, 0)
    table = (tmp_path / "rows.md").read_text()
    assert re.search(r"\| geometry_like +\| - +\| 1 +\| - +\| 1.000 \(1.000\)", table)
    assert (tmp_path / "rows.svg").read_text().startswith("<svg xmlns")


def test_a_package_that_is_missing_is_named(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(packages, "INSTALL", {"no_such_package": "pip install no_such_package==1"})
    monkeypatch.setitem(METHODS, "cleanlab", replace(METHODS["cleanlab"], package="no_such_package"))
    assert modes.main([*place, "--modes", "baseline1,cleanlab"]) == 2
    error = capsys.readouterr().err
    assert (
        "--modes cleanlab" in error and "pip install no_such_package==1" in error and error.count("\n") == 1
    )
    assert "cleanlab" not in modes.methods_of("all") and "distance" in modes.methods_of("all")
    assert "left out, not installed: cleanlab" in capsys.readouterr().out


def test_rivals_are_compared_with_ours(tmp_path):
    figures = {"auroc": (0.9, 0.8), "ap": (0.7, 0.9)}
    rows = [
        row("ours1", seed, 50.0, variables="loss_aware", **{k: v[seed] + 0.05 for k, v in figures.items()})
        for seed in (0, 1)
    ]
    rows += [row("distance", seed, 50.0, **{k: v[seed] for k, v in figures.items()}) for seed in (0, 1)]
    lines = overview(lines_by_noise(rows))
    assert lines.count("| ours1 - distance | +0.050 ± 0.000 |") == 2
    assert "| distance | 0.850 ± 0.635 |" in lines and "| distance | 0.800 ± 1.271 |" in lines


def test_every_row_has_all_figures(tmp_path):
    assert Outcome().row().keys() >= set(FIGURES)
    rows = [row("oracle1", 0, 50.0), row("oracle1", 1, 60.0, **dict.fromkeys(FIGURES))]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert (
        len(read_rows(tmp_path / "rows.json")) == 2
    )  # the first one is as written before there were figures


def test_intervals_by_hand():
    # Differences 1, 2, 3, 6: mean 3, squared deviations 4 + 1 + 0 + 9 = 14; t(0.975, 3) = 3.182446.
    mine, others = {0: 11.0, 1: 22.0, 2: 33.0, 3: 46.0, 9: 0.0}, {0: 10.0, 1: 20.0, 2: 30.0, 3: 40.0, 8: 0.0}
    found = paired(mine, others)
    assert found.mean == 3 and found.half == pytest.approx(3.182446 * math.sqrt(14 / 3) / 2, rel=1e-6)
    assert str(found) == "3.0 ± 3.4"
    assert paired(mine, {8: 1.0}) is None
    assert str(interval([7.0])) == "7.0" and math.isnan(interval([7.0]).half)
    assert interval([5.0, 5.0]) == (5.0, 0.0)


def test_the_table_compares_seed_by_seed():
    rows = [row("baseline2", seed, pckh) for seed, pckh in ((0, 40.0), (1, 50.0), (2, 60.0))]
    rows += [row("ours1", seed, pckh, auroc=a) for seed, pckh, a in ((0, 42.0, 0.9), (1, 52.0, 0.7))]
    rows += [row("oracle1", 1, 55.0), row("oracle2", 1, 99.0), row("small_loss_retrained", 0, 41.0)]
    table = {line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]]
             for line in markdown(rows).splitlines() if line.startswith("| ")}  # fmt: skip
    assert table["ours1"] == ["persistent", "2", "47.0 ± 63.5", "0.800 (0.700)", *"------", "1", "4", "+2.0 ± 0.0", "-", "-3.0", "+1.0", "-"]  # fmt: skip
    assert table["baseline2"][11:16] == ["4", "-", "-", "-5.0", "-1.0"]
    assert plot(rows).count("<circle") == len(lines_by_noise(rows)["jitter:0.5"]) == 5


def test_the_overview_keeps_settings_apart_and_takes_the_last_tuning():
    rows = [
        row("baseline2", 0, 50.0, settings={"LBI.GAMMA": 1.0}),
        row("baseline2", 0, 60.0, settings={"LBI.GAMMA": 0.3}),
        row("ours1", 0, 70.0, variables="loss_aware", auroc=0.9, settings={"LBI.GAMMA": 1.0}),
        row("ours1", 0, 71.0, variables="loss_aware", auroc=0.8, settings={"LBI.HYPERGRAD_INTERVAL": 4}),
        row("ours1", 0, 40.0, variables="online", auroc=0.5),
    ]
    lines = overview(lines_by_noise(rows))
    for line in (
        "| baseline2 | 60.0 |", "| ours1 | 70.0 |", "| ours1, HYPERGRAD_INTERVAL 4 | 71.0 |", "| ours1 online | 40.0 |",
        "| ours1 - baseline2 | +10.0 |", "| ours1, HYPERGRAD_INTERVAL 4 | 0.800 |",
    ):  # fmt: skip
        assert line in lines
    assert len([line for line in lines if line.startswith("| baseline2")]) == 1
    # The YAML file's gamma is not replaced by another one.
    rows += [
        row("ours2", 0, pckh, settings=given) for pckh, given in ((80.0, {}), (30.0, {"LBI.GAMMA": 0.3}))
    ]
    lines = overview(lines_by_noise(rows))
    assert "| ours2 persistent | 80.0 |" in lines and "| ours2 persistent, GAMMA 0.3 | 30.0 |" in lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--modes", "baselin2"], "did you mean 'baseline2'"),
        (["--modes", "ours1", "--noise", "exchnge:0.3"], "did you mean 'exchange'"),
        (["--modes", "ours1", "--variables", "persistant"], "did you mean 'persistent'"),
        (["--modes", "ours1", "--seeds", "1,x"], "--seeds"),
        (["--modes", "ours1", "LBI.GAMA", "1"], "LBI.GAMMA"),
        (["--modes", "ours1", "SEED", "1"], "SEED: the benchmark sets it itself"),
        (["--modes", "ours1", "--tune", "--tune-seeds", "5"], "--tune-seeds: 5 is among --seeds"),
        ([], "--modes is needed"),
    ],
)
def test_errors_are_one_line(place, capsys, words, message):
    assert modes.main([*place, *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


def test_files_with_former_names_of_settings_are_read(tmp_path):
    former, key = next(iter(ALIASES.items()))
    (tmp_path / "rows.json").write_text(json.dumps([row("ours1", 0, 50.0, settings={former: 4})]))
    (read,) = read_rows(tmp_path / "rows.json")
    assert read["settings"] == {key: 4}
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    before.write_text(f"LBI: {{{former.removeprefix('LBI.')}: 2, LAM: 1}}\nSEED: 1")
    after.write_text(f"LBI: {{{key.removeprefix('LBI.')}: 2, LAM: 1}}\nSEED: 1")
    assert digest(before) == digest(after)


def test_shape_finds_exchanged_names(place, tmp_path):
    assert modes.main([*place, "--modes", "geometry,permutations", "--noise", "exchange:0.3"]) == 0
    rows = {row["method"]: row for row in rows_in(tmp_path)}
    for row in rows.values():
        assert row["pckh"] is None and row["steps"] == 0 and 0 <= row["recall"] <= 1
    assert rows["geometry"]["auroc"] > 0.6 and rows["permutations"]["auroc"] > 0.6
    assert rows["geometry"]["auroc"] != rows["permutations"]["auroc"]
