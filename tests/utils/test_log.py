import io
import logging
import sys

import pytest

from lib.utils import log
from lib.utils.progress import progress_bar
from tests.harness.terminal import on_terminal


@pytest.fixture
def terminal():
    yield log.open_terminal
    log.close_terminal()
    log.close_log()


def log_at_all_levels():
    for level in (logging.DEBUG, log.STEP, logging.INFO, logging.WARNING):
        log.LOG.log(level, f"level {level}")


ALL = ["level 10", "level 15", "level 20", "level 30"]


@pytest.mark.parametrize("verbosity, first", [("quiet", 3), ("normal", 1), ("verbose", 0)])
def test_what_a_pipe_gets_and_what_the_file(verbosity, first, terminal, capsys, tmp_path):
    terminal(verbosity)
    log.open_log(tmp_path / "a.log")
    log_at_all_levels()
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ALL[first:] and not captured.err
    written = [line.partition(" level ")[2] for line in (tmp_path / "a.log").read_text().splitlines()]
    assert written == ["15", "20", "30"]


@pytest.mark.parametrize("verbosity, lines", [("quiet", ALL[3:]), ("normal", ALL[2:]), ("verbose", ALL)])
def test_what_a_terminal_gets(verbosity, lines, terminal, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    with on_terminal(monkeypatch) as screens:
        terminal(verbosity)
        with progress_bar(total=2, desc="training") as bar:
            log_at_all_levels()
            bar.refresh()
        log.close_terminal()
    (screen,) = screens
    assert screen.lines == [*lines, ""]
    assert "\033[33mlevel 30\033[0m" in screen.written
    assert bool(screen.drawings) == (verbosity != "quiet")


def test_a_bar_stays_below_the_lines(terminal, monkeypatch):
    with on_terminal(monkeypatch) as screens:
        terminal()
        with progress_bar(total=2, desc="training"), progress_bar(total=2, desc="evaluating"):
            log.LOG.info("a line")
            log.LOG.info("another")
    assert screens[-1].lines[:2] == ["a line", "another"]
    assert not any(screens[-1].lines[2:])


def test_the_bar_is_on_stderr_if_only_that_is_a_terminal(terminal, monkeypatch, capsys):
    with on_terminal(monkeypatch, ["stderr"]) as screens:
        terminal()
        assert log.bar_stream() is sys.stderr
        with progress_bar(total=2, desc="training"):
            log_at_all_levels()
    assert capsys.readouterr().out.splitlines() == ["level 20", "level 30"]
    assert screens[0].lines == [""] and "training" in screens[0].drawings[0]


def test_lines_are_flushed_at_once(terminal, monkeypatch):
    class Pipe(io.StringIO):
        flushed = ""

        def flush(self):
            self.flushed = self.getvalue()

    monkeypatch.setattr(sys, "stdout", Pipe())
    terminal()
    log.LOG.info("a line")
    assert sys.stdout.flushed == "a line\n"


def test_lines_before_the_file_is_open_are_written_to_it(terminal, tmp_path, capsys):
    terminal()
    log.LOG.info("early")
    assert log.open_log(tmp_path / "sub" / "a.log") == ["early"]
    log.LOG.info("late")
    log.close_log()
    log.LOG.info("between")
    log.open_log(tmp_path / "b.log")
    files = [(tmp_path / name).read_text().splitlines() for name in ("sub/a.log", "b.log")]
    assert [[line.split()[-1] for line in lines] for lines in files] == [["early", "late"], ["between"]]
    assert capsys.readouterr().out.splitlines() == ["early", "late", "between"]


@pytest.mark.parametrize("silence", [log.silence_log, lambda: log.open_log("no file", writes=False)])
def test_a_silenced_log_drops_everything(silence, terminal, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(log.LOG, "handlers", [])
    terminal()
    silence()
    log.LOG.warning("lost")
    log.open_terminal_unless_open()
    log.LOG.warning("lost as well")
    captured = capsys.readouterr()
    assert not captured.out and not captured.err and not list(tmp_path.iterdir())


def test_captured_messages_are_not_shown(terminal, capsys):
    terminal("verbose")
    with log.captured_messages() as messages:
        log.LOG.info("a note")
        log.LOG.debug("reading a file")
    log.LOG.debug("shown again")
    assert messages == ["a note"] and capsys.readouterr().out == "shown again\n"


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (245, "4 min 05 s"),
        (3600, "1 h 00 min"),
        (47 * 3600 + 59 * 60, "47 h 59 min"),
        (48 * 3600, "2 d 00 h"),
        (100 * 3600, "4 d 04 h"),
    ],
)
def test_durations_are_in_their_two_largest_units(seconds, text):
    assert log.format_duration(seconds) == text
