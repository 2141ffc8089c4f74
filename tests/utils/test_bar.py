import io
import sys

import pytest

from lib.utils.bar import Bar, colourise
from tests.harness.terminal import on_terminal


def drawn(monkeypatch, columns, share=0.5, parts=("12.0 s left", "loss 0.25", "weights 0.9")):
    with on_terminal(monkeypatch, columns=columns) as screens:
        Bar(sys.stdout).draw(share, parts)
    (line,) = screens[0].drawings
    return line


@pytest.mark.parametrize("columns", [8, 20, 31, 45, 80, 200])
def test_never_as_wide_as_the_terminal_and_only_whole_words(columns, monkeypatch):
    line = drawn(monkeypatch, columns)
    assert 0 < len(line) < columns
    words = line.split("  ")[1:]
    assert [word for word in words if word] == ["12.0 s left", "loss 0.25", "weights 0.9"][: len(words)]


def test_more_room_shows_more(monkeypatch):
    assert [drawn(monkeypatch, columns).count("  ") for columns in (20, 31, 45, 80)] == [0, 1, 2, 3]


@pytest.mark.parametrize("share, full", [(-1, 0), (0, 0), (0.5, 15), (1, 30), (7, 30)])
def test_the_share_is_as_long_as_it_is(share, full, monkeypatch):
    line = drawn(monkeypatch, 200, share)
    assert (line.count("━"), line.count("╌")) == (full, 30 - full)


def test_what_cannot_be_written_in_the_terminals_characters_is_plain():
    class Old(io.TextIOWrapper):
        def isatty(self):
            return True

    stream = Old(io.BytesIO(), encoding="latin-1")
    Bar(stream).draw(0.5, [])
    assert b"=" in stream.buffer.getvalue() and b"-" in stream.buffer.getvalue()


def test_a_terminal_that_was_closed_stops_nothing():
    class Gone(io.StringIO):
        def write(self, _):
            raise OSError(5, "Input/output error")

    bar = Bar(Gone())
    bar.draw(0.5, [])
    bar.clear()
    assert not bar.due()


def test_drawn_now_and_then(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("lib.utils.bar.time.monotonic", lambda: now[0])
    bar = Bar(io.StringIO())
    assert bar.due()
    bar.draw(0.1, [])
    assert not bar.due()
    now[0] += 0.2
    assert bar.due()
    assert not Bar(None).due()


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colourise("no", "red", Terminal()) == "\033[31mno\033[0m"
    assert colourise("no", "red", io.StringIO()) == "no"
    monkeypatch.setenv("TERM", "dumb")
    assert colourise("no", "red", Terminal()) == "no"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert colourise("no", "red", Terminal()) == "no"
