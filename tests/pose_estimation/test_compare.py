import json

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
    assert cells["baseline2"] == ["baseline2", *["12.3"] * 7, "50.0", "12.3", "250", "-"]
    assert cells["ours2"][-4:] == ["61.3", "12.3", "250", "0.88"]
    assert any("its source model" in line and line.split()[3:] == ["-"] * 9 for line in lines)
    assert "output/a/b/c/ours2/results.json" in "".join(lines)


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
    assert rows[2][1:][GROUPS.index("Mean")] == "55.0" and rows[2][-1] == "0.90"
