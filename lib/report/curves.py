"""Curves over training, of one run or of several in one chart."""

from typing import NamedTuple

import numpy as np

from lib.report.charts import Series, line_chart, span
from lib.report.markup import Markup
from lib.report.parts import figure, spoken
from lib.report.runs import Run
from lib.report.style import series_style


class Curve(NamedTuple):
    """tags: {tag of metrics.jsonl: what tells it from the others}.   top: of the axis, None: as needed."""

    title: str
    unit: str
    tags: dict[str, str]
    reading: str
    top: float | None = None


CURVES = (
    Curve("PCKh@0.5 on validation", "percent", {"val/PCKh_Mean": "", "val_source_model/PCKh_Mean": "source model"},
          "Mean over the joints, higher is better. The best epoch is tested, or the last where these people are trained on."),
    Curve("PCK@0.1 on validation", "percent", {"val/PCK_Mean": "", "val_source_model/PCK_Mean": "source model"},
          "Mean over the joints, higher is better. The best epoch is tested, or the last where these objects are trained on."),
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
    Curve("AUROC of the weights", "AUROC",
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
    chart = line_chart(title, series, "training step", "weight", (0, series[0].x.max()), (0, 1))
    reading = "Left and right together, after every epoch. Parts that drift down are the ones that the validation people disagree with."
    return figure(title, chart, reading, [(s.name, s.colour, s.dash) for s in series])


def _figure(curve: Curve, runs: list[Run]) -> Markup | None:
    several, series = len(runs) > 1, []
    for number, run in enumerate(runs):
        recorded = [(kind, points) for tag, kind in curve.tags.items() if (points := run.curve(tag)) is not None]  # fmt: skip
        for nth, (kind, points) in enumerate(recorded):
            name = ", ".join(filter(None, (run.name if several else "", kind))) or "target model"
            # A run has the same colour in all charts; its second curve has one that no run has.
            series.append(Series(name, *points, *series_style(number + nth * len(runs))))
    if not series:
        return None
    top = curve.top or span(np.concatenate([s.y for s in series] + [[0.0]]))[1]
    last = max(s.x.max() for s in series)
    chart = line_chart(curve.title, series, "training step", curve.unit, (0, last), (0, top))
    entries = [(s.name, s.colour, s.dash) for s in series] if several or len(series) > 1 else []
    return figure(curve.title, chart, curve.reading, entries)
