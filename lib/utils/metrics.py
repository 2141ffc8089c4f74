"""Numbers and pictures of a run go into one sink; tensorboard and metrics.jsonl stand behind it."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import json_tricks
import numpy as np
from tensorboardX import SummaryWriter

BINS = 20  # of a histogram of weights in metrics.jsonl: equal ones from 0 to 1


class _Guarded:
    """tensorboardX's writer of a file, whose thread survives a full disk: the training would wait for it for ever."""

    def __init__(self, writer):
        self.writer = writer
        self.error: OSError | None = None

    def write_event(self, event) -> None:
        self._try(lambda: self.writer.write_event(event))

    def flush(self) -> None:
        self._try(self.writer.flush)

    def close(self) -> None:
        self._try(self.writer.close)

    def _try(self, call: Callable[[], object]) -> None:
        if self.error is None:
            try:
                call()
            except OSError as error:
                self.error = error


class MetricsSink:
    """Writes scalars to ``metrics.jsonl`` in ``output`` and to tensorboard in ``log``.

    Pictures and the histograms of batches go to tensorboard alone. ``step`` counts training steps.
    Raises OSError where either can't be written. One that doesn't write, of a process whose part another
    one tells, drops everything. Where a run goes on after ``step`` steps, what was written of later ones is
    taken back: in the file all beyond its first ``written`` bytes, in tensorboard what is of later steps.
    """

    def __init__(self, output: Path, log: Path, written: int = 0, step: int = 0, writes: bool = True):
        path = output / "metrics.jsonl" if writes else Path(os.devnull)
        if writes:
            output.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > written:
                os.truncate(path, written)
        self._lines = open(path, "ab")  # noqa: SIM115 (closed by close)
        # Names of event files are of the second; an earlier one of the same run must not be overwritten.
        going_on = {"purge_step": step + 1, "filename_suffix": f".from_{step}"} if step else {}
        self._board = SummaryWriter(str(log), write_to_disk=writes, **going_on)
        events = self._board.file_writer.event_writer if writes else None
        self._guard = _Guarded(events and events._ev_writer)
        if writes:
            events._ev_writer = events._worker._record_writer = self._guard

    def __enter__(self) -> "MetricsSink":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Values by tag; those that are not finite are kept in the file as null and off the curves."""
        values = {tag: float(value) for tag, value in values.items()}
        finite = {tag: value for tag, value in values.items() if math.isfinite(value)}
        line = {"step": step, **{tag: finite.get(tag) for tag in values}}
        self._write(line)
        for tag, value in finite.items():
            self._board.add_scalar(tag, value, step)

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        if values.size and np.isfinite(values).all():
            self._board.add_histogram(tag, values, step)

    def weights_histogram(self, step: int, tag: str, weights: np.ndarray) -> None:
        """Of values in [0, 1]: in tensorboard, and as counts of ``BINS`` bins in the file."""
        self.histogram(step, tag, weights)
        counts, _ = np.histogram(weights, bins=BINS, range=(0, 1))
        self._write({"step": step, "histogram": {"tag": tag, "counts": counts.tolist()}})

    def picture(self, step: int, tag: str, picture: np.ndarray) -> None:
        """[H, W, 3] uint8 RGB."""
        self._board.add_image(tag, picture, step, dataformats="HWC")

    def text(self, tag: str, text: str) -> None:
        self._board.add_text(tag, text)

    def written(self) -> int:
        """Bytes of ``metrics.jsonl``."""
        return self._lines.tell()

    def _write(self, line: dict) -> None:
        if self._guard.error is not None:
            raise self._guard.error
        self._lines.write(json_tricks.dumps(line, primitives=True).encode() + b"\n")
        self._lines.flush()

    def close(self) -> None:
        self._lines.close()
        self._board.close()
