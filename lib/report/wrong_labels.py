"""The section on wrong labels, where the truth is known: do low weights find them?"""

import numpy as np

from lib.ignoring.weight_table import auroc
from lib.report.charts import Series, line_chart
from lib.report.detection import precision_curve, roc_curve, wrong_among_most_ignored
from lib.report.learned import Named
from lib.report.markup import Markup, element
from lib.report.parts import figure, figures, paragraph, percent, section, table
from lib.report.runs import MOST_POINTS
from lib.report.style import series_style

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the most ignored labels; the last says what guessing gives


def detection_section(named: list[Named]) -> Markup | None:
    """ROC and precision curves of those whose truth is known, and what the most ignored labels are."""
    known = [one for one in named if one.learned.knows_both]
    if not known:
        return None
    roc, precision, columns, entries = [], [], [], []
    for name, number, one in known:
        weights, wrong = one.weights[one.labelled], one.wrong[one.labelled]
        style = series_style(number)
        roc.append(Series(name, *_thinned(*roc_curve(weights, wrong)), *style))
        precision.append(Series(name, *_thinned(*precision_curve(weights, wrong)), *style))
        entries.append((f"{name}, AUROC {auroc(weights, wrong):.2f}", *style))
        columns.append([_of(*wrong_among_most_ignored(weights, wrong, share)) for share in SHARES])
    unit = (0.0, 1.0)
    guessing = Series("guessing", np.array(unit), np.array(unit))
    base = float(np.mean([one.wrong[one.labelled].mean() for *_, one in known]))
    flat = Series("guessing", np.array(unit), np.array([base, base]))
    drawn = figures(
        figure("ROC", line_chart("ROC", roc, "share of right labels ignored", "share of wrong labels found", unit, unit, guessing),
               "From the most ignored label on: how many of the wrong ones are found, for how many right ones lost. "
               "The further above the dotted line (guessing), the better; the area below is the AUROC.", entries),
        figure("Precision and recall", line_chart("Precision and recall", precision, "share of wrong labels found (recall)", "share of found that are wrong (precision)", unit, unit, flat),
               "Of the labels ignored so far, how many are really wrong. Dotted: the share of wrong labels among all, which guessing gives.", entries))  # fmt: skip
    header = ["most ignored", *(one.name for one in known)]
    rows = [[f"{100 * share:.0f} %", *cells] for share, *cells in zip(SHARES, *columns)]
    return section("Does it find the wrong labels?", "detection",
                   paragraph("The truth of these labels is known, though the training never saw it."), drawn,
                   element("h3", {}, "Of the most ignored labels, how many are really wrong"),
                   table(header, rows))  # fmt: skip


def _of(count: int, wrong: float) -> str:
    # Not a whole number where equal weights straddle the end.
    return f"{wrong:,.1f}".removesuffix(".0") + f" of {count:,} ({percent(wrong / count)})"


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most ``MOST_POINTS`` of the points, first and last among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int))
    return x[kept], y[kept]
