import io
import sys
import threading

from lib.utils.terminal import TerminalBar, colourise, is_terminal
from tests.harness.terminal import on_terminal


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_can_rewrite_a_line(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert is_terminal(Terminal()) and not is_terminal(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(Terminal())


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colourise("no", "red", Terminal()) == "\033[31mno\033[0m"
    assert colourise("no", "red", io.StringIO()) == "no"
    monkeypatch.setenv("TERM", "dumb")
    assert colourise("no", "red", Terminal()) == "no"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert colourise("no", "red", Terminal()) == "no"


def test_a_bar_starts_no_thread(monkeypatch):
    threads = threading.active_count()
    with on_terminal(monkeypatch, columns=40) as screens:
        before = threading.active_count()
        with TerminalBar(total=2, file=sys.stdout) as bar:
            bar.update()
            assert threading.active_count() == before
    assert threading.active_count() == threads
    assert screens[0].drawings


def test_a_terminal_that_was_closed_stops_nothing():
    class Gone(Terminal):
        def write(self, _):
            raise OSError(5, "Input/output error")

    with TerminalBar(total=2, file=Gone(), mininterval=0) as bar:
        bar.update()
    assert bar.n == 1
