import json

import pytest

from lib.report.results import GROUPS, rows_of
from pose_estimation.compare import log_root, main, table


def results(folder, mode, mean, **entries):
    values = dict.fromkeys(GROUPS, 12.345) | {"Mean": mean}
    content = {"mode": mode, "seed": 3, "test": {"PCKh": values}, "seconds_per_step": 0.25,
               "output": "output/a/b/c/" + mode, "log": "log/a/b/c/" + mode, **entries}  # fmt: skip
    path = folder / f"{mode}.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_one_row_for_each_model(tmp_path, capsys):
    source = {"test": {"PCKh": dict.fromkeys(GROUPS, None)}}
    ours2 = results(tmp_path, "ours2", 61.26, source_model=source, weights={"A": {"auroc": 0.876}})
    assert main([results(tmp_path, "baseline2", 50.0), ours2]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = {line.split("  ")[0]: line.split() for line in lines}
    assert cells["baseline2"] == ["baseline2", *["12.3"] * 7, "50.0", "12.3", "250", "-", "-"]
    assert cells["ours2"][-5:] == ["61.3", "12.3", "250", "0.88", "-"]
    assert lines[1].endswith("AUROC, AP: how well the scores tell wrong labels from right ones")
    assert any("its source model" in line and line.split()[3:] == ["-"] * 9 for line in lines)
    assert f"ours2: {ours2}, curves in log/a/b/c/ours2" in lines


def test_the_command_for_tensorboard_shows_all_runs_on_the_same_data(tmp_path, capsys):
    assert main([results(tmp_path, "ours1", 50.0)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("tensorboard --logdir log/a")
    assert str(log_root("log/ours1")) == "log/ours1"


def test_columns_line_up():
    lines = table(["mode", "x"], [["a", "1.0"], ["longer name", "100.0"]]).splitlines()
    assert len({len(line) for line in lines}) == 1


def test_other_files_are_refused(tmp_path, capsys):
    (tmp_path / "other.json").write_text("[1, 2]")
    for path in (tmp_path / "other.json", tmp_path / "none.json"):
        assert main([str(path)]) == 2
        assert capsys.readouterr().err.startswith(f"error: {path}")


def test_a_retrained_run_has_rows_of_its_own():
    scores = {"test": {"PCKh": {"Mean": 50.0}}, "seconds_per_step": 0.1}
    again = {"test": {"PCKh": {"Mean": 55.0}}, "weights": {"A": {"auroc": 0.9}}}
    rows = rows_of(scores | {"source_model": scores, "retrained": again}, "ours2")
    assert [row[0] for row in rows] == ["ours2", "  its source model", "  retrained"]
    assert rows[2][1:][GROUPS.index("Mean")] == "55.0" and rows[2][-2:] == ["0.90", "-"]


def run_in(folder, mode="ours1", seed=3, settings="{}"):
    folder.mkdir(parents=True)
    file = folder.parent / f"{mode}.json"
    results(folder.parent, mode, 50.0, seed=seed, output="as it was")
    file.rename(folder / "results.json")
    (folder / "config.yaml").write_text(settings)
    return folder


def test_a_run_that_was_moved_aside_has_its_curves_beside(tmp_path, capsys):
    file = results(tmp_path, "ours1", 50.0)
    moved = tmp_path / "ours1.2" / "results.json"
    moved.parent.mkdir()
    moved.write_bytes((tmp_path / "ours1.json").read_bytes())
    assert main([file, str(moved.parent)]) == 0
    out = capsys.readouterr().out
    assert "curves in log/a/b/c/ours1\n" in out and f"{moved}, curves in log/a/b/c/ours1.2\n" in out


def names_in(out):
    """The first cells of the table's rows: up to two blanks."""
    lines = out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("---"))
    rows = lines[first + 1 : lines.index("", first)]
    return [row.split("  ")[0] for row in rows]


def test_folders_and_the_folder_of_several(tmp_path, capsys):
    runs = [run_in(tmp_path / "people" / mode, mode) for mode in ("baseline1", "ours1")]
    for given in (runs, [runs[0].parent], [runs[0] / "results.json", runs[1]]):
        assert main(list(map(str, given))) == 0
        out = capsys.readouterr().out
        assert names_in(out) == ["baseline1", "ours1"]
        assert all(f"{run.name}: {run / 'results.json'}, " in out for run in runs)
        assert "as it was" not in out
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 2
    assert "results.json" in capsys.readouterr().err


def test_runs_that_are_not_finished_are_named(tmp_path, capsys):
    done, started = run_in(tmp_path / "people" / "ours1"), tmp_path / "people" / "ours2"
    started.mkdir()
    (started / "config.yaml").write_text("{}")
    (tmp_path / "people" / "doctor").mkdir()  # no run
    assert main([str(done.parent)]) == 0
    out = capsys.readouterr().out
    assert names_in(out) == ["ours1"] and out.count("left out") == 1
    assert f"{started}: left out" in out


def test_runs_of_the_same_mode_are_told_apart(tmp_path, capsys):
    runs = [run_in(tmp_path / "a", settings="LBI: {GAMMA: 0.5}"), run_in(tmp_path / "b", settings="LBI: {GAMMA: 2}"),
            run_in(tmp_path / "c", "baseline1")]  # fmt: skip
    assert main(list(map(str, runs))) == 0
    assert names_in(capsys.readouterr().out) == ["ours1, LBI.GAMMA 0.5", "ours1, LBI.GAMMA 2.0", "baseline1"]


def test_a_run_given_twice_is_refused(tmp_path, capsys):
    run = run_in(tmp_path / "a")
    assert main([str(run), str(run / "results.json")]) == 2
    assert "given twice" in capsys.readouterr().err


@pytest.mark.parametrize("logs, roots", [(["log/a/n/c/m", "log/a/n/d/m"], ["log/a"]), (["x/a/n/c/m", "y/a/n/c/m"], ["x/a", "y/a"])])  # fmt: skip
def test_tensorboard_is_given_every_folder_of_logs(tmp_path, capsys, logs, roots):
    files = [results(tmp_path, mode, 1.0, log=log) for mode, log in zip(("ours1", "ours2"), logs)]
    assert main(files) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "--logdir" in line]
    assert [line.split()[-1] for line in lines] == roots
