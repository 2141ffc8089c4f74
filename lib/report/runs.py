"""Reads a finished run from its output folder: settings, results and recorded metrics."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.config.loader import load_config
from lib.config.schema import Config
from lib.ignoring.modes import MODES
from lib.report.names import run_names
from lib.report.results import read_results
from lib.tracking.metrics import BINS
from lib.utils.errors import InputError

MAX_VALUE = 1e300  # of a recorded value, so that sums of neighbours stay finite
MAX_POINTS = 200  # of a curve; more cannot be distinguished on the page and only make it larger


@dataclass(frozen=True)
class Run:
    """A finished run.

    folder: Output folder.
    name: Name among the runs of a report.
    config: Its settings.
    results: Content of results.json.
    scalars: {tag: (steps [K], values [K])}.
    histograms: {tag: (steps [S], counts [S, BINS])}, counts in equal bins of [0, 1].
    """

    folder: Path
    name: str
    config: Config
    results: dict
    scalars: dict[str, tuple[np.ndarray, np.ndarray]]
    histograms: dict[str, tuple[np.ndarray, np.ndarray]]

    @property
    def meaning(self) -> str:
        """What the run's mode does, in a few words; empty for an unknown mode."""
        mode = MODES.get(self.results["mode"])
        return mode.meaning if mode else ""

    @property
    def tested_on(self) -> str:
        """What its test results are of: "the test set", or "its training data" where TEST_SET and TRAIN_SET are one."""
        target = self.config.dataset_target
        return "its training data" if target.test_set == target.train_set else "the test set"

    def curve(self, tag: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Steps and values of ``tag``, averaged in blocks to at most ``MAX_POINTS``; None if not recorded."""
        if tag not in self.scalars:
            return None
        steps, values = self.scalars[tag]
        size = -(-len(steps) // MAX_POINTS)
        starts = range(0, len(steps), size)
        means = [[array[s : s + size].mean() for s in starts] for array in (steps, values)]
        return np.array(means[0]), np.array(means[1])


def read_runs(folders: list[Path]) -> list[Run]:
    """Read the runs of ``folders``.

    They are named as in `run_names`.

    Raises:
        InputError: A folder is given twice, or a file of a run is missing or cannot be used.
    """
    results = [read_results(folder / "results.json") for folder in folders]
    configs = [load_config(folder / "config.yaml") for folder in folders]
    return [
        Run(folder, name, config, result, *read_metrics(folder / "metrics.jsonl"))
        for folder, name, config, result in zip(
            folders, run_names(folders, results, configs), configs, results
        )
    ]


def read_metrics(path: Path) -> tuple[dict, dict]:
    """Read the scalars and histograms of metrics.jsonl, as `Run` has them.

    Damaged lines are skipped: a killed run may leave an incomplete one. Of two values at the same
    step the first one counts: the second value of validation is that of the best epoch, evaluated
    again at the end.

    Raises:
        InputError: The file cannot be read.
    """
    scalars: dict[str, dict[int, float]] = {}
    histograms: dict[str, dict[int, list]] = {}
    for line in _lines(path):
        step = line.pop("step")
        histogram = line.pop("histogram", None)
        if isinstance(histogram, dict) and _are_counts(histogram.get("counts")):
            histograms.setdefault(str(histogram.get("tag")), {}).setdefault(step, histogram["counts"])
        for tag, value in line.items():
            if isinstance(value, int | float) and abs(value) < MAX_VALUE:  # excludes NaN and infinity
                scalars.setdefault(tag, {}).setdefault(step, float(value))

    def by_step(values: dict) -> tuple[np.ndarray, np.ndarray]:
        steps = sorted(values)
        return np.array(steps), np.array([values[step] for step in steps])

    return {t: by_step(v) for t, v in scalars.items()}, {t: by_step(v) for t, v in histograms.items()}


def _lines(path: Path) -> Iterator[dict]:
    """The lines of a JSON Lines file that are objects with a valid step."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot read the run's metrics ({error.strerror})") from None
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict) and _is_count(content.get("step")):
            yield content


def _are_counts(counts: Any) -> bool:
    return isinstance(counts, list) and len(counts) == BINS and all(map(_is_count, counts))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53
