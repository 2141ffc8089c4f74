"""The section on the detection of wrong labels, for data whose truth is known."""

from typing import NamedTuple

import numpy as np

from lib.ignoring.suspects import THRESHOLD
from lib.report.charts import Series, line_chart
from lib.report.detection import calibration, precision_curve, roc_curve, wrong_among_most_suspect
from lib.report.learned import NamedWeights
from lib.report.markup import Markup, element
from lib.report.parts import figure, figures, paragraph, percent, section, table
from lib.report.runs import MAX_POINTS
from lib.report.style import series_style
from lib.wrong_labels.metrics import auroc, average_precision

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the most suspect labels; 1.0: the rate of random flagging
UNIT = (0.0, 1.0)
DOTTED = "2 3"


class Ranking(NamedTuple):
    """A ranking of labels of which it is known whether they are wrong; higher scores [K] are more suspect."""

    name: str
    scores: np.ndarray
    wrong: np.ndarray
    style: tuple[str, str]

    @property
    def legend(self) -> tuple[str, str, str]:
        """Name with AUROC and average precision, colour and dash pattern."""
        figures = (
            f"AUROC {auroc(self.scores, self.wrong):.2f}, AP {average_precision(self.scores, self.wrong):.2f}"
        )
        return f"{self.name}, {figures}", *self.style


def detection_section(named: list[NamedWeights]) -> Markup | None:
    """ROC and precision-recall curves of scores and weights, calibration, and a table of the most suspect labels.

    Sets of weights without known truth are skipped; None if there is no other.
    """
    known = [weights for weights in named if weights.learned.has_both_classes]
    if not known:
        return None
    rankings = _rankings(known)
    roc = [Series(r.name, *_thin_out(*roc_curve(r.scores, r.wrong)), *r.style) for r in rankings]
    precision = [Series(r.name, *_thin_out(*precision_curve(r.scores, r.wrong)), *r.style) for r in rankings]
    entries = [r.legend for r in rankings]
    base_rate = float(np.mean([r.wrong.mean() for r in rankings]))
    columns = [
        [_cell(*wrong_among_most_suspect(r.scores, r.wrong, share)) for share in SHARES] for r in rankings
    ]
    rows = [[f"{100 * share:.0f} %", *cells] for share, *cells in zip(SHARES, *columns)]
    return section(
        "Detection of wrong labels",
        "detection",
        paragraph("The wrong labels of this data are known; this information is not used in training."),
        figures(_roc(roc, entries), _precision(precision, base_rate, entries), _calibration(known)),
        element("h3", {}, "Wrong labels among the most suspect"),
        table(["most suspect", *(r.name for r in rankings)], rows),
    )


def _rankings(known: list[NamedWeights]) -> list[Ranking]:
    """By the scores of labels that were judged, and by the weights, dotted beside them; without scores, the weights alone.

    A run's two sets of weights have the same scores, which are drawn once.
    """
    rankings: list[Ranking] = []
    for name, index, learned in known:
        style, wrong = series_style(index), learned.wrong[learned.labelled]
        if learned.suspects is None:
            rankings.append(Ranking(name, -learned.weights[learned.labelled], wrong, style))
            continue
        place = f"weights {learned.place}"
        both = (
            (name.replace(place, "scores"), name)
            if place in name
            else (f"{name}, scores", f"{name}, weights")
        )
        scores = learned.scores[learned.labelled]
        if not any(np.array_equal(scores, other.scores) for other in rankings):
            rankings.append(Ranking(both[0], scores, wrong, style))
        rankings.append(Ranking(both[1], -learned.weights[learned.labelled], wrong, (style[0], DOTTED)))
    return rankings


def _calibration(known: list[NamedWeights]) -> Markup | None:
    """Estimated against true shares of wrong labels, by probability; None if no labels were judged."""
    series: list[Series] = []
    words: list[tuple[np.ndarray, str]] = []
    for name, index, learned in known:
        if learned.suspects is None:
            continue
        probability = learned.suspects.probability[learned.labelled]
        wrong = learned.wrong[learned.labelled]
        if any(np.array_equal(probability, other) for other, _ in words):  # the run's other set of weights
            continue
        estimated, true, _ = calibration(probability, wrong)
        if len(estimated):
            series.append(
                Series(
                    name.replace(f"weights {learned.place}", "scores"), estimated, true, *series_style(index)
                )
            )
        words.append((probability, _precision_in_words(probability, wrong)))
    if not series:
        return None
    title, chance = "Calibration", Series("as estimated", np.array(UNIT), np.array(UNIT))
    chart = line_chart(title, series, "estimated share of wrong labels", "true share", UNIT, UNIT, chance)
    caption = (
        "Labels are grouped by their probability of being wrong, in tenths with at least ten labels. On the grey line "
        "the estimate is right; above it, more labels are wrong than estimated. "
    )
    caption += " ".join(
        f"{s.name}: {text}" if len(series) > 1 else text for s, (_, text) in zip(series, words)
    )
    entries = [(s.name, s.colour, s.dash) for s in series] if len(series) > 1 else []
    return figure(title, chart, caption, entries)


def _precision_in_words(probability: np.ndarray, wrong: np.ndarray) -> str:
    """How many labels, and how many of the flagged ones, are wrong by the estimate and in truth."""
    flagged, total = (
        probability > THRESHOLD,
        f"{probability.sum():,.0f} labels were estimated to be wrong, {wrong.sum():,} are.",
    )
    if not flagged.any():
        return f"{total} None is flagged."
    estimated, true = probability[flagged].mean(), wrong[flagged].mean()
    found = wrong[flagged].sum() / wrong.sum()
    return (
        f"{total} Of the {flagged.sum():,} flagged ones, {percent(estimated)} were estimated to be wrong, and "
        f"{percent(true)} are; they are {percent(found)} of all wrong ones."
    )


def _roc(series: list[Series], entries: list[tuple[str, str, str]]) -> Markup:
    chance = Series("chance", np.array(UNIT), np.array(UNIT))
    x_title, y_title = "share of correct labels flagged", "share of wrong labels flagged"
    caption = (
        "Labels are flagged in the order of their scores, highest first, or of their weights, lowest first. The further "
        "above the grey line (chance), the better; the area under the curve is the AUROC."
    )
    return figure("ROC", line_chart("ROC", series, x_title, y_title, UNIT, UNIT, chance), caption, entries)


def _precision(series: list[Series], base_rate: float, entries: list[tuple[str, str, str]]) -> Markup:
    """``base_rate``: share of wrong labels among all, the precision of random flagging."""
    chance = Series("chance", np.array(UNIT), np.array([base_rate, base_rate]))
    title = "Precision and recall"
    x_title, y_title = "recall: share of wrong labels flagged", "precision: share of flagged that are wrong"
    caption = "Grey line: the share of wrong labels among all labels, which is the precision of chance."
    return figure(title, line_chart(title, series, x_title, y_title, UNIT, UNIT, chance), caption, entries)


def _cell(count: int, wrong: float) -> str:
    # ``wrong`` is not an integer if equal scores straddle the limit.
    return f"{wrong:,.1f}".removesuffix(".0") + f" of {count:,} ({percent(wrong / count)})"


def _thin_out(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most ``MAX_POINTS`` points, evenly chosen, including the first and the last."""
    points = np.unique(np.linspace(0, len(x) - 1, MAX_POINTS).round().astype(int))
    return x[points], y[points]
