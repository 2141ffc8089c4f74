"""What the learned weights say: histograms, joints, how well they find wrong labels, galleries, tables."""

import numpy as np

from lib.ignoring.ledger import auroc
from lib.report.charts import Bar, Series, bar_rows, histogram_bars, histogram_over_time, line_chart
from lib.report.colours import BLUE, ORANGE, series_style
from lib.report.curves import joint_curves
from lib.report.detection import precision_curve, roc_curve, wrong_among_most_ignored
from lib.report.gallery import draw_gallery, lowest, predict_people
from lib.report.learned import Learned, shifted_joints
from lib.report.markup import Markup, element
from lib.report.parts import (
    counted,
    figure,
    figures,
    gallery,
    gallery_legend,
    paragraph,
    percent,
    section,
    spoken,
    table,
)
from lib.report.runs import MOST_POINTS, Run
from lib.report.tables import Group, by_annotator, by_joint, by_picture
from lib.utils.metrics import BINS

MOST_COLUMNS = 60  # of the histogram over training
MOST_ROWS = 25  # of the tables of pictures and annotators
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the most ignored labels


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
    return figure(title, chart, "Each column is the histogram of all labels' weights after an epoch, darker where more of them are. "
                  "Columns that split into a high and a low band mean that the run has made up its mind.")  # fmt: skip


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
        if rank == 0:
            verdict = "the most ignored of all joints: the run singles it out"
        elif groups[rank].mean < mean:
            verdict = (
                f"number {rank + 1} of {len(order)} from the most ignored: below average, but not singled out"
            )
        else:
            verdict = f"number {rank + 1} of {len(order)} from the most ignored: the run does not find the difference"
        sentences.append(paragraph(
            element("b", {}, f"Does it find that “{spoken(joint)}” means two things? "),
            f"It is the {spoken(of_source)} in the source and the {spoken(of_target)} in the target. "
            f"Its labels have a mean weight of {groups[rank].mean:.2f}, those of all other joints {mean:.2f}; it is {verdict}.",
            kind="finding"))  # fmt: skip
    return sentences


def detection_section(named: list[tuple[str, Learned]]) -> Markup | None:
    """ROC and precision curves of those whose truth is known, and what the most ignored labels are."""
    known = [(name, one) for name, one in named if one.knows_both]
    if not known:
        return None
    roc, precision, rows, entries = [], [], [], []
    for number, (name, one) in enumerate(known):
        weights, wrong = one.weights[one.labelled], one.wrong[one.labelled]
        style = series_style(number)
        roc.append(Series(name, *_thinned(*roc_curve(weights, wrong)), *style))
        precision.append(Series(name, *_thinned(*precision_curve(weights, wrong)), *style))
        entries.append((f"{name}, AUROC {auroc(weights, wrong):.2f}", *style))
        for share in SHARES:
            count, found = wrong_among_most_ignored(weights, wrong, share)
            rows.append([name, f"{100 * share:.0f} %", f"{count:,}", f"{found:,.0f}", percent(found / count)])
        rows.append([name, "100 % (all)", f"{len(wrong):,}", f"{wrong.sum():,}", percent(wrong.mean())])
    unit = (0.0, 1.0)
    guessing = Series("guessing", np.array(unit), np.array(unit))
    base = float(np.mean([one.wrong[one.labelled].mean() for _, one in known]))
    flat = Series("guessing", np.array(unit), np.array([base, base]))
    drawn = figures(
        figure("ROC", line_chart("ROC", roc, "share of right labels ignored", "share of wrong labels found", unit, unit, guessing),
               "From the most ignored label on: how many of the wrong ones are found, for how many right ones lost. "
               "The further above the dotted line (guessing), the better; the area below is the AUROC.", entries),
        figure("Precision and recall", line_chart("Precision and recall", precision, "share of wrong labels found (recall)", "share of found that are wrong (precision)", unit, unit, flat),
               "Of the labels ignored so far, how many are really wrong. Dotted: the share of wrong labels among all, which guessing gives.", entries))  # fmt: skip
    header = ["weights", "most ignored", "labels", "really wrong", "share wrong"]
    return section("Does it find the wrong labels?", "detection",
                   paragraph("The truth of these labels is known, though the training never saw it."), drawn,
                   element("h3", {}, "Of the most ignored labels, how many are really wrong"),
                   table(header, rows, (1,)))  # fmt: skip


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most ``MOST_POINTS`` of the points, first and last among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int))
    return x[kept], y[kept]


def gallery_section(run: Run, learned: Learned, count: int, title: str, anchor: str) -> Markup:
    """The ``count`` most ignored and the most trusted keypoints, one for each person."""
    ignored = lowest(learned.weights, learned.learned, count)
    trusted = lowest(-learned.weights, learned.learned, count)
    persons = sorted({person for person, _ in ignored + trusted})
    predictions = predict_people(run, learned.model, learned.people, persons)
    parts = [gallery_legend(learned, bool(predictions))]
    for name, chosen, meaning in (
        ("Most ignored", ignored, "The lowest weights"),
        ("Most trusted", trusted, "The highest weights"),
    ):
        reading = f"{meaning} of all labels that were ever in a batch, one for each person, nothing selected by hand."
        shown = gallery(learned, draw_gallery(learned, chosen, predictions))
        nothing = paragraph("No labelled keypoint was ever in a batch.") if not chosen else None
        parts += [element("h3", {}, name), paragraph(reading), nothing or shown]
    if not predictions:
        parts.insert(0, paragraph("The run keeps no best.pth that could predict, so labels are shown alone."))
    return section(title, anchor, parts)


def tables_section(learned: Learned, title: str, anchor: str) -> Markup:
    """Pictures and annotators by mean weight."""
    pictures = by_picture(learned, MOST_ROWS)
    parts = [
        element("h3", {}, "Most ignored pictures"),
        paragraph(f"The {counted(len(pictures), 'picture')} with the lowest mean weight, over labels that were in a batch: where to look first for bad annotation."),
        _groups("picture", pictures, learned),
        element("h3", {}, "Annotators"),
    ]  # fmt: skip
    if learned.annotators is None:
        parts.append(paragraph("The annotations do not say who made them (no field “annotator” or “annotator_id”), so there is no table."))  # fmt: skip
    else:
        groups = by_annotator(learned)
        parts.append(paragraph(f"{counted(len(groups), 'annotator')}, the most ignored first"
                               + (f"; {MOST_ROWS} are shown." if len(groups) > MOST_ROWS else ".")))  # fmt: skip
        parts.append(_groups("annotator", groups[:MOST_ROWS], learned))
    return section(title, anchor, parts)


def _groups(kind: str, groups: list[Group], learned: Learned) -> Markup:
    header = [kind, "people", "labels", "mean weight", "below 0.5", "most ignored joint", "its weight"]
    rows = [
        [g.name, f"{g.people:,}", f"{g.labels:,}", f"{g.mean:.2f}", percent(g.below_half), spoken(g.lowest[1]), f"{g.lowest[0]:.2f}"]
        for g in groups
    ]  # fmt: skip
    if learned.wrong is not None:
        header.append("really wrong")
        rows = [[*row, percent(group.wrong)] for row, group in zip(rows, groups)]
    return table(header, rows, (5,))


def joints_of_runs(named: list[tuple[str, Learned]]) -> Markup:
    """The mean weight of each joint, a bar for every set of weights, in the first one's order."""
    styles = [(name, series_style(n)[0]) for n, (name, _) in enumerate(named)]
    means = [{group.name: group.mean for group in by_joint(one)} for _, one in named]
    bars = [Bar(spoken(joint), tuple(m.get(joint, float("nan")) for m in means)) for joint in means[0]]
    chart = bar_rows("Mean weight of each joint", bars, styles, "weight")
    reading = "The joint that the first run ignores most comes first; 1 trusts all labels of the joint."
    return figure(
        "Mean weight of each joint", chart, reading, [(name, colour, "") for name, colour in styles]
    )
