"""How far a long command is, and how fast, on the terminal."""

import time

from lib.utils.log import LOG, STEP, current_bar, duration

EVERY = 10.0  # seconds between two lines, where no bar is shown


class Progress:
    """Counts pictures and people; says so now and then."""

    def __init__(self, total: int):
        self.total = total
        self.pictures = self.people = 0
        self.started = self.said = time.monotonic()
        self.bar = current_bar()

    def add(self, people: int) -> None:
        self.pictures += 1
        self.people += people
        now = time.monotonic()
        if not self.bar.due() and now - self.said < EVERY:
            return
        left = (now - self.started) / self.pictures * max(0, self.total - self.pictures)
        parts = [f"{duration(left)} left", f"{self.pictures} of {self.total} pictures", self.rates()]
        if self.bar.due():
            self.bar.draw(self.pictures / max(self.total, self.pictures), parts)
        if now - self.said >= EVERY:
            self.said = now
            LOG.log(STEP, ", ".join(parts))

    def rates(self) -> str:
        seconds = max(time.monotonic() - self.started, 1e-9)
        return f"{self.pictures / seconds:.1f} pictures/s, {self.people / seconds:.1f} people/s"

    def close(self) -> str:
        """A sentence on the whole."""
        self.bar.clear()
        taken = duration(time.monotonic() - self.started)
        return f"{self.people} people in {self.pictures} pictures, {taken} ({self.rates()})"
