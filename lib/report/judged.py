"""The report of labels that were judged by another network's predictions, without a training."""

from pathlib import Path

import numpy as np

from lib.report.gallery import galleries, suspect_and_trusted
from lib.report.learned import LearnedWeights
from lib.report.markup import element
from lib.report.page import document
from lib.report.parts import paragraph, section
from lib.report.single import GALLERY_COLUMNS
from lib.report.suspects import estimate_cards, suspects_overview
from lib.utils.files import write_text
from lib.wrong_labels.predictions import PredictedJudgement


def write_judged_report(judged: PredictedJudgement, path: Path, labels: Path, rows: int) -> Path:
    """Write the page: how many labels are wrong, of which kinds and joints, and the most suspect on their images.

    Args:
        judged: what was found.
        path: of the page.
        labels: the annotation file, for the page's words.
        rows: of GALLERY_COLUMNS images in each gallery.

    Returns:
        ``path``.
    """
    found = as_learned(judged)
    shown = suspect_and_trusted(found, rows * GALLERY_COLUMNS)
    points = judged.matched.points
    predictions = {i: points[i] for i, j in sum(shown, []) if np.isfinite(points[i, j]).all()}
    title = f"Labels of {labels.name}, judged by predictions"
    header = element(
        "header",
        {},
        paragraph("Learning By Ignoring · labels judged by predictions", kind="kind"),
        element("h1", {}, labels.name),
        paragraph(" ".join(f"{line[0].upper()}{line[1:]}." for line in judged.matched.lines())),
        element("div", {"class": "cards"}, estimate_cards(found)),
    )
    sections = [
        section("Labels", "labels", suspects_overview(found)),
        section("Example labels", "gallery", galleries(found, shown, predictions)),
    ]
    footer = element("footer", {}, "Labels of ", element("code", {}, str(labels)))
    write_text(path, document(title, [header, *sections, footer]))
    return path


def as_learned(judged: PredictedJudgement) -> LearnedWeights:
    """What was found, as the report of a training knows it; no weights were learned."""
    suspects = judged.found.suspects
    nothing = np.zeros(judged.found.scores.shape)
    return LearnedWeights(
        place="B",
        file="labels.csv",
        annotations=judged.annotations,
        weights=nothing,
        seen=nothing.astype(np.int64),
        scores=judged.found.scores,
        truth=None,
        annotators=None,
        suspects=suspects,
        estimate=judged.found.estimate,
    )
