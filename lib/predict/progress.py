"""How far a long command is, and how fast, on the terminal."""

import time

from lib.utils.log import LOG, STEP, current_bar, format_duration

EVERY = 10.0  # seconds between two lines, where no bar is shown


class Progress:
    """Counts images and people; says so now and then."""

    def __init__(self, total: int):
        self.total = total
        self.images = self.people = 0
        self.started = self.said = time.monotonic()
        self.bar = current_bar()

    def add(self, people: int) -> None:
        self.images += 1
        self.people += people
        now = time.monotonic()
        if not self.bar.due() and now - self.said < EVERY:
            return
        left = (now - self.started) / self.images * max(0, self.total - self.images)
        parts = [f"{format_duration(left)} left", f"{self.images} of {self.total} images", self.rates()]
        if self.bar.due():
            self.bar.draw(self.images / max(self.total, self.images), parts)
        if now - self.said >= EVERY:
            self.said = now
            LOG.log(STEP, ", ".join(parts))

    def rates(self) -> str:
        seconds = max(time.monotonic() - self.started, 1e-9)
        return f"{self.images / seconds:.1f} images/s, {self.people / seconds:.1f} people/s"

    def close(self) -> str:
        """A sentence on the whole."""
        self.bar.clear()
        taken = format_duration(time.monotonic() - self.started)
        return f"{self.people} people in {self.images} images, {taken} ({self.rates()})"
