import logging
import sys

import pytest

from lib.utils import log
from tests.harness.terminal import on_terminal


@pytest.fixture
def terminal():
    yield log.open_terminal
    log.close_terminal()
    log.close_log()


def say_all():
    for level in (logging.DEBUG, log.STEP, logging.INFO, logging.WARNING):
        log.LOG.log(level, f"level {level}")


ALL = ["level 10", "level 15", "level 20", "level 30"]


@pytest.mark.parametrize("shown, first", [("quiet", 3), ("normal", 1), ("verbose", 0)])
def test_what_a_pipe_gets_and_what_the_file(shown, first, terminal, capsys, tmp_path):
    terminal(shown)
    log.open_log(tmp_path / "a.log")
    say_all()
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ALL[first:] and not captured.err
    written = [line.partition(" level ")[2] for line in (tmp_path / "a.log").read_text().splitlines()]
    assert written == ["15", "20", "30"]


@pytest.mark.parametrize("shown, seen", [("quiet", ALL[3:]), ("normal", ALL[2:]), ("verbose", ALL)])
def test_what_a_terminal_gets(shown, seen, terminal, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    with on_terminal(monkeypatch) as screens:
        terminal(shown)
        log.current_bar().draw(0.5, ["halfway"])
        say_all()
        log.current_bar().draw(0.6, ["further"])
        log.close_terminal()
    (screen,) = screens
    assert screen.lines == [*seen, ""]
    assert "\033[33mlevel 30\033[0m" in screen.written
    assert len(screen.drawings) == (0 if shown == "quiet" else 2)


def test_the_bar_is_on_stderr_where_stdout_is_not_a_terminal(terminal, monkeypatch, capsys):
    with on_terminal(monkeypatch, ["stderr"]) as screens:
        terminal()
        assert log.current_bar().stream is sys.stderr
        log.current_bar().draw(0.5, ["halfway"])
        say_all()
    assert capsys.readouterr().out.splitlines() == ["level 20", "level 30"]
    assert screens[0].lines == [""] and "halfway" in screens[0].drawings[0]


def test_counting_says_how_far_it_is(terminal, monkeypatch, capsys, tmp_path):
    now = [0.0]
    monkeypatch.setattr("lib.utils.log.time.monotonic", lambda: now[0])
    terminal()
    taken = []
    for item in log.with_progress(["a", "b", "c", "d"], "evaluating"):
        now[0] += 20
        taken.append(item)
    assert taken == ["a", "b", "c", "d"]
    assert capsys.readouterr().out == "evaluating: 50 %, 40.0 s left\n"


def test_counting_on_a_terminal(terminal, monkeypatch):
    with on_terminal(monkeypatch) as screens:
        terminal()
        assert list(log.with_progress(["a", "b"], "evaluating")) == ["a", "b"]
    assert "50 %" in screens[0].drawings[0] and "evaluating" in screens[0].drawings[0]
    assert screens[0].lines == [""]
