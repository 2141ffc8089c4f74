"""Curves over training, of one run or of several in one chart."""

from typing import NamedTuple

import numpy as np

from lib.report.charts import Series, line_chart, span
from lib.report.colours import series_style
from lib.report.markup import Markup
from lib.report.parts import figure, spoken
from lib.report.runs import Run


class Curve(NamedTuple):
    """tags: {tag of metrics.jsonl: what tells it from the others}.   top: of the axis, None: as needed."""

    title: str
    unit: str
    tags: dict[str, str]
    reading: str
    top: float | None = None


CURVES = (
    Curve("PCKh@0.5 on validation", "percent", {"val/PCKh_Mean": "", "val_source_model/PCKh_Mean": "source model"},
          "Mean over the joints, higher is better. The epoch with the highest value is the one that is tested."),
    Curve("Loss on the target's batches", "mean squared error per heatmap pixel", {"loss/target": ""},
          "Lower is better on these people; where validation does not follow, the network memorises them."),
    Curve("Loss on the source's batches", "mean squared error per heatmap pixel",
          {"loss/source": "", "loss/source_model": "source model"},
          "Weighted by the ignoring weights where the mode learns them, so that ignoring lowers it too."),
    Curve("Distance of the two models", "lambda × squared distance, per heatmap pixel", {"loss/proximity": ""},
          "What holding the target model near the source model costs: low means that they agree."),
    Curve("Mean weight of all source labels", "weight",
          {"weights_B_table/mean": "weights B", "weights_A_table/mean": "weights A"},
          "After every epoch, over every labelled keypoint of the source: 1 trusts all of them, 0 ignores all.", 1.0),
    Curve("AUROC of the weights", "chance",
          {"weights_B_table/auroc": "weights B", "weights_A_table/auroc": "weights A"},
          "Chance that a right label weighs more than a wrong one: 0.5 is guessing, 1 is perfect.", 1.0),
)  # fmt: skip


def curve_figures(runs: list[Run]) -> list[Markup]:
    """A figure for each of ``CURVES`` that any of the runs recorded."""
    return [made for curve in CURVES if (made := _figure(curve, runs)) is not None]


def joint_curves(run: Run, place: str) -> Markup | None:
    """Mean weight over training of each part of the body, left and right together."""
    prefix = f"weights_{place}_table/mean_"
    parts: dict[str, list] = {}
    for tag in run.scalars:
        if tag.startswith(prefix):
            joint = tag.removeprefix(prefix)
            side, _, rest = joint.partition("_")
            parts.setdefault(rest if side in ("left", "right") else joint, []).append(run.curve(tag))
    if not parts:
        return None
    series = []
    for number, (part, curves) in enumerate(parts.items()):
        steps = curves[0][0]
        series.append(Series(spoken(part), steps, np.mean([values for _, values in curves], axis=0), *series_style(number)))  # fmt: skip
    title = "Mean weight of each body part"
    chart = line_chart(title, series, "training step", "weight", y_range=(0, 1))
    reading = "Left and right together, after every epoch. Parts that drift down are the ones that the validation people disagree with."
    return figure(title, chart, reading, [(s.name, s.colour, s.dash) for s in series])


def _figure(curve: Curve, runs: list[Run]) -> Markup | None:
    found = [
        (", ".join(filter(None, (run.name if len(runs) > 1 else "", kind))), points)
        for run in runs
        for tag, kind in curve.tags.items()
        if (points := run.curve(tag)) is not None
    ]
    if not found:
        return None
    series = [
        Series(name or curve.title, *points, *series_style(n)) for n, (name, points) in enumerate(found)
    ]
    top = curve.top or span(np.concatenate([s.y for s in series] + [[0.0]]))[1]
    chart = line_chart(curve.title, series, "training step", curve.unit, y_range=(0, top))
    # One curve of one run has its name in the title; with others, each needs a name of its own.
    names = [(name or "target model", s.colour, s.dash) for (name, _), s in zip(found, series)]
    return figure(curve.title, chart, curve.reading, names if len(found) > 1 else [])
