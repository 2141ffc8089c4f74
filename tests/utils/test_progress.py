import logging

import pytest

from lib.utils import log, progress
from lib.utils.log import LOG, STEP, captured_messages
from lib.utils.progress import LOG_INTERVAL, ProgressLines, progress_bar, track
from tests.harness.terminal import on_terminal


@pytest.fixture
def terminal():
    yield log.open_terminal
    log.close_terminal()


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which the test sets."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def logged(monkeypatch, caplog):
    """The log of the program, from level DEBUG on."""
    monkeypatch.setattr(LOG, "handlers", [])
    monkeypatch.setattr(LOG, "propagate", True)
    caplog.set_level(logging.DEBUG, LOG.name)
    return caplog


def test_a_line_of_the_log_every_thirty_seconds(clock, logged):
    assert LOG_INTERVAL == 30
    lines = ProgressLines()
    for second in range(1, 101):
        clock[0] = 100.0 + second
        lines.log_if_due("reading", second / 200)
    assert [record.levelno for record in logged.records] == [STEP] * 3
    assert logged.messages[0] == "reading: 15 %, 2 min 50 s left"  # 30 s for 15 %: 170 s for the rest
    assert logged.messages[2] == "reading: 45 %, 1 min 50 s left"


def test_no_line_before_anything_is_done_and_no_time_left_after_the_end(clock, logged):
    lines = ProgressLines()
    clock[0] += LOG_INTERVAL
    lines.log_if_due("reading", 0.0)
    assert not logged.messages
    lines.log_if_due("reading", 1.25)
    assert logged.messages[0] == "reading: 125 %, 0.0 s left"


def test_track_yields_the_items_and_logs_how_far_it_is(clock, logged):
    items = []
    for item in track(["a", "b", "c", "d"], "evaluating"):
        clock[0] += 20
        items.append(item)
    assert items == ["a", "b", "c", "d"]
    assert logged.messages == ["evaluating: 50 %, 40.0 s left"]


def test_track_draws_a_bar_on_a_terminal(terminal, monkeypatch):
    with on_terminal(monkeypatch) as screens:
        terminal()
        assert list(track(["a", "b"], "evaluating")) == ["a", "b"]
    assert screens[0].drawings[0].startswith("evaluating:   0%|") and "0/2" in screens[0].drawings[0]
    assert screens[0].lines == [""]


def test_a_loop_that_fails_leaves_no_bar(terminal, monkeypatch):
    with on_terminal(monkeypatch) as screens:
        terminal()
        with pytest.raises(ValueError, match="b"):
            for item in track("ab", "evaluating"):
                if item == "b":
                    raise ValueError(item)
        log.LOG.info("after it")
    assert screens[0].lines == ["after it", ""]


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_a_bar_is_as_wide_as_the_terminal(columns, terminal, monkeypatch):
    with on_terminal(monkeypatch, columns=columns) as screens:
        terminal()
        with progress_bar(total=4, desc="evaluating", initial=1) as bar:
            bar.set_postfix(loss="0.25")
    widths = {len(drawing.rstrip("\r")) for drawing in screens[0].drawings}
    assert widths and max(widths) <= columns and min(widths) >= columns - 2


@pytest.mark.parametrize("verbosity, bars", [("quiet", False), ("normal", True), ("verbose", True)])
def test_quiet_has_no_bar(verbosity, bars, terminal, monkeypatch):
    with on_terminal(monkeypatch) as screens:
        terminal(verbosity)
        with progress_bar(total=2) as bar:
            bar.update()
            assert bar.disable != bars
    assert bool(screens[0].drawings) == bars


def test_no_bar_without_a_terminal(terminal, monkeypatch, capsys):
    assert progress_bar(total=2).disable  # the log is not shown
    terminal()
    assert progress_bar(total=2).disable  # it is, but goes to a pipe
    with on_terminal(monkeypatch):
        monkeypatch.setenv("TERM", "dumb")
        terminal()
        assert progress_bar(total=2).disable
        monkeypatch.setenv("TERM", "xterm")
        terminal()
        with captured_messages():
            assert progress_bar(total=2).disable
    assert not capsys.readouterr().err
