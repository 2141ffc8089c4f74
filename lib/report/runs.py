"""A finished run as its output folder holds it: settings, results, and what was recorded on the way."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.config.loader import load_config
from lib.config.schema import Config
from lib.ignoring.modes import MODES
from lib.report.results import read_results
from lib.tracking.metrics import BINS
from lib.utils.errors import InputError

LARGEST = 1e300  # of a recorded value
MOST_POINTS = 200  # of a curve: more cannot be told apart on the page, and only make it larger


@dataclass(frozen=True)
class Run:
    """scalars: {tag: (steps [K], values [K])}.   histograms: {tag: (steps, counts [S, BINS])}.
    name: what it is called among the runs of a report."""

    folder: Path
    name: str
    config: Config
    results: dict
    scalars: dict[str, tuple[np.ndarray, np.ndarray]]
    histograms: dict[str, tuple[np.ndarray, np.ndarray]]

    @property
    def meaning(self) -> str:
        mode = MODES.get(self.results["mode"])
        return mode.meaning if mode else ""

    def curve(self, tag: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Steps and values of ``tag``, means of neighbours where there are too many; None without."""
        if tag not in self.scalars:
            return None
        steps, values = self.scalars[tag]
        size = -(-len(steps) // MOST_POINTS)
        starts = range(0, len(steps), size)
        means = [[part[s : s + size].mean() for s in starts] for part in (steps, values)]
        return np.array(means[0]), np.array(means[1])


def read_runs(folders: list[Path]) -> list[Run]:
    """The runs of ``folders``, named by mode, by mode and seed, or by folder: the first that tells them apart.

    Raises InputError naming the file that is missing or no run's, and for a folder given twice.
    """
    places = [str(folder.resolve()) for folder in folders]
    twice = next((folder for folder, place in zip(folders, places) if places.count(place) > 1), None)
    if twice:
        raise InputError(f"{twice}: given twice; runs are compared with others")
    read = [(folder, read_results(folder / "results.json")) for folder in folders]
    modes = [str(results["mode"]) for _, results in read]
    seeded = [f"{results['mode']}, seed {results['seed']}" for _, results in read]
    in_folder = [os.path.relpath(place, os.path.commonpath(places)) for place in places]
    names = next((n for n in (modes, seeded) if len(set(n)) == len(n)), in_folder)
    runs = []
    for (folder, results), name in zip(read, names):
        config, _ = load_config(folder / "config.yaml")
        runs.append(Run(folder, name, config, results, *read_metrics(folder / "metrics.jsonl")))
    return runs


def read_metrics(path: Path) -> tuple[dict, dict]:
    """Scalars and histograms of a run's metrics.jsonl, as ``Run`` has them; InputError where missing.

    A line that is not whole is left out: a run that was killed may leave one. Of two values at
    one step the first counts: the second one of validation is the best epoch's, tested at the end.
    """
    scalars: dict[str, dict[int, float]] = {}
    histograms: dict[str, dict[int, list]] = {}
    for line in _lines(path):
        step = line.pop("step")
        histogram = line.pop("histogram", None)
        if isinstance(histogram, dict) and _are_counts(histogram.get("counts")):
            histograms.setdefault(str(histogram.get("tag")), {}).setdefault(step, histogram["counts"])
        for tag, value in line.items():
            if isinstance(value, int | float) and abs(value) < LARGEST:  # neither NaN is, nor infinity
                scalars.setdefault(tag, {}).setdefault(step, float(value))

    def by_step(values: dict) -> tuple[np.ndarray, np.ndarray]:
        steps = sorted(values)
        return np.array(steps), np.array([values[step] for step in steps])

    return {t: by_step(v) for t, v in scalars.items()}, {t: by_step(v) for t, v in histograms.items()}


def _lines(path: Path) -> Iterator[dict]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot read what the run recorded ({error.strerror})") from None
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict) and _is_count(content.get("step")):
            yield content


def _are_counts(counts) -> bool:
    return isinstance(counts, list) and len(counts) == BINS and all(map(_is_count, counts))


def _is_count(value) -> bool:
    return type(value) is int and 0 <= value < 2**53
