"""The section on the detection of wrong labels, for data whose truth is known."""

import numpy as np

from lib.report.charts import Series, line_chart
from lib.report.detection import precision_curve, roc_curve, wrong_among_most_ignored
from lib.report.learned import NamedWeights
from lib.report.markup import Markup, element
from lib.report.parts import figure, figures, paragraph, percent, section, table
from lib.report.runs import MAX_POINTS
from lib.report.style import series_style
from lib.wrong_labels.metrics import auroc

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the most ignored labels; 1.0: the rate of random flagging
UNIT = (0.0, 1.0)


def detection_section(named: list[NamedWeights]) -> Markup | None:
    """ROC and precision-recall curves, and a table of the most ignored labels.

    Sets of weights without known truth are skipped; None if there is no other.
    """
    known = [weights for weights in named if weights.learned.has_both_classes]
    if not known:
        return None
    roc, precision, columns, entries, wrong_shares = [], [], [], [], []
    for name, index, learned in known:
        weights, wrong = learned.weights[learned.labelled], learned.wrong[learned.labelled]
        style = series_style(index)
        roc.append(Series(name, *_thin_out(*roc_curve(weights, wrong)), *style))
        precision.append(Series(name, *_thin_out(*precision_curve(weights, wrong)), *style))
        entries.append((f"{name}, AUROC {auroc(-weights, wrong):.2f}", *style))
        columns.append([_cell(*wrong_among_most_ignored(weights, wrong, share)) for share in SHARES])
        wrong_shares.append(wrong.mean())
    header = ["most ignored", *(weights.name for weights in known)]
    rows = [[f"{100 * share:.0f} %", *cells] for share, *cells in zip(SHARES, *columns)]
    return section(
        "Detection of wrong labels",
        "detection",
        paragraph("The wrong labels of this data are known; this information is not used in training."),
        figures(_roc(roc, entries), _precision(precision, float(np.mean(wrong_shares)), entries)),
        element("h3", {}, "Wrong labels among the most ignored"),
        table(header, rows),
    )


def _roc(series: list[Series], entries: list[tuple[str, str, str]]) -> Markup:
    chance = Series("chance", np.array(UNIT), np.array(UNIT))
    x_title, y_title = "share of correct labels flagged", "share of wrong labels flagged"
    caption = (
        "Labels are flagged in the order of their weights, lowest first. The further above the dotted line "
        "(chance), the better; the area under the curve is the AUROC."
    )
    return figure("ROC", line_chart("ROC", series, x_title, y_title, UNIT, UNIT, chance), caption, entries)


def _precision(series: list[Series], base_rate: float, entries: list[tuple[str, str, str]]) -> Markup:
    """``base_rate``: share of wrong labels among all, the precision of random flagging."""
    chance = Series("chance", np.array(UNIT), np.array([base_rate, base_rate]))
    title = "Precision and recall"
    x_title, y_title = "recall: share of wrong labels flagged", "precision: share of flagged that are wrong"
    caption = "Dotted line: the share of wrong labels among all labels, which is the precision of chance."
    return figure(title, line_chart(title, series, x_title, y_title, UNIT, UNIT, chance), caption, entries)


def _cell(count: int, wrong: float) -> str:
    # ``wrong`` is not an integer if equal weights straddle the limit.
    return f"{wrong:,.1f}".removesuffix(".0") + f" of {count:,} ({percent(wrong / count)})"


def _thin_out(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most ``MAX_POINTS`` points, evenly chosen, including the first and the last."""
    points = np.unique(np.linspace(0, len(x) - 1, MAX_POINTS).round().astype(int))
    return x[points], y[points]
