"""What a person reads: one log, on the terminal and in a file; and times in words."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any, Protocol

from lib.utils.bar import Bar, colourise, is_terminal

LOG = logging.getLogger("lib")
STEP = (logging.DEBUG + logging.INFO) // 2  # level of lines that a bar makes superfluous
SHOWN = {"quiet": logging.WARNING, "normal": STEP, "verbose": logging.DEBUG}
LONG = 30.0  # seconds between two lines that say how far something long is


class SizedIterable(Sized, Iterable[Any], Protocol):
    """What is iterated over with its length known, such as a list or a data loader."""


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
    """Show the log on the terminal from now on, and keep its lines for the file that `open_log` opens."""
    close_terminal()
    LOG.setLevel(min(STEP, SHOWN[shown]))
    LOG.propagate = False
    LOG.addHandler(Terminal(shown))
    _keep_lines()


def open_terminal_unless_open() -> None:
    if not LOG.handlers:
        open_terminal()


def close_terminal() -> None:
    for handler in _terminals():
        handler.bar.clear()
        LOG.removeHandler(handler)
    _take_kept_lines()


def silence_log() -> None:
    """Drop all lines of the log from now on, as ranks other than 0 do."""
    close_log()
    close_terminal()
    LOG.propagate = False
    LOG.addHandler(logging.NullHandler())


def open_log(path: str | Path, writes: bool = True) -> list[str]:
    """Write the log to ``path`` as well, each line with the time; first the lines logged so far.

    With ``writes=False`` (ranks other than 0) the log is silenced instead.

    Returns:
        The lines logged so far, since the terminal was opened or the last file closed.
    """
    path = Path(path)
    if not writes:
        silence_log()
        return []
    open_terminal_unless_open()
    kept = _take_kept_lines()
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="a", encoding="utf-8")
    file.setLevel(STEP)
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    LOG.addHandler(file)
    for record in kept:
        file.handle(record)
    return [record.getMessage() for record in kept]


def close_log() -> None:
    """Close the file; the terminal stays, without its bar."""
    current_bar().clear()
    for handler in list(LOG.handlers):
        if isinstance(handler, logging.FileHandler):
            LOG.removeHandler(handler)
            handler.close()
            _keep_lines()


@contextmanager
def captured_messages() -> Iterator[list[str]]:
    """Collect the messages of the log inside a ``with`` block, instead of showing or writing them."""
    handlers, level, propagate = list(LOG.handlers), LOG.level, LOG.propagate
    buffer = MemoryHandler(capacity=sys.maxsize, flushLevel=sys.maxsize, flushOnClose=False)
    messages: list[str] = []
    LOG.handlers, LOG.propagate = [buffer], False
    LOG.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        messages += [record.getMessage() for record in buffer.buffer]
        LOG.handlers, LOG.propagate = handlers, propagate
        LOG.setLevel(level)


def _keep_lines() -> None:
    """Buffer lines until a file is open."""
    buffer = MemoryHandler(capacity=sys.maxsize, flushLevel=sys.maxsize, flushOnClose=False)
    buffer.setLevel(STEP)
    LOG.addHandler(buffer)


def _take_kept_lines() -> list[logging.LogRecord]:
    """Stop buffering, and return the lines that were buffered."""
    kept = []
    for handler in [handler for handler in LOG.handlers if isinstance(handler, MemoryHandler)]:
        kept += handler.buffer
        LOG.removeHandler(handler)
    return kept


def current_bar() -> Bar:
    """The terminal's; one that shows nothing where there is none."""
    return next((handler.bar for handler in _terminals()), Bar(None))


def _terminals() -> list[Terminal]:
    return [handler for handler in LOG.handlers if isinstance(handler, Terminal)]


def with_progress(batches: SizedIterable, doing: str) -> Iterator:
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
