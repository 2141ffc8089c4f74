"""Building blocks of the page: sections, cards, figures, tables, and formats of names and numbers."""

import math
from collections.abc import Collection, Sequence

from lib.report.charts import legend
from lib.report.markup import Markup, element


def section(title: str, anchor: str, *children) -> Markup:
    """A section with a heading; ``anchor``: its id, for links."""
    return element("section", {"id": anchor}, element("h2", {}, title), *children)


def paragraph(*children, kind: str = "soft") -> Markup:
    """A paragraph of the CSS class ``kind``."""
    return element("p", {"class": kind}, *children)


def card(name: str, value: str, unit: str, explanation: str) -> Markup:
    """A headline number with its name, unit and explanation."""
    number = element("p", {"class": "value"}, value, element("small", {}, f" {unit}") if unit else None)
    explanation = element("p", {"class": "what"}, explanation)
    return element("div", {"class": "card"}, element("p", {"class": "name"}, name), number, explanation)


def figure(title: str, chart: Markup, caption, entries: Sequence[tuple[str, str, str]] = ()) -> Markup:
    """A chart with title and caption; ``entries``: of its legend, see `charts.legend`."""
    key = legend(entries) if entries else None
    drawing = element("div", {}, element("h3", {}, title), key, chart)
    return element("figure", {"class": "panel"}, drawing, element("figcaption", {}, caption))


def figures(*children) -> Markup:
    """Figures side by side; None is omitted."""
    return element("div", {"class": "figures"}, *children)


def table(
    header: list[str], rows: list[list], texts: tuple[int, ...] = (), best: Collection[tuple[int, int]] = ()
) -> Markup:
    """A table with numbers aligned to the right.

    Args:
        header: Column titles.
        rows: The cells, one list per row.
        texts: Columns aligned to the left, besides the first one.
        best: (row, column) of highlighted cells.
    """

    def attributes(row: int, column: int) -> dict:
        classes = ["text"] * (column in texts) + ["best"] * ((row, column) in best)
        return {"class": " ".join(classes)} if classes else {}

    head = element("tr", {}, [element("th", attributes(-1, c), name) for c, name in enumerate(header)])
    body = [
        element("tr", {}, [element("td", attributes(r, c), cell) for c, cell in enumerate(row)])
        for r, row in enumerate(rows)
    ]
    content = element("table", {}, element("thead", {}, head), element("tbody", {}, body))
    # Focusable, so that a wide table can be scrolled with the keyboard.
    return element("div", {"class": "scroll", "tabindex": 0}, content)


def percent(share: float) -> str:
    """A share in [0, 1] as percent with one decimal; "-" for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def display_name(joint: str) -> str:
    """left_knee as "left knee"."""
    return joint.replace("_", " ")


def pluralize(count: int, noun: str) -> str:
    """1 run, 1,200 runs."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
