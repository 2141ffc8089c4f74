"""The page's building blocks: sections, cards, figures, tables."""

import math

from lib.report.charts import legend
from lib.report.markup import Markup, element


def section(title: str, anchor: str, *children) -> Markup:
    return element("section", {"id": anchor}, element("h2", {}, title), *children)


def paragraph(*children, kind: str = "soft") -> Markup:
    return element("p", {"class": kind}, *children)


def card(name: str, value: str, unit: str, what: str) -> Markup:
    """A headline number with its unit, and a sentence on what it says."""
    shown = element("p", {"class": "value"}, value, element("small", {}, f" {unit}") if unit else None)
    what = element("p", {"class": "what"}, what)
    return element("div", {"class": "card"}, element("p", {"class": "name"}, name), shown, what)


def figure(title: str, chart: Markup, caption, entries: list[tuple[str, str, str]] = ()) -> Markup:
    """A chart under its title; ``entries`` of a legend as ``charts.legend`` takes them."""
    key = legend(entries) if entries else None
    drawn = element("div", {}, element("h3", {}, title), key, chart)
    return element("figure", {"class": "panel"}, drawn, element("figcaption", {}, caption))


def figures(*made) -> Markup:
    return element("div", {"class": "figures"}, *made)


def table(header: list[str], rows: list[list], texts: tuple[int, ...] = (), best: set = frozenset()) -> Markup:  # fmt: skip
    """The first column and those of ``texts`` to the left; cells (row, column) of ``best`` stand out."""

    def kind(row: int, column: int) -> dict:
        kinds = ["text"] * (column in texts) + ["best"] * ((row, column) in best)
        return {"class": " ".join(kinds)} if kinds else {}

    head = element("tr", {}, [element("th", kind(-1, c), name) for c, name in enumerate(header)])
    body = [
        element("tr", {}, [element("td", kind(r, c), cell) for c, cell in enumerate(row)])
        for r, row in enumerate(rows)
    ]
    whole = element("table", {}, element("thead", {}, head), element("tbody", {}, body))
    # Focusable, so that a wide table can be moved with the keyboard.
    return element("div", {"class": "scroll", "tabindex": 0}, whole)


def percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def spoken(joint: str) -> str:
    return joint.replace("_", " ")


def counted(count: int, thing: str) -> str:
    """1 run, 1,200 runs."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
