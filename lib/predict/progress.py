"""How far a long command is, and how fast, on the terminal."""

import sys
import time

from lib.utils.log import duration

EVERY = {
    True: 0.2,
    False: 10.0,
}  # seconds between two lines: one that rewrites itself on a terminal, new ones in a file


class Progress:
    """Counts pictures and people; says so on stderr now and then."""

    def __init__(self, total: int):
        self.total = total
        self.pictures = self.people = 0
        self.started = self.said = time.monotonic()
        self.on_terminal = sys.stderr.isatty()

    def add(self, people: int) -> None:
        self.pictures += 1
        self.people += people
        now = time.monotonic()
        if now - self.said >= EVERY[self.on_terminal]:
            self.said = now
            left = (now - self.started) / self.pictures * max(0, self.total - self.pictures)
            self._say(f"{self.pictures} of {self.total} pictures, {self.rates()}, {duration(left)} left")

    def rates(self) -> str:
        seconds = max(time.monotonic() - self.started, 1e-9)
        return f"{self.pictures / seconds:.1f} pictures/s, {self.people / seconds:.1f} people/s"

    def close(self) -> str:
        """A sentence on the whole."""
        if self.on_terminal:
            self._say("")
        taken = duration(time.monotonic() - self.started)
        return f"{self.people} people in {self.pictures} pictures, {taken} ({self.rates()})"

    def _say(self, text: str) -> None:
        print(f"\r\033[K{text}" if self.on_terminal else text, end="" if self.on_terminal else "\n",
              file=sys.stderr, flush=True)  # fmt: skip
