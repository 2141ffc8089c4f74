"""Results of the simulated reviewer: a row for each order and number of reviews, and their tables."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.evidence.summary import interval
from benchmarks.tables import rows as table
from lib.dataset.annotations import read_json
from lib.utils.errors import InputError
from lib.utils.files import write_text

NONE, IDEAL = "none", "ideal"  # order of what nobody has reviewed; about the best order there is
OURS = ("ours1", "ours1_gain", "judged", "judged_gain")


@dataclass(frozen=True)
class Row:
    """What so many reviews in an order come to.

    wrong, left: numbers of wrong labels before and after them.
    settled: labels that were found right or corrected.
    pckh: of a network trained on the labels as they are then, percent; None if none was trained.
    """

    ground: str
    noise: str
    seed: int
    order: str = NONE
    reviews: int = 0
    wrong: int = 0
    left: int = 0
    settled: int = 0
    pckh: float | None = None

    @property
    def key(self) -> tuple:
        """Its identity."""
        return self.ground, self.noise, self.seed, self.order, self.reviews


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of `write_rows`; none if it does not exist. InputError if it is another file."""
    try:
        return [Row(**values) for values in read_json(path)] if path.exists() else []
    except TypeError:
        raise InputError(f"{path}: expected the rows of benchmarks/reviewing.py") from None


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows, one per line."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    write_text(path, f"[\n{lines}\n]\n")


def markdown(rows: Sequence[Row]) -> str:
    """The tables of each ground and noise: labels left, labels settled, and PCKh."""
    parts = []
    for ground, noise in dict.fromkeys((row.ground, row.noise) for row in rows):
        own = [row for row in rows if (row.ground, row.noise) == (ground, noise)]
        wrong = interval({row.seed: row.wrong for row in own}.values()).text(0)
        parts.append(f"### {ground}, {noise}\n\n{wrong} labels are wrong. Wrong ones that are left, percent, mean and 95 % interval over seeds (number):\n\n{_left(own)}")  # fmt: skip
        parts.append(f"Labels that these reviews settled:\n\n{_settled(own)}")
        if any(row.pckh is not None for row in own):
            parts.append(f"PCKh@0.5 of baseline2 on the source as it is then, percent:\n\n{_accuracy(own)}")
    return "\n".join(parts)


def _left(rows: Sequence[Row]) -> str:
    columns, lines = _columns(rows), []
    for order, by_count in columns.items():
        cells = [
            f"{interval(100 * row.left / row.wrong for row in of).text(1)} ({sum(row.left for row in of) / len(of):,.0f})"
            if of else "-"
            for of in by_count.values()
        ]  # fmt: skip
        lines.append([order, *cells, max(map(len, by_count.values()))])
    lines += _against_best_rival(columns)
    return table(["order", *map(_reviews, next(iter(columns.values()))), "seeds"], lines)


def _against_best_rival(columns: dict[str, dict[int, list[Row]]]) -> list[list]:
    """A line for each of our orders: what it leaves, as a share of what the rival that leaves least does."""
    rivals = [order for order in columns if order not in (*OURS, IDEAL)]
    lines = []
    for order in (order for order in columns if rivals and order not in rivals):
        cells = []
        for count, own in columns[order].items():
            of_rivals = {rival: {row.seed: row.left for row in columns[rival][count]} for rival in rivals}
            common = [row for row in own if all(row.seed in left for left in of_rivals.values())]
            if not common:
                cells.append("-")
                continue
            best = min(rivals, key=lambda rival: sum(of_rivals[rival][row.seed] for row in common))
            shares = [row.left / of_rivals[best][row.seed] for row in common if of_rivals[best][row.seed]]
            cells.append(f"{interval(shares).text(2)} of {best}")
        lines.append([f"{order} / best rival", *cells, ""])
    return lines


def _settled(rows: Sequence[Row]) -> str:
    columns = _columns(rows)
    lines = [
        [order, *(interval(row.settled for row in of).text(0) for of in by_count.values())]
        for order, by_count in columns.items()
    ]
    return table(["order", *map(_reviews, next(iter(columns.values())))], lines)


def _accuracy(rows: Sequence[Row]) -> str:
    measured = sorted((row for row in rows if row.pckh is not None), key=lambda row: row.reviews)
    cells: dict[tuple[int, str], list[float]] = {}
    for row in measured:
        cells.setdefault((row.reviews, row.order), []).append(row.pckh or 0.0)
    return table(
        ["reviews", "order", "PCKh", "seeds"],
        [[f"{count:,}", order, interval(values).text(1), len(values)] for (count, order), values in cells.items()],
    )  # fmt: skip


def _columns(rows: Sequence[Row]) -> dict[str, dict[int, list[Row]]]:
    """{order: {number of reviews: rows}}."""
    counts = sorted({row.reviews for row in rows if row.order != NONE})
    orders = dict.fromkeys(row.order for row in rows if row.order != NONE)
    return {
        order: {count: [row for row in rows if (row.order, row.reviews) == (order, count)] for count in counts}
        for order in orders
    }  # fmt: skip


def _reviews(count: int) -> str:
    return f"{count:,} reviews"
