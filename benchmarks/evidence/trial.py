"""One combination of noise, seed and kind of variables, with which models are trained."""

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.evidence.finished import finished, judge_again
from benchmarks.evidence.grounds import GROUNDS, People
from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.ignoring.modes import MODES
from lib.training.data import Data, build_data
from lib.training.run_spec import RunSpec
from lib.training.trainer import train

NEVER = 10**9
# No validation or log lines during training; parallel runs have one thread each.
QUIET = {"PRINT_FREQ": NEVER, "TEST.EVAL_EPOCHS": NEVER}
ONE_THREAD = {"THREADS": 1, "WORKERS": 0}
# Settings that the benchmark sets itself; they may not be given.
RESERVED = (
    "SEED", "OUTPUT_DIR", "LOG_DIR", "DATASET_SRC.ROOT", "DATASET_TARGET.ROOT", "LBI.VARIABLES",
    "LBI.INJECT_NOISE", "LBI.INJECT_SEED", "LBI.VAL_IN_TRAIN", "TRAIN.RESUME",
)  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A finished training: the content of results.json, its settings and data."""

    results: dict
    config: Config
    data: Data

    @property
    def best(self) -> Path:
        """Path of the best checkpoint."""
        return Path(self.results["output"]) / "best.pth"

    def accuracy(self, part: str) -> float:
        """The measure of the data set, PCKh or PCK, in percent; of the ``part`` "test" or "val"."""
        measured = self.data.test
        return self.results[part][measured.measure][measured.headline]


@dataclass
class Trial:
    """Trains models on one data set.

    mode: name of the method's mode.
    people: the data set.
    noise: value of LBI.INJECT_NOISE.
    variables: settings of the ignoring variables.
    folder: where runs write.
    kept: finished trainings in the folder are taken as they are, and interrupted ones go on.
    anew: of these, the labels are judged again.
    trainings: number of trainings so far.
    """

    cfg: Path
    mode: str
    people: People
    noise: str
    seed: int
    variables: dict
    folder: Path
    kept: bool = False
    anew: bool = False
    trainings: int = field(default=0, init=False)

    def train(self, mode: str, settings: dict, keep: Callable[[Data], np.ndarray] | None = None) -> Trained:
        """Train in ``mode``.

        Args:
            keep: returns which source labels [N, J] to train on, in place of learned weights.
        """
        fixed = None
        spec = self.spec(mode, settings, fixed=keep is not None)
        if keep is not None:
            weights = keep(spec.data).astype(np.float32)
            fixed = {"A": weights, "B": weights}
        with contextlib.redirect_stdout(io.StringIO()):
            results = finished(spec) if self.kept else None
            if results is None:
                results = json.loads(train(spec, fixed).read_text())
            elif self.anew and keep is None:
                results = judge_again(spec, results)
        return Trained(results, spec.config, spec.data)

    def data(self, settings: dict) -> Data:
        """The trial's data, for a method that trains nothing or has to see it first."""
        with contextlib.redirect_stdout(io.StringIO()):
            return build_data(self._config(settings, False), True)

    def spec(self, mode: str, settings: dict, fixed: bool = False) -> RunSpec:
        """The next training of this trial: its settings and its data, read from disk.

        Args:
            fixed: its weights are known beforehand, so nothing is learned.
        """
        self.trainings += 1
        config = self._config(settings, fixed)
        with contextlib.redirect_stdout(io.StringIO()):
            data = build_data(config, True)
        return RunSpec(config, MODES[mode], data, RunPaths.for_run(config, self.cfg, "people", mode))

    def _config(self, settings: dict, fixed: bool) -> Config:
        folder = self.folder / str(self.trainings)
        own = {
            "SEED": self.seed,
            "OUTPUT_DIR": str(folder),
            "LOG_DIR": str(folder / "log"),
            **self.people.settings,
            "LBI.INJECT_NOISE": self.noise,
            "LBI.INJECT_SEED": self.seed,
        }
        # Fixed weights need no warm-up, which would train on labels known to be wrong.
        known = {"LBI.WARMUP": 0} if fixed else {}
        quiet = QUIET | (ONE_THREAD if GROUNDS[self.people.ground].shared else {})
        resumed = {"TRAIN.RESUME": self.kept}
        return load_config(self.cfg, {**quiet, **settings, **self.variables, **known, **own, **resumed})
