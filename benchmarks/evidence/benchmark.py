"""The whole benchmark: its cases, which of them are still to be run, and the file of their rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from benchmarks.evidence import tuning
from benchmarks.evidence.cases import DRAWN, Case, jobs_of, read_rows, row_key, write_rows
from benchmarks.evidence.grounds import BUILT_IN
from benchmarks.evidence.jobs import draw, run_job
from benchmarks.evidence.keeping import check_same_settings
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.runner import run_side_by_side
from benchmarks.evidence.trial import RESERVED
from lib.config.loader import flat_config, load_config
from lib.config.schema import Config
from lib.utils.errors import InputError

Rows = list[dict]


@dataclass(frozen=True)
class Benchmark:
    """The benchmark that a command line describes; see benchmarks/modes.py for the other fields.

    given: settings for all methods.
    own: methods that are tuned on their own, instead of using their baseline's values.
    out: file of the rows.
    ground, origin: where people come from, see grounds.py, and the folder of that ground's data.
    kept: folder that keeps the runs and the rankings, see keeping.py; None if only rows are kept.
    anew: methods that judge labels again with the networks that are kept.
    """

    cfg: Path
    given: dict
    methods: list[str]
    variables: list[str]
    noises: list[tuple[str, float]]
    seeds: list[int]
    val_in_train: bool
    own: list[str]
    data: Path
    out: Path
    jobs: int
    ground: str = BUILT_IN
    origin: Path | None = None
    kept: Path | None = None
    anew: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in RESERVED:
            if key in self.given:
                raise InputError(f"{key}: the benchmark sets it itself (see --help)")
        if (self.origin is None) != (self.ground == BUILT_IN):
            raise InputError(f"--ground-data: the folder of the data of a ground other than {BUILT_IN}, found {self.origin} for {self.ground}")  # fmt: skip
        if drawn := [kind for kind, _ in self.noises if kind in DRAWN and self.ground != BUILT_IN]:
            raise InputError(f"--noise {drawn[0]}: only on the ground {BUILT_IN}")
        load_config(self.cfg, self.given)  # so that wrong keys and values are reported now

    @cached_property
    def _plain(self) -> Config:
        return load_config(self.cfg)

    @cached_property
    def _requested(self) -> Config:
        return load_config(self.cfg, self.given)

    @cached_property
    def _given(self) -> dict:
        """``given`` with every value validated and of its setting's type."""
        return {key: _value(self._requested, key) for key in self.given}

    def _settings(self, more: dict, val_in_train: bool) -> dict:
        """The settings among ``given`` and ``more`` that differ from the YAML file."""
        requested = {**self._given, "LBI.VAL_IN_TRAIN": val_in_train, **more}
        return {
            key: requested[key] for key in sorted(requested) if requested[key] != _value(self._plain, key)
        }

    def _cases(self, seeds: list[int]) -> list[Case]:
        """All cases without their settings, seed by seed, so that whole seeds are finished first."""
        return [
            Case(name, variables, kind, share, seed, ground=self.ground)
            for seed in seeds
            for kind, share in self.noises
            for name in self.methods
            for variables in (self.variables if METHODS[name].learns else [None])
        ]

    def cases(self, choices: tuning.Choices) -> list[Case]:
        """The cases of the test, each with the settings chosen for its method."""
        cases = []
        for case in self._cases(self.seeds):
            tuned = {k: v for k, v in choices.of(case).items() if k not in self.given}
            more = {**tuned, **METHODS[case.method].settings}
            cases.append(replace(case, settings=self._settings(more, self.val_in_train)))
        return cases

    def run(self, tuned: dict) -> tuple[Rows, int]:
        """Run the cases without a row; the rows of this benchmark's cases, and the number of failed runs."""
        wanted = self.cases(tuning.Choices(tuned["choices"]))
        rows = read_rows(self.out, self.cfg, self.ground) if self.out.exists() else []
        if self.kept is not None:
            check_same_settings(self.out, rows, wanted)
        failed = self._run_missing(wanted, rows, lambda: write_rows(self.out, rows))
        keys = {case.key for case in wanted}
        return [row for row in rows if row_key(row) in keys], failed

    def tune(self, seeds: list[int]) -> int:
        """Run the grids on development ``seeds`` and write the choices; the number of failed runs."""
        if both := set(seeds) & set(self.seeds):
            raise InputError(f"--tune-seeds: {min(both)} is among --seeds, but what is chosen on a seed says nothing on it")  # fmt: skip
        path = tuning.tuning_file(self.out)
        before = tuning.read_tuning(path)
        if before["given"] not in (None, [self.given]):
            raise InputError(
                f"{path}: tuned with {before['given'][0]}, now {self.given} is given: give another --out"
            )
        rows, grids = before["runs"], self._grids(seeds)
        wanted = [case for tried in grids.values() for _, runs in tried for case in runs]
        wanted.sort(key=lambda case: seeds.index(case.seed))

        def write() -> None:
            chosen = tuning.choose(grids, rows)
            groups = {tuning.group_of(choice) for choice in chosen}
            kept = [old for old in before["choices"] if tuning.group_of(old) not in groups]
            tuning.write_tuning(path, self.given, kept + chosen, rows)

        failed = self._run_missing(wanted, rows, write)
        write()  # even if nothing had to be run: seeds or grids may differ from the file's
        return failed

    def _grids(self, seeds: list[int]) -> tuning.Grids:
        """The grids of this benchmark's methods: for each group its settings to try and their runs."""
        grids, lbi = {}, self._requested.lbi
        on_both = lbi.schedule == "source_first" and lbi.source_model_on == "both"
        for untuned in self._cases(seeds[:1]):
            case = tuning.tuned_by(untuned, self.own)
            group, points = tuning.group_of(case), tuning.grid(METHODS[case.method], self.given, on_both)
            if len(points) > 1:
                grids[group] = [
                    (
                        point,
                        [replace(case, seed=seed, settings=self._settings(point, False)) for seed in seeds],
                    )
                    for point in points
                ]
        return grids

    def _run_missing(self, wanted: list[Case], rows: Rows, write: Callable[[], None]) -> int:
        """Run the cases without a row, add their rows and call ``write`` after each run; the number of failures."""
        known = {row_key(row) for row in rows if row["method"] not in self.anew}
        missing = jobs_of([case for case in wanted if case.key not in known], self.cfg, self.data)
        jobs = [replace(job, kept=self.kept, anew=bool(self.anew)) for job in missing]
        print(f"{len(wanted)} rows wanted, {len(wanted) - sum(len(job.cases) for job in jobs)} exist, {len(jobs)} runs to do")  # fmt: skip
        # Generate the data before any run: two runs of the same seed must not write the same folder.
        data_sets = list(dict.fromkeys(job.cases[0].people(self.data, self.origin) for job in jobs))
        if run_side_by_side(data_sets, draw, self.jobs, lambda _: "data generated"):
            raise InputError(f"{self.data}: not all of the data could be generated")

        def finished(new_rows: Rows) -> str:
            written = set(map(row_key, new_rows))
            rows[:] = [*(row for row in rows if row_key(row) not in written), *new_rows]
            write()
            return ", ".join(_summary(row) for row in new_rows)

        return run_side_by_side(jobs, run_job, self.jobs, finished)


def _summary(row: dict) -> str:
    figures = (("PCKh", "pckh", 1), ("AUROC", "auroc", 3), ("AP", "ap", 3))
    known = [f"{name} {row[key]:.{digits}f}" for name, key, digits in figures if row.get(key) is not None]
    return " ".join([*known, f"({row['seconds']:.0f} s)"])


def _value(config: Config, key: str):
    return flat_config(config)[key]
