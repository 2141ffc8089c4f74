"""Training curves of one run, or of several runs in one chart."""

from typing import NamedTuple

import numpy as np

from lib.report.charts import Series, line_chart, value_range
from lib.report.markup import Markup
from lib.report.parts import display_name, figure
from lib.report.runs import Run
from lib.report.style import series_style


class Curve(NamedTuple):
    """A chart of curves.

    title, unit: title of the chart and of the y axis.
    tags: {tag in metrics.jsonl: name of the curve, empty for the target model's}.
    caption: how to read the chart.
    top: upper end of the y axis; None: the highest value.
    """

    title: str
    unit: str
    tags: dict[str, str]
    caption: str
    top: float | None = None


CURVES = (
    Curve(
        "PCKh@0.5 on validation",
        "percent",
        {"val/PCKh_Mean": "", "val_source_model/PCKh_Mean": "source model"},
        "Mean over the joints; higher is better. The best epoch is tested, or the last one if the "
        "validation people are also used for training.",
    ),
    Curve(
        "PCK@0.1 on validation",
        "percent",
        {"val/PCK_Mean": "", "val_source_model/PCK_Mean": "source model"},
        "Mean over the joints; higher is better. The best epoch is tested, or the last one if the "
        "validation objects are also used for training.",
    ),
    Curve(
        "Loss on target batches",
        "mean squared error per heatmap pixel",
        {"loss/target": ""},
        "Lower is better on the training data; if validation does not improve with it, the network overfits.",
    ),
    Curve(
        "Loss on source batches",
        "mean squared error per heatmap pixel",
        {"loss/source": "", "loss/source_model": "source model"},
        "Weighted by the ignoring weights if the mode learns them, so lower weights also lower the loss.",
    ),
    Curve(
        "Distance between the models",
        "λ × squared distance, per heatmap pixel",
        {"loss/proximity": ""},
        "Penalty that keeps the target model close to the source model; low values mean that the two agree.",
    ),
    Curve(
        "Mean weight of all source labels",
        "weight",
        {"weights_B_table/mean": "weights B", "weights_A_table/mean": "weights A"},
        "After each epoch, over all labelled source keypoints; 1 keeps all labels, 0 ignores all.",
        1.0,
    ),
    Curve(
        "AUROC of the weights",
        "AUROC",
        {"weights_B_table/auroc": "weights B", "weights_A_table/auroc": "weights A"},
        "Probability that a correct label has a higher weight than a wrong one; 0.5 is chance, 1 is perfect.",
        1.0,
    ),
)


def curve_figures(runs: list[Run]) -> list[Markup]:
    """A figure for each of ``CURVES`` that at least one of the runs recorded."""
    drawings = (_figure(curve, runs) for curve in CURVES)
    return [drawing for drawing in drawings if drawing is not None]


def joint_curves(run: Run, place: str) -> Markup | None:
    """Mean weight of each body part over training, left and right averaged.

    Args:
        run: The run.
        place: "A" or "B", the set of weights.

    Returns:
        The figure, or None if the run recorded no weights per joint.
    """
    prefix = f"weights_{place}_table/mean_"
    curves_of_part: dict[str, list] = {}
    for tag in run.scalars:
        if tag.startswith(prefix):
            joint = tag.removeprefix(prefix)
            side, _, rest = joint.partition("_")
            part = rest if side in ("left", "right") else joint
            curves_of_part.setdefault(part, []).append(run.curve(tag))
    if not curves_of_part:
        return None
    series = []
    for index, (part, curves) in enumerate(curves_of_part.items()):
        steps = curves[0][0]
        mean = np.mean([values for _, values in curves], axis=0)
        series.append(Series(display_name(part), steps, mean, *series_style(index)))
    title = "Mean weight of each body part"
    chart = line_chart(title, series, "training step", "weight", (0, series[0].x.max()), (0, 1))
    caption = (
        "Left and right together, after each epoch. The weights of a part fall if its source labels "
        "disagree with the validation labels."
    )
    return figure(title, chart, caption, [(s.name, s.colour, s.dash) for s in series])


def _figure(curve: Curve, runs: list[Run]) -> Markup | None:
    """The chart of ``curve``, or None if no run recorded it."""
    several, series = len(runs) > 1, []
    for index, run in enumerate(runs):
        curves = [(kind, run.curve(tag)) for tag, kind in curve.tags.items()]
        recorded = [(kind, points) for kind, points in curves if points is not None]
        for nth, (kind, points) in enumerate(recorded):
            name = ", ".join(filter(None, (run.name if several else "", kind))) or "target model"
            # A run has the same style in all charts; its second curve has a style that no run uses.
            series.append(Series(name, *points, *series_style(index + nth * len(runs))))
    if not series:
        return None
    top = curve.top or value_range(np.concatenate([s.y for s in series] + [[0.0]]))[1]
    last = max(s.x.max() for s in series)
    chart = line_chart(curve.title, series, "training step", curve.unit, (0, last), (0, top))
    entries = [(s.name, s.colour, s.dash) for s in series] if several or len(series) > 1 else []
    return figure(curve.title, chart, curve.caption, entries)
