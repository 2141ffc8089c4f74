"""Progress of predict.py on the terminal: images done, time left, speed."""

import time

from lib.utils.log import LOG, STEP, current_bar, format_duration

EVERY = 10.0  # seconds between two log lines if no bar is shown


class Progress:
    """Counts images and people, and reports them on the terminal's progress bar or as log lines.

    total: Expected number of images.
    """

    def __init__(self, total: int):
        self.total = total
        self.images = self.people = 0
        self.started = self.last_logged = time.monotonic()
        self.bar = current_bar()

    def add(self, people: int) -> None:
        """Count an image with ``people`` people."""
        self.images += 1
        self.people += people
        now = time.monotonic()
        if not self.bar.due() and now - self.last_logged < EVERY:
            return
        left = (now - self.started) / self.images * max(0, self.total - self.images)
        parts = [f"{format_duration(left)} left", f"{self.images} of {self.total} images", self.rates()]
        if self.bar.due():
            self.bar.draw(self.images / max(self.total, self.images), parts)
        if now - self.last_logged >= EVERY:
            self.last_logged = now
            LOG.log(STEP, ", ".join(parts))

    def rates(self) -> str:
        """Images and people per second since the start."""
        seconds = max(time.monotonic() - self.started, 1e-9)
        return f"{self.images / seconds:.1f} images/s, {self.people / seconds:.1f} people/s"

    def close(self) -> str:
        """Clear the bar and return a summary line."""
        self.bar.clear()
        duration = format_duration(time.monotonic() - self.started)
        return f"{self.people} people in {self.images} images, {duration} ({self.rates()})"
