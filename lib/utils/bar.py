"""What only a terminal can show: a line that rewrites itself, and colours."""

import os
import shutil
import time
from collections.abc import Sequence
from typing import TextIO

EVERY = 0.2  # seconds between two drawings
SHORTEST, LONGEST = 6, 30  # the bar itself, in characters
COLOURS = {"red": 31, "green": 32, "yellow": 33}


def is_terminal(stream: TextIO) -> bool:
    """One that can go back in a line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colourise(text: str, colour: str, stream: TextIO) -> str:
    """``text`` in one of COLOURS where ``stream`` is a terminal, unless NO_COLOR is set (no-color.org)."""
    if os.environ.get("NO_COLOR") or not is_terminal(stream):
        return text
    return f"\033[{COLOURS[colour]}m{text}\033[0m"


class Bar:
    """The last line of the terminal ``stream``: a share as a bar, and a few words. Of None, nothing at all."""

    def __init__(self, stream: TextIO | None):
        self.stream = stream
        self._drawn_at = float("-inf")
        self._visible = False

    def due(self) -> bool:
        """Whether it is worth drawing again."""
        return self.stream is not None and time.monotonic() - self._drawn_at >= EVERY

    def draw(self, share: float, parts: Sequence[str]) -> None:
        """Show ``share`` (0 to 1) and as many of ``parts`` as the terminal is wide, the first ones first."""
        if self.stream is None:
            return
        share = min(max(share, 0.0), 1.0)
        width = shutil.get_terminal_size().columns - 1  # a full line would go on to the next one
        percent, words = f"{100 * share:3.0f} %", ""
        for part in parts:
            if len(f"{percent} {words}  {part}") + SHORTEST > width:
                break
            words += f"  {part}"
        length = max(0, min(LONGEST, width - len(f"{percent} {words}")))
        full, empty = self._characters()
        done = round(share * length)
        bar = colourise(full * done, "green", self.stream) + empty * (length - done)
        self._write(f"{percent} {bar}{words}" if length else percent[:width])
        self._drawn_at, self._visible = time.monotonic(), True

    def clear(self) -> None:
        """Take it away, before something else is written."""
        if self._visible and self.stream is not None:
            self._write("")
        self._visible = False

    def _characters(self) -> tuple[str, str]:
        try:
            "━╌".encode(self.stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return "=", "-"
        return "━", "╌"

    def _write(self, text: str) -> None:
        try:
            self.stream.write(f"\r\033[K{text}")
            self.stream.flush()
        except OSError:  # the terminal was closed; the work goes on
            self.stream = None
