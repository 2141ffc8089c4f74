"""The program's log: one logger, whose lines go to the terminal and to a file."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import TextIO

from lib.utils.terminal import TerminalBar, colourise, is_terminal

LOG = logging.getLogger("lib")
STEP = (logging.DEBUG + logging.INFO) // 2  # level of lines that a progress bar makes superfluous
LEVELS = {"quiet": logging.WARNING, "normal": STEP, "verbose": logging.DEBUG}  # of the terminal, by verbosity


class Terminal(logging.Handler):
    """Prints the log on stdout, above the progress bars.

    verbosity: a key of LEVELS. With a bar, "normal" leaves out the lines of level STEP.
    bar_stream: where bars are drawn: stdout or else stderr, whichever is a terminal; None: no bars.
    """

    def __init__(self, verbosity: str):
        terminals = (stream for stream in (sys.stdout, sys.stderr) if is_terminal(stream))
        self.bar_stream: TextIO | None = None if verbosity == "quiet" else next(terminals, None)
        superfluous = verbosity == "normal" and self.bar_stream is not None
        super().__init__(logging.INFO if superfluous else LEVELS[verbosity])

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line, coloured if it is a warning or worse."""
        try:
            line = self.format(record)
            if record.levelno >= logging.WARNING:
                line = colourise(line, "yellow", sys.stdout)
            TerminalBar.write(line, file=sys.stdout)
            sys.stdout.flush()
        except Exception:  # like other handlers: a line that cannot be printed does not stop the work
            self.handleError(record)


def open_terminal(verbosity: str = "normal") -> None:
    """Show the log on the terminal from now on, and buffer its lines for the file that `open_log` opens.

    Args:
        verbosity: a key of LEVELS.
    """
    close_terminal()
    LOG.setLevel(min(STEP, LEVELS[verbosity]))
    LOG.propagate = False
    LOG.addHandler(Terminal(verbosity))
    _buffer_records()


def open_terminal_unless_open() -> None:
    """`open_terminal`, unless the log has handlers already."""
    if not LOG.handlers:
        open_terminal()


def close_terminal() -> None:
    """Stop showing the log on the terminal, and drop the lines buffered for a file."""
    for handler in _terminals():
        LOG.removeHandler(handler)
    _take_buffered_records()


def bar_stream() -> TextIO | None:
    """Where progress bars are drawn; None if they are not, as the log's terminal decides."""
    return next((handler.bar_stream for handler in _terminals()), None)


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
    records = _take_buffered_records()
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="a", encoding="utf-8")
    file.setLevel(STEP)
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    LOG.addHandler(file)
    for record in records:
        file.handle(record)
    return [record.getMessage() for record in records]


def close_log() -> None:
    """Close the file of the log; the terminal stays open."""
    for handler in list(LOG.handlers):
        if isinstance(handler, logging.FileHandler):
            LOG.removeHandler(handler)
            handler.close()
            _buffer_records()


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


def _buffer_records() -> None:
    """Buffer lines until a file is open."""
    buffer = MemoryHandler(capacity=sys.maxsize, flushLevel=sys.maxsize, flushOnClose=False)
    buffer.setLevel(STEP)
    LOG.addHandler(buffer)


def _take_buffered_records() -> list[logging.LogRecord]:
    """Stop buffering, and return what was buffered."""
    records = []
    for handler in [handler for handler in LOG.handlers if isinstance(handler, MemoryHandler)]:
        records += handler.buffer
        LOG.removeHandler(handler)
    return records


def _terminals() -> list[Terminal]:
    return [handler for handler in LOG.handlers if isinstance(handler, Terminal)]


def format_duration(seconds: float) -> str:
    """Format a duration in its two largest units: 12.3 s, 4 min 05 s, 3 h 20 min, 2 d 04 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"
