"""What the learned weights say as a whole: histograms, and the mean of each joint."""

import numpy as np

from lib.report.charts import (
    DARKEST,
    Bar,
    Series,
    bar_rows,
    darkness,
    histogram_bars,
    histogram_over_time,
    line_chart,
)
from lib.report.curves import joint_curves
from lib.report.learned import Learned, Named, shifted_joints
from lib.report.markup import Markup, element
from lib.report.parts import figure, figures, paragraph, spoken
from lib.report.runs import Run
from lib.report.style import BLUE, ORANGE, series_style
from lib.report.tables import by_joint
from lib.tracking.metrics import BINS

MOST_COLUMNS = 60  # of the histogram over training


def weights_overview(run: Run, learned: Learned) -> list[Markup]:
    """Histograms, and the mean weight of each joint."""
    figures_made = [_over_training(run, learned), _at_the_end(learned), _joints(run, learned), joint_curves(run, learned.place)]  # fmt: skip
    return [figures(figures_made), _shifted(run, learned)]


def _over_training(run: Run, learned: Learned) -> Markup | None:
    tag = f"weights_{learned.place}_table/all"
    if tag not in run.histograms:
        return None
    steps, counts = run.histograms[tag]
    kept = np.unique(np.linspace(0, len(steps) - 1, MOST_COLUMNS).round().astype(int))
    title = "Weights over training"
    chart = histogram_over_time(title, steps[kept].tolist(), counts[kept])
    shades = [(f"{100 * share:.0f} % {more}of the labels", f"rgb(0 114 178 / {darkness(share):.2f})", "")
              for share, more in ((0.01, ""), (0.05, ""), (DARKEST, "or more "))]  # fmt: skip
    return figure(title, chart, "Each column is the histogram of all labels' weights after an epoch, darker where more of them are. "
                  "Columns that split into a high and a low band mean that the run has made up its mind.", shades)  # fmt: skip


def _at_the_end(learned: Learned) -> Markup:
    weights, title = learned.weights[learned.labelled], "Weights at the end"

    def counts(of: np.ndarray) -> np.ndarray:
        return np.histogram(of, bins=BINS, range=(0, 1))[0]

    if learned.wrong is None:
        groups, reading = [("all labels", BLUE, counts(weights))], "How many labels ended with which weight."
    else:
        wrong = learned.wrong[learned.labelled]
        groups = [("labels really right", BLUE, counts(weights[~wrong])), ("labels really wrong", ORANGE, counts(weights[wrong]))]  # fmt: skip
        reading = "How many labels ended with which weight. Good weights put the wrong ones to the left and the right ones to the right."
    chart = histogram_bars(title, groups, "weight", "number of labels")
    entries = [(name, colour, "") for name, colour, _ in groups] if len(groups) > 1 else []
    return figure(title, chart, reading, entries)


def _joints(run: Run, learned: Learned) -> Markup:
    groups, shifted = by_joint(learned), shifted_joints(run, learned.people)
    styles = [("mean weight", BLUE)]
    reading = "The most ignored joint first; 1 trusts all labels of the joint."
    if learned.wrong is not None:
        styles.append(("share of labels that are really right", ORANGE))
        reading += " Where the bar is short and the diamond far to the left, the run ignores a joint that deserves it."
    if shifted:
        reading += " An asterisk marks a joint that means one thing in the source and another in the target."
    bars = [
        Bar(spoken(g.name) + " *" * (g.name in shifted), (g.mean, 1 - g.wrong)[: len(styles)]) for g in groups
    ]
    chart = bar_rows("Mean weight of each joint", bars, styles, "weight", 1 if len(styles) > 1 else None)
    entries = [(name, colour, "") for name, colour in styles] if len(styles) > 1 else []
    return figure("Mean weight of each joint", chart, reading, entries)


def _shifted(run: Run, learned: Learned) -> list[Markup]:
    """A sentence for each joint that means two things: does the run find that?"""
    groups, sentences = by_joint(learned), []
    order = [group.name for group in groups]
    for joint, (of_source, of_target) in shifted_joints(run, learned.people).items():
        if joint not in order or len(order) < 2:
            continue
        rank = order.index(joint)
        others = [group for group in groups if group.name != joint]
        mean = np.average([g.mean for g in others], weights=[g.labels for g in others])
        verdict = "the most ignored of all joints: the run singles it out"
        if rank > 0:
            found = "suspects it" if rank < len(order) / 4 else "does not find the difference"
            verdict = f"number {rank + 1} of {len(order)} from the most ignored: the run {found}"
        sentences.append(paragraph(
            element("b", {}, f"Does it find that “{spoken(joint)}” means two things? "),
            f"It is the {spoken(of_source)} in the source and the {spoken(of_target)} in the target. "
            f"Its labels have a mean weight of {groups[rank].mean:.2f}, those of all other joints {mean:.2f}; it is {verdict}.",
            kind="finding"))  # fmt: skip
    return sentences


def joints_of_runs(named: list[Named]) -> Markup:
    """The mean weight of each joint, a bar for every set of weights, in the first one's order."""
    styles = [(one.name, series_style(one.number)[0]) for one in named]
    means = [{group.name: group.mean for group in by_joint(one.learned)} for one in named]
    bars = [Bar(spoken(joint), tuple(m.get(joint, float("nan")) for m in means)) for joint in means[0]]
    chart = bar_rows("Mean weight of each joint", bars, styles, "weight")
    reading = f"The joint that {named[0].name} ignores most comes first; 1 trusts all labels of the joint."
    return figure(
        "Mean weight of each joint", chart, reading, [(name, colour, "") for name, colour in styles]
    )


def distributions(named: list[Named]) -> Markup:
    """How the weights of all labels are spread, a curve for every set of weights."""
    series = []
    for name, number, one in named:
        counts, edges = np.histogram(one.weights[one.labelled], bins=BINS, range=(0, 1))
        series.append(
            Series(name, (edges[:-1] + edges[1:]) / 2, 100 * counts / counts.sum(), *series_style(number))
        )
    top = max(s.y.max() for s in series)
    chart = line_chart("Weights at the end", series, "weight", "percent of the labels", (0, 1), (0, top))
    reading = "Which weights the labels ended with, in twentieths. Two humps: the run has made up its mind; one in the middle: it has not."
    return figure("Weights at the end", chart, reading, [(s.name, s.colour, s.dash) for s in series])
