"""Progress of predict.py: images done, time left, people found, speed."""

import time

from lib.utils.log import format_duration
from lib.utils.progress import ProgressLines, progress_bar


class Progress:
    """Counts images and people, and shows them on a progress bar and in the log; a context manager.

    total: Expected number of images.
    noun: What the people are called.
    """

    def __init__(self, total: int, noun: str = "people"):
        self.total, self.noun = total, noun
        self.images = self.people = 0
        self.started = time.monotonic()
        self.lines = ProgressLines()
        self.bar = progress_bar(total=total, unit=" images", desc="predicting")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    def add(self, people: int) -> None:
        """Count an image with ``people`` people."""
        self.images += 1
        self.people += people
        if self.bar.update():
            self.bar.set_postfix({self.noun: self.people})
        share = self.images / max(self.total, self.images)
        self.lines.log_if_due(f"{self.images} of {self.total} images, {self.rates()}", share)

    def rates(self) -> str:
        """Images and people per second since the start."""
        seconds = max(time.monotonic() - self.started, 1e-9)
        return f"{self.images / seconds:.1f} images/s, {self.people / seconds:.1f} {self.noun}/s"

    def summary(self) -> str:
        """A line on the images and people counted, and the speed."""
        duration = format_duration(time.monotonic() - self.started)
        return f"{self.people} {self.noun} in {self.images} images, {duration} ({self.rates()})"
