"""The cases of the benchmark, and the file with a row for each one that was run."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from benchmarks.evidence.grounds import BUILT_IN, People
from benchmarks.evidence.methods import METHODS
from lib.config.former_names import ALIASES
from lib.config.loader import current_names
from lib.dataset.annotations import read_json
from lib.label_noise.corruptions import parse_noise, parse_noises
from lib.synthetic.generate import DEFAULT_NOISE
from lib.utils.errors import InputError
from lib.utils.files import write_text

IDENTITY = ("method", "variables", "noise", "share", "seed", "settings", "ground")
NEEDED = (*IDENTITY[:-1], "pckh", "val", "auroc", "mean_weight", "seconds", "steps", "config")
# Several kinds at once, under one name.
# rare, low: few labels are wrong (about 5 and 14 %), as in a good and in a bad real data set.   demo: about half are.
MIXTURES = {
    "rare": "exchange:0.018+limb_swap:0.011+person_swap:0.007+offset:0.011+jitter:0.011",
    "low": "exchange:0.05+limb_swap:0.03+person_swap:0.02+offset:0.03+jitter:0.03",
    "demo": DEFAULT_NOISE,
}
DRAWN = ("convention",)  # kinds that need the true nose, which only the renderer knows


@dataclass(frozen=True)
class Case:
    """One combination to run, a row of the results.

    settings: {dotted key: value} that differ from the YAML file.
    ground: where its people come from, see grounds.py.
    """

    method: str
    variables: str | None
    noise: str
    share: float
    seed: int
    settings: dict = field(default_factory=dict)
    ground: str = BUILT_IN

    @property
    def key(self) -> str:
        """The identity of the row, see `row_key`."""
        return row_key(asdict(self))

    @property
    def noise_text(self) -> str:
        """The noise as on the command line, see `noise_text`."""
        return noise_text(self.noise, self.share)

    def people(self, folder: Path, origin: Path | None = None) -> People:
        """The data set of the case, below ``folder``; ``origin``: of the ground's data, see `People`."""
        drawn = self.noise_text if self.noise in DRAWN else "none"
        kind = drawn.replace(":", "-") if self.ground == BUILT_IN else self.ground
        return People(folder / kind / str(self.seed), drawn, self.seed, self.ground, origin)

    @property
    def injected(self) -> str:
        """The value of LBI.INJECT_NOISE."""
        return "" if self.noise in ("none", *DRAWN) else MIXTURES.get(self.noise, self.noise_text)


def noise_text(noise: str, share: float) -> str:
    """The noise as on the command line: KIND:SHARE, several joined by "+", the name of a mixture, or "none"."""
    return noise if noise in ("none", *MIXTURES) or "+" in noise else f"{noise}:{share:g}"


def column_of(row: dict) -> str:
    """The ground, unless it is the built-in one, and the noise of a row."""
    ground, noise = row.get("ground", BUILT_IN), noise_text(row["noise"], row["share"])
    return noise if ground == BUILT_IN else f"{ground} {noise}"


def parse_noise_or_mixture(text: str) -> tuple[str, float]:
    """(kind, share) of a noise on the command line, (name or kinds, 0) of a mixture; InputError if it is neither."""
    if text in MIXTURES:
        return text, 0.0
    if "+" not in text:
        return parse_noise(text)
    parts = parse_noises(text)
    for kind, _ in parts:
        if kind in ("none", *DRAWN):
            raise InputError(f"--noise {text}: '{kind}' cannot be one of several kinds")
    return "+".join(f"{kind}:{share:g}" for kind, share in parts), 0.0


def row_key(row: dict) -> str:
    """The identity of a row; equal for a case and its row."""
    row = {"ground": BUILT_IN, **row}  # rows of before there were others
    return json.dumps([row[name] for name in IDENTITY], sort_keys=True)


@dataclass(frozen=True)
class Job:
    """Cases of the same run.

    data: folder of the generated data of all seeds.
    kept: folder that keeps the run and its rankings, see keeping.py; None if nothing is kept.
    anew: judge the labels again with the networks that are there.
    """

    cfg: Path
    data: Path
    cases: tuple[Case, ...]
    kept: Path | None = None
    anew: bool = False

    def __str__(self) -> str:
        case = self.cases[0]
        parts = ["+".join(case.method for case in self.cases), case.variables, column_of(asdict(case))]
        tuned = [f"{key.rpartition('.')[2]} {value:g}" for key, value in case.settings.items()
                 if key in ("LBI.GAMMA", "LBI.LAM")]  # fmt: skip
        return " ".join([*filter(None, parts), f"seed {case.seed}", *tuned])


def jobs_of(cases: Iterable[Case], cfg: Path, data: Path) -> list[Job]:
    """Group the cases of the same run; otherwise their order is kept."""
    runs: dict[tuple, list[Case]] = {}
    for case in cases:
        run = METHODS[case.method].run
        # The methods of a small-loss run differ in gamma, since only one is tuned.
        tuned = "" if run == "small_loss" else json.dumps(case.settings, sort_keys=True)
        key = (run, case.variables, column_of(asdict(case)), case.seed, tuned)
        # Tuning tries a method several times; each is a run of its own.
        number = 0
        while case.method in [other.method for other in runs.get((*key, number), ())]:
            number += 1
        runs.setdefault((*key, number), []).append(case)
    return [Job(cfg, data, tuple(cases_of_run)) for cases_of_run in runs.values()]


def digest(cfg: Path) -> str:
    """A hash of a YAML file's settings, regardless of comments and order.

    Renamed settings count under their former names, so that the digest of a file stays the same.
    """
    tree = yaml.safe_load(cfg.read_text(encoding="utf-8"))
    for former, key in ALIASES.items():
        (section, name), old = key.split("."), former.split(".")[1]
        if name in ((tree or {}).get(section) or {}):
            tree[section][old] = tree[section].pop(name)
    content = json.dumps(tree, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def read_rows(path: Path, cfg: Path | None = None, ground: str = BUILT_IN) -> list[dict]:
    """The rows of a results file; InputError if it is not one, or those of ``ground`` were made with another ``cfg``."""
    rows = read_json(path)
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and row.keys() >= set(NEEDED) for row in rows
    ):
        raise InputError(f"{path}: expected a list of rows with {', '.join(NEEDED)}")
    for row in rows:
        row["settings"] = current_names(row["settings"], str(path))
    before = {row["config"] for row in rows if row.get("ground", BUILT_IN) == ground}
    if cfg is not None and before - {digest(cfg)}:
        raise InputError(f"{path}: holds runs of another {cfg.name}, or of this one before it was changed: give another --out")  # fmt: skip
    return rows


def write_rows(path: Path, rows: list[dict]) -> None:
    """Write the rows, one per line."""
    write_text(path, "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
