"""Numbers and images of a run go into one sink; metrics.jsonl and boards such as tensorboard stand behind it."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import json_tricks
import numpy as np

from lib.tracking.boards import Layout, Settings, TensorBoard, WandB

BINS = 20  # of a histogram of weights in metrics.jsonl: equal ones from 0 to 1


class MetricsWriter:
    """Writes scalars to ``metrics.jsonl`` in ``output``, to tensorboard in ``log`` and, with ``wandb``, to that project.

    Images, texts and the histograms of batches go to the boards alone. ``step`` counts training steps.
    Raises OSError where something can't be written. One that doesn't write, of a process whose part another
    one tells, drops everything. Where a run goes on after ``step`` steps, what was written of later ones is
    taken back: in the file all beyond its first ``written`` bytes, in tensorboard what is of later steps.
    """

    def __init__(
        self, output: Path, log: Path, written: int = 0, step: int = 0, wandb: str = "", writes: bool = True
    ):
        path = output / "metrics.jsonl" if writes else Path(os.devnull)
        if writes:
            output.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > written:
                os.truncate(path, written)
        self._lines = open(path, "ab")  # noqa: SIM115 (closed by close)
        self._boards: list[TensorBoard | WandB] = [TensorBoard(log, step)] if writes else []
        if writes and wandb:
            self._boards.append(WandB(wandb, "/".join(output.parts[-4:]), output, step))

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, error: type[BaseException] | None, *_) -> None:
        self.close(failed=error is not None)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Values by tag; those that are not finite are kept in the file as null and off the curves."""
        values = {tag: float(value) for tag, value in values.items()}
        finite = {tag: value for tag, value in values.items() if math.isfinite(value)}
        line = {"step": step, **{tag: finite.get(tag) for tag in values}}
        self._write(line)
        for board in self._boards:
            board.scalars(step, finite)

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        if values.size and np.isfinite(values).all():
            for board in self._boards:
                board.histogram(step, tag, values)

    def weights_histogram(self, step: int, tag: str, weights: np.ndarray) -> None:
        """Of values in [0, 1]: on the boards, and as counts of ``BINS`` bins in the file."""
        self.histogram(step, tag, weights)
        counts, _ = np.histogram(weights, bins=BINS, range=(0, 1))
        self._write({"step": step, "histogram": {"tag": tag, "counts": counts.tolist()}})

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        """[H, W, 3] uint8 RGB."""
        for board in self._boards:
            board.image(step, tag, image)

    def text(self, tag: str, text: str) -> None:
        """Markdown."""
        for board in self._boards:
            board.text(tag, text)

    def layout(self, layout: Layout) -> None:
        """Which curves are drawn in one chart. At most once."""
        for board in self._boards:
            board.layout(layout)

    def settings(self, settings: Settings, compared: Sequence[str], metrics: Sequence[str]) -> None:
        """Of the run; those that are ``compared`` with others', beside the last values of the tags ``metrics``."""
        for board in self._boards:
            board.settings(settings, compared, metrics)

    def written(self) -> int:
        """Bytes of ``metrics.jsonl``."""
        return self._lines.tell()

    def _write(self, line: dict) -> None:
        for board in self._boards:
            if board.error is not None:
                raise board.error
        self._lines.write(json_tricks.dumps(line, primitives=True).encode() + b"\n")
        self._lines.flush()

    def close(self, failed: bool = False) -> None:
        self._lines.close()
        for board in self._boards:
            board.close(failed)
