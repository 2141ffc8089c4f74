"""Charts of all learned weights: histograms, and the mean weight of each joint."""

import numpy as np

from lib.report.charts import (
    OPAQUE_SHARE,
    Bar,
    Series,
    bar_rows,
    histogram_bars,
    histogram_over_time,
    line_chart,
    opacity,
)
from lib.report.curves import joint_curves
from lib.report.learned import LearnedWeights, NamedWeights, shifted_joints
from lib.report.markup import Content, Markup, element
from lib.report.parts import display_name, figure, figures, paragraph
from lib.report.runs import Run
from lib.report.style import BLUE, ORANGE, series_style
from lib.report.tables import by_joint
from lib.tracking.metrics import BINS

MAX_COLUMNS = 60  # of the histogram over training


def weights_overview(run: Run, learned: LearnedWeights) -> list[Content]:
    """Histograms over training and at the end, means by joint, and a note on each shifted joint."""
    charts = [_over_training(run, learned), _final(learned), _joints(run, learned)]
    charts.append(joint_curves(run, learned.place))
    return [figures(charts), _shifted(run, learned)]


def _over_training(run: Run, learned: LearnedWeights) -> Markup | None:
    """The histogram over training; None if the run recorded none."""
    tag = f"weights_{learned.place}_table/all"
    if tag not in run.histograms:
        return None
    steps, counts = run.histograms[tag]
    columns = np.unique(np.linspace(0, len(steps) - 1, MAX_COLUMNS).round().astype(int))
    title = "Weights over training"
    chart = histogram_over_time(title, steps[columns].tolist(), counts[columns])
    caption = (
        "Each column is the histogram of all weights after an epoch; darker cells contain more labels. Two "
        "separate bands, one high and one low, mean that labels are clearly kept or clearly ignored."
    )
    shades = [
        (f"{100 * share:.0f} % {more}of the labels", f"rgb(0 114 178 / {opacity(share):.2f})", "")
        for share, more in ((0.01, ""), (0.05, ""), (OPAQUE_SHARE, "or more "))
    ]
    return figure(title, chart, caption, shades)


def _final(learned: LearnedWeights) -> Markup:
    """The histogram of the final weights, of wrong and correct labels apart if these are known."""
    weights, title = learned.weights[learned.labelled], "Final weights"

    def counts(values: np.ndarray) -> np.ndarray:
        return np.histogram(values, bins=BINS, range=(0, 1))[0]

    caption = "Number of labels by final weight."
    if learned.wrong is None:
        groups = [("all labels", BLUE, counts(weights))]
    else:
        wrong = learned.wrong[learned.labelled]
        groups = [
            ("correct labels", BLUE, counts(weights[~wrong])),
            ("wrong labels", ORANGE, counts(weights[wrong])),
        ]
        caption += " Good weights are low for wrong labels and high for correct ones."
    chart = histogram_bars(title, groups, "weight", "number of labels")
    entries = [(name, colour, "") for name, colour, _ in groups] if len(groups) > 1 else []
    return figure(title, chart, caption, entries)


def _joints(run: Run, learned: LearnedWeights) -> Markup:
    """Bars of the mean weight of each joint, with the share of correct labels as a diamond if known."""
    groups, shifted = by_joint(learned), shifted_joints(run, learned.annotations)
    styles = [("mean weight", BLUE)]
    caption = "Lowest mean weight first; 1 keeps all labels of the joint."
    if learned.wrong is not None:
        styles.append(("share of correct labels", ORANGE))
        caption += (
            " Bar and diamond both short: many labels of the joint are wrong, and the run ignores them."
        )
    if shifted:
        caption += (
            " An asterisk marks a joint that means one keypoint in the source and another in the target."
        )
    bars = []
    for group in groups:
        name = display_name(group.name) + " *" * (group.name in shifted)
        bars.append(Bar(name, (group.mean, 1 - group.wrong)[: len(styles)]))
    title = "Mean weight of each joint"
    chart = bar_rows(title, bars, styles, "weight", marker=1 if len(styles) > 1 else None)
    entries = [(name, colour, "") for name, colour in styles] if len(styles) > 1 else []
    return figure(title, chart, caption, entries)


def _shifted(run: Run, learned: LearnedWeights) -> list[Markup]:
    """A note on each joint that differs between source and target: does the run ignore it?"""
    groups, notes = by_joint(learned), []
    order = [group.name for group in groups]
    for joint, (source, target) in shifted_joints(run, learned.annotations).items():
        if joint not in order or len(order) < 2:
            continue
        rank = order.index(joint)
        others = [group for group in groups if group.name != joint]
        mean = np.average([group.mean for group in others], weights=[group.labels for group in others])
        if rank == 0:
            verdict = "the lowest of all joints, so the run singles it out"
        else:
            # In the lowest quarter of the joints the difference has at least some effect.
            effect = "partly detects" if rank < len(order) / 4 else "does not detect"
            verdict = f"rank {rank + 1} of {len(order)} from the lowest, so the run {effect} the difference"
        text = (
            f"It is the {display_name(source)} in the source and the {display_name(target)} in the target. "
            f"The mean weight of its labels is {groups[rank].mean:.2f}, that of all other joints {mean:.2f}: "
            f"{verdict}."
        )
        title = element("b", {}, f"“{display_name(joint)}” means two things. ")
        notes.append(paragraph(title, text, kind="finding"))
    return notes


def joints_of_runs(named: list[NamedWeights]) -> Markup:
    """Bars of the mean weight of each joint, for several sets of weights; sorted by the first set."""
    styles = [(weights.name, series_style(weights.style_index)[0]) for weights in named]
    means = [{group.name: group.mean for group in by_joint(weights.learned)} for weights in named]
    bars = [Bar(display_name(joint), tuple(m.get(joint, float("nan")) for m in means)) for joint in means[0]]
    title = "Mean weight of each joint"
    chart = bar_rows(title, bars, styles, "weight")
    caption = f"Lowest mean weight of {named[0].name} first; 1 keeps all labels of the joint."
    return figure(title, chart, caption, [(name, colour, "") for name, colour in styles])


def distributions(named: list[NamedWeights]) -> Markup:
    """Curves of the distribution of the final weights, for several sets of weights."""
    series = []
    for name, index, learned in named:
        weights = learned.weights[learned.labelled]
        counts, edges = np.histogram(weights, bins=BINS, range=(0, 1))
        shares, centers = 100 * counts / counts.sum(), (edges[:-1] + edges[1:]) / 2
        series.append(Series(name, centers, shares, *series_style(index)))
    top = max(s.y.max() for s in series)
    title = "Final weights"
    chart = line_chart(title, series, "weight", "percent of the labels", (0, 1), (0, top))
    caption = (
        f"Share of the labels in each of {BINS} equal intervals. Two peaks: labels are clearly kept or "
        "clearly ignored; one peak in the middle: they are not separated."
    )
    return figure(title, chart, caption, [(s.name, s.colour, s.dash) for s in series])
