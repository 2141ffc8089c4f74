"""The page's building blocks: cards, figures, tables, galleries."""

import base64
import math

import cv2
import numpy as np

from lib.report.charts import legend
from lib.report.drawing import LABEL, PREDICTED, RIGHT
from lib.report.gallery import Shown
from lib.report.learned import Learned
from lib.report.markup import Markup, element, join

JPEG_QUALITY = 80


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
    inside = [element("h3", {}, title), key, chart, element("figcaption", {}, caption)]
    return element("figure", {"class": "panel"}, inside)


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


def gallery(learned: Learned, shown: list[Shown]) -> Markup:
    """Drawn keypoints in a grid, each with joint, weight, how often it was seen, and the truth if known."""
    return element("div", {"class": "gallery"}, [_gallery_cell(learned, one) for one in shown])


def gallery_legend(learned: Learned, predicted: bool) -> Markup:
    marks = [("ring: the label", LABEL, '<circle cx="10" cy="10" r="7"/>')]
    if predicted:
        drawing = '<rect x="4" y="4" width="12" height="12"/>'
        marks.append((f"square: what the run's own {learned.model} model predicts", PREDICTED, drawing))
    if learned.right is not None:
        marks.append(("cross: where the joint really is", RIGHT, '<path d="M4 4L16 16M16 4L4 16"/>'))
    return element("div", {"class": "legend"}, [_mark(*mark) for mark in marks])


def picture_uri(drawing: np.ndarray) -> str:
    """[H, W, 3] RGB as a JPEG inside a URI."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, jpeg = cv2.imencode(".jpg", np.ascontiguousarray(drawing[..., ::-1]), quality)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"


def spoken(joint: str) -> str:
    return joint.replace("_", " ")


def counted(count: int, thing: str) -> str:
    """1 run, 1,200 runs."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _mark(text: str, colour: tuple[int, int, int], drawing: str) -> Markup:
    def stroked(stroke: str, width: int) -> Markup:
        return element("g", {"fill": "none", "stroke": stroke, "stroke-width": width}, Markup(drawing))

    drawn = [stroked("#000", 5), stroked(f"rgb{colour}", 2.5)]
    return element(
        "span", {}, element("svg", {"width": 20, "height": 20, "aria-hidden": "true"}, drawn), text
    )


def _gallery_cell(learned: Learned, shown: Shown) -> Markup:
    people, (i, j) = learned.people, (shown.person, shown.joint)
    joint, weight = spoken(people.mapping.names[j]), learned.weights[i, j]
    if shown.drawing is None:
        picture = element("div", {"class": "none"}, f"{people.pictures[people.picture[i]]} cannot be read")
    else:
        text = f"{joint} of annotation {people.ids[i]}, weight {weight:.2f}"
        picture = element("img", {"src": picture_uri(shown.drawing), "alt": text})
    lines = [element("b", {}, f"{joint}: {weight:.2f}")]
    if learned.wrong is not None:
        wrong = learned.wrong[i, j]
        verdict = "label really wrong" if wrong else "label really right"
        lines.append(element("span", {"class": "wrong" if wrong else "right"}, verdict))
    seen = int(learned.seen[i, j])
    lines.append(f"annotation {people.ids[i]}, seen {counted(seen, 'time')}")
    caption = [join([line, element("br")]) for line in lines]
    return element("figure", {}, picture, element("figcaption", {}, caption))
