"""The benchmark as a whole: which cases there are, which are to be run, and where their rows go."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from benchmarks.evidence import tuning
from benchmarks.evidence.cases import Case, jobs_of, read_rows, row_key, write_rows
from benchmarks.evidence.jobs import draw, run_job
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.runner import run_side_by_side
from benchmarks.evidence.trial import RESERVED
from lib.config.loader import flat_config, load_config
from lib.config.schema import Config
from lib.utils.errors import InputError

Rows = list[dict]


@dataclass(frozen=True)
class Benchmark:
    """given: settings for all methods.   own: methods tuned by themselves though they have a baseline's
    values otherwise.   out: the file of rows.   The rest as on the command line."""

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

    def __post_init__(self) -> None:
        for key in RESERVED:
            if key in self.given:
                raise InputError(f"{key}: the benchmark sets it itself (see --help)")
        load_config(self.cfg, self.given)  # wrong keys and values are told now

    @cached_property
    def _plain(self) -> Config:
        return load_config(self.cfg)

    @cached_property
    def _asked(self) -> Config:
        return load_config(self.cfg, self.given)

    @cached_property
    def _given(self) -> dict:
        """``given``, each value checked and of its setting's type."""
        return {key: _value(self._asked, key) for key in self.given}

    def _settings(self, more: dict, val_in_train: bool) -> dict:
        """``given`` and ``more``, as far as they differ from the YAML file's."""
        asked = {**self._given, "LBI.VAL_IN_TRAIN": val_in_train, **more}
        return {key: asked[key] for key in sorted(asked) if asked[key] != _value(self._plain, key)}

    def _cases(self, seeds: list[int]) -> list[Case]:
        """All cases without their settings; seeds outermost, so that few whole seeds come first."""
        return [
            Case(name, variables, kind, share, seed)
            for seed in seeds
            for kind, share in self.noises
            for name in self.methods
            for variables in (self.variables if METHODS[name].learns else [None])
        ]

    def cases(self, choices: tuning.Choices) -> list[Case]:
        """The cases of the test, each with the settings chosen for its method."""
        found = []
        for case in self._cases(self.seeds):
            tuned = {k: v for k, v in choices.of(case).items() if k not in self.given}
            more = {**tuned, **METHODS[case.method].settings}
            found.append(replace(case, settings=self._settings(more, self.val_in_train)))
        return found

    def run(self, tuned: dict) -> tuple[Rows, int]:
        """Run what is not there yet; the rows of this benchmark's cases, and how many runs failed."""
        wanted = self.cases(tuning.Choices(tuned["choices"]))
        rows = read_rows(self.out, self.cfg) if self.out.exists() else []
        failed = self._run_missing(wanted, rows, lambda: write_rows(self.out, rows))
        keys = {case.key for case in wanted}
        return [row for row in rows if row_key(row) in keys], failed

    def tune(self, seeds: list[int]) -> int:
        """Run the grids on development ``seeds`` and write the choices; how many runs failed."""
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
        write()  # other seeds or grids than the file's may all be there already
        return failed

    def _grids(self, seeds: list[int]) -> tuning.Grids:
        """What is to be tuned for the methods of this benchmark: for each group its points and their runs."""
        grids, lbi = {}, self._asked.lbi
        on_both = lbi.schedule == "source_first" and lbi.source_model_on == "both"
        for untuned in self._cases(seeds[:1]):
            case = tuning.tuned_by(untuned, self.own)
            group, points = tuning.group_of(case), tuning.grid(METHODS[case.method], self.given, on_both)
            if len(points) > 1:
                grids[group] = [
                    (point, [Case(*group, seed, self._settings(point, False)) for seed in seeds])
                    for point in points
                ]
        return grids

    def _run_missing(self, wanted: list[Case], rows: Rows, write: Callable[[], None]) -> int:
        """Run the cases without a row, adding rows and calling ``write`` after each run; failures."""
        there = {row_key(row) for row in rows}
        jobs = jobs_of([case for case in wanted if case.key not in there], self.cfg, self.data)
        print(f"{len(wanted)} rows wanted, {len(wanted) - sum(len(job.cases) for job in jobs)} there, {len(jobs)} runs to do")  # fmt: skip
        # Before any run: two runs of the same seed must not draw the same folder.
        places = list(dict.fromkeys(job.cases[0].people(self.data) for job in jobs))
        if run_side_by_side(places, draw, self.jobs, lambda _: "drawn people are there"):
            raise InputError(f"{self.data}: not all of the data could be drawn")

        def finished(made: Rows) -> str:
            rows.extend(made)
            write()
            return ", ".join(_in_words(row) for row in made)

        return run_side_by_side(jobs, run_job, self.jobs, finished)


def _in_words(row: dict) -> str:
    auroc = "" if row["auroc"] is None else f" AUROC {row['auroc']:.2f}"
    return f"PCKh {row['pckh']:.1f}{auroc} ({row['seconds']:.0f} s)"


def _value(config: Config, key: str):
    return flat_config(config)[key]
