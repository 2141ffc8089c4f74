"""Summary of the evidence: methods against noises, and the differences that the claims refer to."""

import math
from collections.abc import Callable, Iterable
from statistics import mean

from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.summary import Line, common_settings, in_words, interval, paired, untuned
from benchmarks.evidence.tuning import TUNED

COLUMNS = 5  # noises per table
PAIRS = (
    ("ours1", "baseline2"),
    ("ours1", "baseline3"),
    ("ours1_retrained", "oracle1"),
    ("ours1_retrained", "small_loss_retrained"),
    ("ours2", "baseline2"),
    ("ours2", "baseline3"),
    ("oracle2", "baseline3"),
)
RANKED = tuple(("ours1", name) for name, method in METHODS.items() if method.rival)
FIGURES = {
    "AUROC": "auroc", "AP": "ap", "AUROC within joints": "auroc_within", "precision of the first 100": "precision_100",
    "precision": "precision", "recall": "recall",
}  # fmt: skip
# What is said of the labels: of the flagged wrong ones, and of all.
DESCRIBED = {
    "kind right": "kind_right", "place within half a head": "place_right", "true share of wrong labels": "wrong_share",
    "estimated share": "estimated", "low end of its interval": "estimated_low",
    "high end of its interval": "estimated_high", "estimated precision": "estimated_precision",
}  # fmt: skip

Lines = dict[str, Line]  # by name, for one noise
Cell = Callable[[Lines], str | None]


def overview(by_noise: dict[str, list[Line]]) -> list[str]:
    """Markdown tables of PCKh, its differences and how well wrong labels are found, with a column for each noise."""
    common = common_settings(
        row for lines in by_noise.values() for line in lines for row in line.rows.values()
    )
    named = {noise: _by_name(lines, common) for noise, lines in by_noise.items()}
    text, noises = [], list(named)
    for start in range(0, len(noises), COLUMNS):
        shown = {noise: named[noise] for noise in noises[start : start + COLUMNS]}
        names = list(dict.fromkeys(name for lines in shown.values() for name in lines))
        text += _table("PCKh", shown, {name: _figure(name, "pckh", 1) for name in names})
        text += _table("PCKh, difference seed by seed", shown, {f"{a} - {b}": _difference(a, b, "pckh", 1) for a, b in PAIRS})  # fmt: skip
        for title, column in (FIGURES | DESCRIBED).items():
            text += _table(title, shown, {name: _figure(name, column, 3) for name in names})
        for title in ("AUROC", "AP"):
            rows = {f"{a} - {b}": _difference(a, b, FIGURES[title], 3) for a, b in RANKED}
            text += _table(f"{title}, difference seed by seed", shown, rows)
        # The same method with other settings, against itself with the default ones.
        variants = [(name, name.partition(",")[0]) for name in names if name.partition(",")[0] in names]
        variants = [(a, b) for a, b in variants if a != b]
        for title, column, digits in (("PCKh", "pckh", 1), ("AUROC", "auroc", 3), ("AP", "ap", 3)):
            rows = {f"{a} - {b}": _difference(a, b, column, digits) for a, b in variants}
            text += _table(f"{title}, other settings against the default, seed by seed", shown, rows)
        text += _table("mean weight", shown, {name: _weight(name) for name in names if name.startswith("ours")})  # fmt: skip
    return text


def _by_name(lines: list[Line], common: dict) -> Lines:
    """The lines by name. With several tunings the last one, as in the tables of each noise.

    A line with the YAML file's gamma and lambda is not such a tuning: it keeps its name, and others get their values.
    """
    plain = {line.called(common) for line in lines if line.settings == untuned(line.settings)}
    named = {}
    for line in lines:
        name, tuned = line.called(common), {key: line.settings[key] for key in TUNED if key in line.settings}
        named[f"{name}, {in_words(tuned)}" if tuned and name in plain else name] = line
    return named


def _table(title: str, shown: dict[str, Lines], rows: dict[str, Cell]) -> list[str]:
    """A table of the rows with at least one value."""
    body = []
    for name, cell in rows.items():
        cells = [cell(lines) for lines in shown.values()]
        if any(cells):
            body.append(f"| {name} | {' | '.join(text or '-' for text in cells)} |")
    head = [f"| {title} | {' | '.join(shown)} |", "|---" * (len(shown) + 1) + "|"]
    return [*head, *body, ""] if body else []


def _figure(name: str, column: str, digits: int) -> Cell:
    def cell(lines: Lines) -> str | None:
        values = lines[name].known(column) if name in lines else ()
        return interval(values).text(digits) if values else None

    return cell


def _difference(a: str, b: str, column: str, digits: int) -> Cell:
    def cell(lines: Lines) -> str | None:
        if a not in lines or b not in lines:
            return None
        difference = paired(lines[a].by_seed(column), lines[b].by_seed(column))
        if difference is None:
            return None
        half = "" if math.isnan(difference.half) else f" ± {difference.half:.{digits}f}"  # NaN for one seed
        return f"{difference.mean:+.{digits}f}{half}"

    return cell


def _weight(name: str) -> Cell:
    return lambda lines: _mean(lines[name].known("mean_weight")) if name in lines else None


def _mean(values: Iterable[float]) -> str | None:
    values = list(values)
    return f"{mean(values):.2f}" if values else None
