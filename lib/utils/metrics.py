"""Numbers and pictures of a run go into one sink; tensorboard and metrics.jsonl stand behind it."""

import math
import os
from pathlib import Path

import json_tricks
import numpy as np
from tensorboardX import SummaryWriter

BINS = 20  # of a histogram of weights in metrics.jsonl: equal ones from 0 to 1


class MetricsSink:
    """Writes scalars to ``metrics.jsonl`` in ``output`` and to tensorboard in ``log``.

    Pictures and the histograms of batches go to tensorboard alone. ``step`` counts training steps.
    One that doesn't write, of a process whose part another one tells, drops everything.
    """

    def __init__(self, output: Path, log: Path, writes: bool = True):
        if writes:
            output.mkdir(parents=True, exist_ok=True)
        lines = output / "metrics.jsonl" if writes else os.devnull
        self._lines = open(lines, "a", encoding="utf-8")  # noqa: SIM115 (closed by close)
        self._board = SummaryWriter(str(log), write_to_disk=writes)

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

    def _write(self, line: dict) -> None:
        self._lines.write(json_tricks.dumps(line, primitives=True) + "\n")
        self._lines.flush()

    def close(self) -> None:
        self._lines.close()
        self._board.close()
