"""What a person sees of a run: on a terminal, through a pipe, with --quiet and with --verbose."""

import re
import sys

import pytest

import lib.utils.progress
from pose_estimation import predict, valid
from tests.factories.small_run import RUNS, run
from tests.harness.terminal import on_terminal


def logged(config, mode="ours1"):
    """The lines of train.log without their times."""
    lines = (config.parent / "output" / RUNS / mode / "train.log").read_text().splitlines()
    return [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", line) for line in lines]


def is_step(line):
    return re.match(r"epoch \d+ step \d+", line) is not None


def results_line(config, mode="ours1"):
    return str(config.parent / "output" / RUNS / mode / "results.json")


def test_a_terminal_has_a_bar_in_place_of_the_steps_lines(config, monkeypatch):
    monkeypatch.setattr(lib.utils.progress, "MIN_INTERVAL", 0.0)
    with on_terminal(monkeypatch, ["stdout", "stderr"]) as screens:
        assert run(config, "--ours1", "TEST.BATCH_SIZE", "2") == 0
    (screen,) = screens
    lines = logged(config)
    assert sum(map(is_step, lines)) == 4
    assert screen.lines == [*(line for line in lines if not is_step(line)), results_line(config), ""]
    step = r"epoch (\d): +\d+%\|.*\| [\d:]+ left, (PCKh=[\d.]+, )?loss=\d\S+, weights B=0\.\d\d, people/s=\d+"
    of_steps = [match for text in screen.drawings if (match := re.match(step, text))]
    assert {match[1] for match in of_steps} == {"0", "1"}
    assert all(bool(match[2]) == (match[1] == "1") for match in of_steps)  # after the first validation
    assert any("evaluating" in text for text in screen.drawings)


def test_a_pipe_gets_plain_lines_those_of_the_file(config, capsys):
    assert run(config, "--ours1") == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [*logged(config), results_line(config)]
    assert sum(map(is_step, logged(config))) == 4
    assert not captured.err and not set("\r\033") & set(captured.out)


def test_quiet_prints_where_the_results_are_and_the_log_has_everything(config, capsys):
    assert run(config, "--ours1", "--quiet") == 0
    captured = capsys.readouterr()
    *warnings, last = captured.out.splitlines()
    assert last == results_line(config) and not captured.err
    assert warnings and all(text.startswith(("ignoring weights: ", "weights B: ")) for text in warnings)
    assert sum(map(is_step, logged(config))) == 4


def test_verbose_prints_every_step_and_what_is_read(config, data, capsys):
    assert run(config, "--ours1", "--verbose", "PRINT_FREQ", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines if is_step(line)] == ["1", "2", "3", "4"]
    for path in (
        config,
        data / "coco/annotations/person_keypoints_train2017.json",
        data / "mpii/annot/train.json",
    ):
        assert f"reading {path}" in lines
    assert any(line.startswith(f"images: {data}/mpii/images, ") for line in lines)
    assert [line.split()[3] for line in logged(config) if is_step(line)] == ["3", "4"]
    assert not any("reading" in line for line in logged(config))


def test_warnings_are_never_hidden(config, capsys, tmp_path):
    assert run(config, "--baseline1", "--num_epochs", "1", "--quiet") == 0
    folder = config.parent / "output" / RUNS / "baseline1"
    (folder / "last.pth").rename(folder / "previous.pth")
    (folder / "last.pth").write_bytes(b"damaged")
    capsys.readouterr()
    assert run(config, "--baseline1", "--resume", "--quiet") == 0
    warning, results = capsys.readouterr().out.splitlines()
    assert "going back to" in warning and results.endswith("results.json")


def test_quiet_and_verbose_exclude_each_other(config, capsys):
    with pytest.raises(SystemExit):
        run(config, "--ours1", "--quiet", "--verbose")
    assert "not allowed with" in capsys.readouterr().err


def test_an_error_is_red_on_a_terminal_and_plain_elsewhere(config, monkeypatch, capsys):
    monkeypatch.delenv("NO_COLOR", raising=False)
    with on_terminal(monkeypatch, ["stderr"]) as screens:
        assert run(config) == 2
    assert screens[0].written.startswith("\033[31merror:\033[0m exactly one mode")
    assert run(config) == 2
    assert capsys.readouterr().err.startswith("error: exactly one mode")


def test_valid_and_predict_are_quiet_too(config, data, capsys, tmp_path):
    single = ["DATASET.DATASET", "mpii", "DATASET.ROOT", f"{data}/mpii", "MODEL.NUM_JOINTS", "13"]
    assert run(config, "--baseline1", "--num_epochs", "1", "--quiet") == 0
    model = str(config.parent / "output" / RUNS / "baseline1" / "last.pth")
    capsys.readouterr()
    assert valid.main(["--cfg", str(config), "--model-file", model, "--quiet", *single]) == 0
    warning, line = capsys.readouterr().out.splitlines()
    assert "baseline1" in warning and line.endswith("results.json")  # its own test set is another
    image = next((data / "mpii/images").iterdir())
    words = [str(image), "--model-file", model, "--output", str(tmp_path / "found")]
    assert predict.main([*words, "--quiet"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("1 people in 1 images")
    assert predict.main([*words, "--verbose"]) == 0
    assert f"reading {model}" in capsys.readouterr().out.splitlines()


def test_predict_counts_images_on_a_terminal(config, data, monkeypatch, tmp_path):
    assert run(config, "--baseline1", "--num_epochs", "1", "--quiet") == 0
    model = str(config.parent / "output" / RUNS / "baseline1" / "last.pth")
    monkeypatch.setattr(lib.utils.progress, "MIN_INTERVAL", 0.0)
    with on_terminal(monkeypatch, ["stderr"]) as screens:
        assert (
            predict.main([str(data / "mpii/images"), "--model-file", model, "--output", str(tmp_path / "f")])
            == 0
        )
        assert sys.stderr.isatty()
    count = len(list((data / "mpii/images").iterdir()))
    assert f"{count}/{count}" in screens[0].drawings[-1] and "people=" in screens[0].drawings[-1]
    assert screens[0].lines == [""]
