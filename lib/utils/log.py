"""What a person reads: one log, on the terminal and in a file; and times in words."""

import logging
import sys
from pathlib import Path


def open_log(path: str | Path, writes: bool = True) -> logging.Logger:
    """The program's logger: lines to the terminal as they are, to ``path`` with the time.

    One that doesn't write, of a process whose part another one tells, says nothing.
    """
    path = Path(path)
    log = logging.getLogger("lib")
    log.setLevel(logging.INFO)
    log.propagate = False
    close_log()
    if not writes:
        log.addHandler(logging.NullHandler())
        return log
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = logging.StreamHandler(sys.stdout)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    file = logging.FileHandler(path, mode="a", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    for handler in (terminal, file):
        log.addHandler(handler)
    return log


def close_log() -> None:
    log = logging.getLogger("lib")
    for handler in list(log.handlers):
        log.removeHandler(handler)
        if isinstance(handler, logging.FileHandler):
            handler.close()


def duration(seconds: float) -> str:
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
