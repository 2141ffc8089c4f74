"""What a person reads: one log, on the terminal and in a file; and times in words."""

import logging
import sys
import time
from collections.abc import Iterator, Sized
from pathlib import Path

from lib.utils.bar import Bar, colourise, is_terminal

LOG = logging.getLogger("lib")
STEP = (logging.DEBUG + logging.INFO) // 2  # level of lines that a bar makes superfluous
SHOWN = {"quiet": logging.WARNING, "normal": STEP, "verbose": logging.DEBUG}
LONG = 30.0  # seconds between two lines that say how far something long is


class Terminal(logging.Handler):
    """Lines of the log on stdout, and a bar below them where that, or else stderr, is a terminal.

    ``shown``: one of SHOWN. With a bar the lines of steps are left out, unless it is verbose.
    """

    def __init__(self, shown: str):
        streams = (stream for stream in (sys.stdout, sys.stderr) if is_terminal(stream))
        self.bar = Bar(None if shown == "quiet" else next(streams, None))
        superfluous = shown == "normal" and self.bar.stream is not None
        super().__init__(logging.INFO if superfluous else SHOWN[shown])

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.bar.clear()
            line = self.format(record)
            if record.levelno >= logging.WARNING:
                line = colourise(line, "yellow", sys.stdout)
            print(line, flush=True)
        except Exception:  # as other handlers do: the work goes on without the log
            self.handleError(record)


def open_terminal(shown: str = "normal") -> None:
    """Show the program's log on the terminal from now on."""
    close_terminal()
    LOG.setLevel(min(STEP, SHOWN[shown]))
    LOG.propagate = False
    LOG.addHandler(Terminal(shown))


def close_terminal() -> None:
    for handler in _terminals():
        handler.bar.clear()
        LOG.removeHandler(handler)


def open_log(path: str | Path, writes: bool = True) -> logging.Logger:
    """The program's logger: lines to the terminal as they are, to ``path`` with the time.

    One that doesn't write, of a process whose part another one tells, says nothing.
    """
    path = Path(path)
    close_log()
    if not writes:
        close_terminal()
        LOG.propagate = False
        LOG.addHandler(logging.NullHandler())
        return LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _terminals():
        open_terminal()
    file = logging.FileHandler(path, mode="a", encoding="utf-8")
    file.setLevel(STEP)
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    LOG.addHandler(file)
    return LOG


def close_log() -> None:
    """Close the file; the terminal stays, without its bar."""
    current_bar().clear()
    for handler in list(LOG.handlers):
        if isinstance(handler, logging.FileHandler):
            LOG.removeHandler(handler)
            handler.close()


def current_bar() -> Bar:
    """The terminal's; one that shows nothing where there is none."""
    return next((handler.bar for handler in _terminals()), Bar(None))


def _terminals() -> list[Terminal]:
    return [handler for handler in LOG.handlers if isinstance(handler, Terminal)]


def with_progress(batches: Sized, doing: str) -> Iterator:
    """The items of ``batches``; meanwhile a bar on the terminal, and a line now and then where it takes long."""
    bar = current_bar()
    started = said = time.monotonic()
    for done, batch in enumerate(batches):
        now, share = time.monotonic(), done / len(batches)
        left = f"{format_duration((now - started) / share * (1 - share))} left" if done else ""
        if done and bar.due():
            bar.draw(share, [left, doing])
        if done and now - said >= LONG:
            said = now
            LOG.log(STEP, f"{doing}: {100 * share:.0f} %, {left}")
        yield batch
    bar.clear()


def format_duration(seconds: float) -> str:
    """12.3 s, 4 min 05 s, 3 h 20 min, 2 d 04 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"
