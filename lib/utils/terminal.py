"""What only a terminal can show: colours and progress bars."""

import os
import threading
from typing import TextIO

from tqdm import tqdm

COLOURS = {"red": 31, "green": 32, "yellow": 33}  # ANSI codes


def is_terminal(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal that can rewrite a line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colourise(text: str, colour: str, stream: TextIO) -> str:
    """Colour ``text`` with one of COLOURS if ``stream`` is a terminal and NO_COLOR is not set (no-color.org)."""
    if os.environ.get("NO_COLOR") or not is_terminal(stream):
        return text
    return f"\033[{COLOURS[colour]}m{text}\033[0m"


class TerminalBar(tqdm):
    """A tqdm bar without tqdm's monitor thread, whose lock a forked data loader worker could inherit."""

    monitor_interval = 0


# For the same reason, and because no other process draws bars: a lock of this process alone.
TerminalBar.set_lock(threading.RLock())
