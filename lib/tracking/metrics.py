"""Write the metrics and images of a run to metrics.jsonl and to the trackers."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import json_tricks
import numpy as np

from lib.tracking.trackers import Layout, Settings, TensorBoard, WandB

BINS = 20  # equal bins from 0 to 1, of the histograms of weights in metrics.jsonl


class MetricsWriter:
    """Writes scalars to metrics.jsonl, TensorBoard and optionally W&B; images, texts, histograms to the trackers alone.

    A context manager. Its methods raise OSError if a file cannot be written.

    Args:
        output: the run's output folder, for metrics.jsonl.
        log: folder of TensorBoard's event files.
        written: bytes of metrics.jsonl to keep when a run is resumed; lines of later steps are dropped.
        step: training steps done so far; TensorBoard drops events of later steps.
        wandb: project at Weights & Biases, empty to not use it.
        writes: false on ranks other than 0: every method does nothing.
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
        self.trackers: list[TensorBoard | WandB] = [TensorBoard(log, step)] if writes else []
        if writes and wandb:
            self.trackers.append(WandB(wandb, "/".join(output.parts[-4:]), output, step))

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, error: type[BaseException] | None, *_) -> None:
        self.close(failed=error is not None)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write {tag: value}; a value that is not finite is null in the file and not sent to the trackers."""
        values = {tag: float(value) for tag, value in values.items()}
        finite = {tag: value for tag, value in values.items() if math.isfinite(value)}
        line = {"step": step, **{tag: finite.get(tag) for tag in values}}
        self._write(line)
        for tracker in self.trackers:
            tracker.scalars(step, finite)

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        """Write the distribution of ``values`` (any shape), unless there are none or one is not finite."""
        if values.size and np.isfinite(values).all():
            for tracker in self.trackers:
                tracker.histogram(step, tag, values)

    def weights_histogram(self, step: int, tag: str, weights: np.ndarray) -> None:
        """Write the distribution of ``weights`` in [0, 1], to the file as well: as counts of BINS bins."""
        self.histogram(step, tag, weights)
        counts, _ = np.histogram(weights, bins=BINS, range=(0, 1))
        self._write({"step": step, "histogram": {"tag": tag, "counts": counts.tolist()}})

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        """Write an RGB image, [H, W, 3] uint8."""
        for tracker in self.trackers:
            tracker.image(step, tag, image)

    def text(self, tag: str, text: str) -> None:
        """Write Markdown."""
        for tracker in self.trackers:
            tracker.text(tag, text)

    def layout(self, layout: Layout) -> None:
        """Define charts with several curves, {heading: {chart: tags}}. Call it at most once."""
        for tracker in self.trackers:
            tracker.layout(layout)

    def settings(self, settings: Settings, compared: Sequence[str], metrics: Sequence[str]) -> None:
        """Write the settings of the run.

        Args:
            settings: {name: value}.
            compared: names of the settings in TensorBoard's table of runs, most important first.
            metrics: tags whose last values are in that table.
        """
        for tracker in self.trackers:
            tracker.settings(settings, compared, metrics)

    def written(self) -> int:
        """Number of bytes in metrics.jsonl, for ``written`` when the run is resumed."""
        return self._lines.tell()

    def _write(self, line: dict) -> None:
        self._raise_tracker_error()
        self._lines.write(json_tricks.dumps(line, primitives=True).encode() + b"\n")
        self._lines.flush()

    def close(self, failed: bool = False) -> None:
        """Close the file and the trackers.

        Args:
            failed: Mark the run as failed. Otherwise an error of a tracker is raised, also of its last write.
        """
        self._lines.close()
        for tracker in self.trackers:
            tracker.close(failed)
        if not failed:
            self._raise_tracker_error()

    def _raise_tracker_error(self) -> None:
        for tracker in self.trackers:
            if tracker.error is not None:
                raise tracker.error
