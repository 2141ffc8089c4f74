import json

import pytest

from lib.report.results import GROUPS
from lib.report.runs import MAX_POINTS, Run, read_metrics, read_runs
from lib.utils.errors import InputError

COUNTS = [1] * 20


def metrics(tmp_path, *lines):
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return read_metrics(path)


def test_scalars_and_histograms_by_step(tmp_path):
    scalars, histograms = metrics(
        tmp_path,
        {"step": 20, "a": 2.0, "b": None},
        {"step": 10, "a": 1},
        {"step": 10, "histogram": {"tag": "w", "counts": COUNTS}},
    )
    assert scalars.keys() == {"a"}
    assert [list(part) for part in scalars["a"]] == [[10, 20], [1, 2]]
    assert list(histograms["w"][0]) == [10] and histograms["w"][1].tolist() == [COUNTS]


def test_the_first_value_of_a_step_counts(tmp_path):
    scalars, _ = metrics(tmp_path, {"step": 8, "val/PCKh_Mean": 30.0}, {"step": 8, "val/PCKh_Mean": 35.0})
    assert scalars["val/PCKh_Mean"][1].tolist() == [30]


@pytest.mark.parametrize(
    "line",
    ['{"step": 3, "a": 0.', "[1]", "", '{"a": 1}', '{"step": "3", "a": 1}', '{"step": 3, "a": "text"}',
     '{"step": 3, "a": NaN}', '{"step": 3, "histogram": {"tag": "w", "counts": [1, 2]}}',
     '{"step": 3, "histogram": 5}', "[" * 100_000],
    ids=range(10),
)  # fmt: skip
def test_lines_that_cannot_be_used_are_left_out(tmp_path, line):
    scalars, histograms = metrics(tmp_path, line, {"step": 4, "b": 1.0})
    assert scalars.keys() == {"b"} and not histograms


def test_missing_metrics_are_named(tmp_path):
    with pytest.raises(InputError, match=r"metrics\.jsonl: cannot read"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_long_curves_are_means_of_neighbours(tmp_path):
    scalars, _ = metrics(tmp_path, *({"step": s, "a": s % 2} for s in range(2 * MAX_POINTS)))
    run = Run(tmp_path, "x", None, {}, scalars, {})
    steps, values = run.curve("a")
    assert len(steps) == MAX_POINTS and set(values) == {0.5} and steps[0] == 0.5
    assert run.curve("b") is None


def folder_of(path, mode, seed):
    path.mkdir(parents=True)
    results = {
        "mode": mode,
        "seed": seed,
        "test": {"PCKh": dict.fromkeys(GROUPS, 1.0)},
        "output": "o",
        "log": "l",
    }
    (path / "results.json").write_text(json.dumps(results))
    (path / "config.yaml").write_text("LBI: {LR: 0.25}")
    (path / "metrics.jsonl").write_text('{"step": 3, "loss/target": 0.5}')
    return path


@pytest.mark.parametrize(
    "runs, names",
    [([("ours1", 0), ("ours2", 0)], ["ours1", "ours2"]),
     ([("ours1", 0), ("ours1", 1)], ["ours1, seed 0", "ours1, seed 1"]),
     ([("ours1", 0), ("ours1", 0)], ["ours1, x0", "ours1, x1"])],
)  # fmt: skip
def test_runs_are_named_by_what_distinguishes_them(tmp_path, runs, names):
    folders = [folder_of(tmp_path / f"x{i}" / "run", *run) for i, run in enumerate(runs)]
    read = read_runs(folders)
    assert [run.name for run in read] == names and [run.folder for run in read] == folders
    assert read[0].config.lbi.lr == 0.25 and read[0].scalars["loss/target"][1].tolist() == [0.5]
    assert read[0].meaning and read[0].results["mode"] == "ours1"


def test_a_run_given_twice_is_an_error(tmp_path):
    folder = folder_of(tmp_path / "run", "ours1", 0)
    with pytest.raises(InputError, match="run: given twice"):
        read_runs([folder, folder / ".." / "run"])
