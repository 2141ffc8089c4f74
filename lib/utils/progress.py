"""Progress of long work: a bar on the terminal, or else a line of the log now and then."""

import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Protocol

from lib.utils.log import LOG, STEP, bar_stream, format_duration
from lib.utils.terminal import TerminalBar

MIN_INTERVAL = 0.2  # seconds between two drawings of a bar
LOG_INTERVAL = 30.0  # seconds between two lines of the log on the progress of long work


def progress_bar(**options) -> TerminalBar:
    """A tqdm bar below the lines of the log; disabled if the log has no terminal or is quiet.

    Args:
        options: arguments of ``tqdm``. The bar is removed from the terminal when it is closed.
    """
    stream = bar_stream()
    return TerminalBar(
        file=stream,
        disable=stream is None,
        dynamic_ncols=True,
        leave=False,
        mininterval=MIN_INTERVAL,
        **options,
    )


class ProgressLines:
    """Decides when a line of the log on the progress of long work is due: every LOG_INTERVAL seconds."""

    def __init__(self):
        self.started = self.last_logged = time.monotonic()

    def log_if_due(self, description: str, share: float) -> None:
        """Log ``description``, the ``share`` that is done (0 to 1) and the time left, if a line is due."""
        now = time.monotonic()
        if share > 0 and now - self.last_logged >= LOG_INTERVAL:
            self.last_logged = now
            left = format_duration((now - self.started) / share * max(0.0, 1 - share))
            LOG.log(STEP, f"{description}: {100 * share:.0f} %, {left} left")


class SizedIterable(Sized, Iterable[Any], Protocol):
    """What is iterated over with its length known, such as a list or a data loader."""


def track(items: SizedIterable, description: str) -> Iterator:
    """Iterate over ``items`` and show the progress, on a bar and in the log."""
    lines = ProgressLines()
    with progress_bar(total=len(items), desc=description) as bar:
        for done, item in enumerate(items):
            lines.log_if_due(description, done / len(items))
            yield item
            bar.update()
