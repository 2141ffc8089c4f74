"""Statistics over seeds, and the table of results."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import NamedTuple

from scipy.stats import t

from benchmarks.evidence.cases import column_of
from benchmarks.evidence.grounds import BUILT_IN, GROUNDS
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.tuning import TUNED

LEVEL = 0.95
HYPERGRADIENT = "LBI.HYPERGRAD_"  # settings that only methods with learned weights depend on
USUAL = "loss_aware"  # kind of variables that is not mentioned in names
COLUMNS = (
    "method", "variables", "seeds", "PCKh", "AUROC (lowest)", "AP (lowest)", "AUROC within", "first 100",
    "precision", "recall", "weight", "seconds", "steps",
    "- baseline2", "- baseline3", "- oracle", "- dropped by loss", "settings",
)  # fmt: skip


class Interval(NamedTuple):
    """A mean and half the width of its 95 % interval; NaN if there are too few values."""

    mean: float
    half: float

    def __str__(self) -> str:
        return self.text(1)

    def text(self, digits: int) -> str:
        """Mean ± half, with so many digits; "-" without any value."""
        if math.isnan(self.mean):
            return "-"
        half = "" if math.isnan(self.half) else f" ± {self.half:.{digits}f}"
        return f"{self.mean:.{digits}f}{half}"


def interval(values: Iterable[float]) -> Interval:
    """The mean of independent seeds and its interval by Student's t distribution."""
    values = list(values)
    if len(values) < 2:
        return Interval(values[0] if values else math.nan, math.nan)
    quantile = t.ppf((1 + LEVEL) / 2, len(values) - 1)
    return Interval(mean(values), float(quantile * stdev(values) / math.sqrt(len(values))))


def paired(values: dict[int, float], others: dict[int, float]) -> Interval | None:
    """Interval of the differences over the seeds that both have; None if there are none."""
    differences = [values[seed] - others[seed] for seed in values if seed in others]
    return interval(differences) if differences else None


@dataclass(frozen=True)
class Line:
    """A method with one noise and one choice of settings.   rows: by seed."""

    method: str
    variables: str | None
    settings: dict
    rows: dict[int, dict]

    @property
    def pckh(self) -> dict[int, float]:
        """PCKh in percent by seed; empty for a method that trains nothing."""
        return self.by_seed("pckh")

    def by_seed(self, column: str) -> dict[int, float]:
        """The values of ``column`` by seed, without the rows that have none."""
        return {seed: row[column] for seed, row in self.rows.items() if row.get(column) is not None}

    def called(self, common: dict) -> str:
        """The method's name, with its variables and settings unless they are the usual ones or ``common``."""
        name = self.method if self.variables in (None, USUAL) else f"{self.method} {self.variables}"
        own = {key: value for key, value in untuned(self.settings).items() if key not in common}
        return f"{name}, {in_words(own)}" if own else name

    def known(self, column: str) -> list[float]:
        """The values of ``column`` in all rows that have one."""
        return list(self.by_seed(column).values())

    def like(self, other: "Line") -> bool:
        """True if the settings are equal, apart from tuned ones and those that only hypergradients depend on."""
        mine, others = (
            {key: value for key, value in untuned(line.settings).items() if not key.startswith(HYPERGRADIENT)}
            for line in (self, other)
        )
        return mine == others


def lines_by_noise(rows: list[dict]) -> dict[str, list[Line]]:
    """{ground and noise, see `column_of`: lines}, in the order of METHODS."""
    noises: dict[str, dict[tuple, Line]] = {}
    for row in rows:
        noise = column_of(row)
        key = row["method"], row["variables"], repr(sorted(row["settings"].items()))
        line = noises.setdefault(noise, {}).setdefault(key, Line(row["method"], row["variables"], row["settings"], {}))  # fmt: skip
        line.rows[row["seed"]] = row
    order = list(METHODS)
    return {noise: sorted(lines.values(), key=lambda line: order.index(line.method))
            for noise, lines in noises.items()}  # fmt: skip


def cells(line: Line, lines: list[Line], common: dict) -> list[str]:
    """A row of the table, see COLUMNS.

    Args:
        lines: those of the same noise, which include the ones to compare with.
        common: settings that are not repeated.
    """
    auroc, ap, weight = line.known("auroc"), line.known("ap"), line.known("mean_weight")
    references = ("baseline2", "baseline3", METHODS[line.method].oracle, "small_loss_retrained")
    return [
        line.method,
        line.variables or "-",
        str(len(line.rows)),
        str(interval(line.pckh.values())),
        f"{mean(auroc):.3f} ({min(auroc):.3f})" if auroc else "-",
        f"{mean(ap):.3f} ({min(ap):.3f})" if ap else "-",
        *(
            interval(line.known(figure)).text(3)
            for figure in ("auroc_within", "precision_100", "precision", "recall")
        ),
        f"{mean(weight):.2f}" if weight else "-",
        f"{mean(line.known('seconds')):.0f}",
        f"{mean(line.known('steps')):.0f}",
        *(_difference(line, reference, lines) for reference in references),
        in_words({key: value for key, value in line.settings.items() if key not in common}),
    ]


def _difference(line: Line, reference: str | None, lines: list[Line]) -> str:
    if line.method == reference:
        return "-"
    # If a reference was run with several gammas or lambdas, the last one.
    others = [other for other in lines if other.method == reference and other.like(line)]
    difference = paired(line.pckh, others[-1].pckh) if others else None
    if difference is None:
        return "-"
    text = str(difference)
    return text if text.startswith("-") else f"+{text}"


def in_words(settings: dict) -> str:
    """Settings as text, without the prefix LBI."""
    return " ".join(f"{key.removeprefix('LBI.')} {value}" for key, value in settings.items()) or "-"


def common_settings(rows: Iterable[dict]) -> dict:
    """The settings that all rows share, or all that learn weights if only those depend on the setting."""
    rows, common = list(rows), {}
    for row in rows:
        for key, value in row["settings"].items():
            concerned = [
                other["settings"].get(key)
                for other in rows
                if METHODS[other["method"]].learns or not key.startswith(HYPERGRADIENT)
            ]
            if all(other == value for other in concerned):
                common[key] = value
    return common


def untuned(settings: dict) -> dict:
    """The settings without those that are tuned per method."""
    return {key: value for key, value in settings.items() if key not in TUNED}


def markdown(rows: list[dict]) -> str:
    """The tables of all noises, with an explanation of their columns."""
    common = common_settings(rows)
    parts = [
        "Mean PCKh@0.5 on the test set, percent, with half the width of its 95 % interval over seeds (Student's t).",
        "AUROC, AP (average precision): how well the method's scores tell wrong labels from right ones, mean and "
        "lowest; AUROC within: mean over joints of the AUROC among the joint's own labels; first 100: share of wrong "
        "ones among the 100 most suspect; precision and recall: of the labels that the method itself calls wrong.",
        "Seconds and steps: of all trainings that a method needs. Differences of PCKh: seed by seed, with the "
        "same interval;",
        "the oracle is oracle1 or oracle2, whichever has the method's structure; dropped by loss: small_loss_retrained. Settings: over the YAML file's.",
        "",
        f"Settings of all: {in_words(common)}.  ",
        *_other_measures(rows),
        "Run on: " + "; ".join(dict.fromkeys(row["machine"] for row in rows)) + ".",
    ]
    for noise, lines in lines_by_noise(rows).items():
        parts += ["", f"### {noise}", ""] + _table(
            [list(COLUMNS), *(cells(line, lines, common) for line in lines)]
        )
    return "\n".join(parts) + "\n"


def _other_measures(rows: list[dict]) -> list[str]:
    grounds = dict.fromkeys(row.get("ground", BUILT_IN) for row in rows)
    return [
        f"Ground {name}: {GROUNDS[name].measure} in place of {GROUNDS[BUILT_IN].measure}.  "
        for name in grounds
        if name != BUILT_IN
    ]


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    texts = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    return [texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]]
