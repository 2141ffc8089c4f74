"""Galleries of the most and the least suspect keypoints, drawn on their images."""

import base64

import cv2
import numpy as np

from lib.ignoring.ranking import one_per_instance, ranked_keypoints
from lib.ignoring.suspects import THRESHOLD
from lib.report.learned import LearnedWeights
from lib.report.markup import Markup, element, join
from lib.report.parts import display_name, paragraph, pluralize, section
from lib.report.predictions import BEST, predict_instances
from lib.report.runs import Run
from lib.visualization.labels import LABEL, PREDICTED, PROPOSED, RIGHT, draw_keypoint

MAX_JPEG_BYTES = 24_000  # a photograph of this size has about 12,000 bytes in the highest quality
QUALITIES = (80, 60, 40, 20)
Predictions = dict[int, np.ndarray]  # {instance: [J, 2] pixels of the image}


def gallery_section(run: Run, learned: LearnedWeights, count: int, title: str, anchor: str) -> Markup:
    """The section with the ``count`` most suspect and most trusted keypoints, one per instance."""
    keypoints = suspect_and_trusted(learned, count)
    instances = sorted({instance for instance, _ in sum(keypoints, [])})
    predictions = predict_instances(run, learned.model, learned.annotations, instances)
    missing = paragraph(f"The run has no {BEST}, so no predictions are shown.")
    content = [missing] * (not (run.folder / BEST).exists())
    return section(title, anchor, [*content, *galleries(learned, keypoints, predictions)])


def suspect_and_trusted(learned: LearnedWeights, count: int) -> tuple[list, list]:
    """(instance, joint) of the ``count`` most suspect and of the most trusted keypoints, one per instance."""
    joints, ids = learned.weights.shape[1], learned.annotations.ids
    suspect, trusted = (
        one_per_instance(ranked_keypoints(scores, learned.known, ids), joints, count)
        for scores in (learned.scores, -learned.scores)
    )
    return suspect, trusted


def galleries(learned: LearnedWeights, keypoints: tuple[list, list], predictions: Predictions) -> list:
    """A legend, and the pictures of the most suspect and of the most trusted keypoints."""
    content = [_legend(learned, bool(predictions))]
    if learned.suspects is None:
        headings = ("Most ignored", "Lowest weights among the labels that occurred in a batch"), (
            "Most trusted", "Highest weights among the labels that occurred in a batch",
        )  # fmt: skip
    else:
        headings = ("Most suspect", "Highest scores of all labels"), (
            "Most trusted", "Lowest scores of all labels",
        )  # fmt: skip
    for (heading, which), shown in zip(headings, keypoints):
        caption = f"{which}, one per instance, not selected by hand."
        content += [element("h3", {}, heading), paragraph(caption)]
        if shown:
            content.append(_grid(learned, shown, predictions))
        else:
            content.append(paragraph("Nothing is known of any labelled keypoint."))
    return content


def image_uri(drawing: np.ndarray) -> str:
    """Encode [H, W, 3] uint8 RGB as a JPEG data URI, in the best of ``QUALITIES`` that is small enough."""
    image = np.ascontiguousarray(drawing[..., ::-1])
    for quality in QUALITIES:
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if jpeg.size <= MAX_JPEG_BYTES:
            break
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _grid(learned: LearnedWeights, keypoints: list[tuple[int, int]], predictions: Predictions) -> Markup:
    cells = [_cell(learned, i, j, predictions.get(i)) for i, j in keypoints]
    return element("div", {"class": "gallery"}, cells)


def _cell(learned: LearnedWeights, i: int, j: int, predicted: np.ndarray | None) -> Markup:
    """Instance ``i`` with label ``j``; below it joint and weight, what is held of it, whether it is wrong, id and image."""
    annotations, weight, suspects = learned.annotations, learned.weights[i, j], learned.suspects
    joint = display_name(annotations.mapping.names[j])
    right = None if learned.truth is None else learned.truth.clean_joints[i, j]
    proposed = None
    if (
        suspects is not None
        and suspects.probability[i, j] > THRESHOLD
        and np.isfinite(suspects.proposed[i, j]).all()
    ):
        proposed, predicted = suspects.proposed[i, j], None  # often in the same place
    drawing = draw_keypoint(annotations, i, j, right, None if predicted is None else predicted[j], proposed)
    if drawing is None:
        path = annotations.image_paths[annotations.image_index[i]]
        image = element("div", {"class": "none"}, f"{path} cannot be read")
    else:
        alt = f"{joint} of annotation {annotations.ids[i]}"
        alt += f", weight {weight:.2f}" if learned.has_weights else ""
        alt += "" if suspects is None else f", {suspects.verdict(i, j)}"
        image = element("img", {"src": image_uri(drawing), "alt": alt})
    if suspects is None:
        lines: list[str] = [element("b", {}, f"{joint}: {weight:.2f}")]
        number = f"id {annotations.ids[i]}"
    else:
        verdict = suspects.verdict(i, j).replace(" %", "\N{NO-BREAK SPACE}%")
        lines = [element("b", {}, f"{joint}: {verdict}")]
        lines += filter(None, [suspects.reason(i, j, annotations.mapping.names)])
        number = f"weight {weight:.2f}, id" if learned.has_weights else "id"
        number += f" {annotations.ids[i]}"
    if learned.wrong is not None:
        kind = "wrong" if learned.wrong[i, j] else "correct"
        lines.append(element("span", {"class": kind}, f"{kind} label"))
    seen = f", seen {pluralize(int(learned.seen[i, j]), 'time')}" if learned.has_weights else ""
    lines.append(f"{number}{seen}")
    lines.append(annotations.image_names[annotations.image_index[i]])
    caption = [join([line, element("br")]) for line in lines]
    return element("figure", {}, image, element("figcaption", {}, caption))


def _legend(learned: LearnedWeights, with_predictions: bool) -> Markup:
    """What ring, square, diamond and cross mean; only the symbols that occur."""
    symbols = [("ring: label", LABEL, '<circle cx="10" cy="10" r="7"/>')]
    if with_predictions:
        square = '<rect x="4" y="4" width="12" height="12"/>'
        of_run = f" of the run's own {learned.model} model" if learned.has_weights else ""
        where = "" if learned.suspects is None else ", where nothing is proposed"
        symbols.append((f"square: prediction{of_run}{where}", PREDICTED, square))
    if learned.suspects is not None:
        diamond = '<path d="M10 2L18 10L10 18L2 10Z"/>'
        symbols.append(("diamond: proposed place of a label that is probably wrong", PROPOSED, diamond))
    if learned.truth is not None:
        symbols.append(("cross: true joint position", RIGHT, '<path d="M4 4L16 16M16 4L4 16"/>'))
    return element("div", {"class": "legend"}, [_symbol(*symbol) for symbol in symbols])


def _symbol(text: str, colour: tuple[int, int, int], shape: str) -> Markup:
    """A symbol with its meaning: the shape in ``colour`` on a wider black outline, as in the drawings."""

    def stroke(colour: str, width: float) -> Markup:
        return element("g", {"fill": "none", "stroke": colour, "stroke-width": width}, Markup(shape))

    strokes = [stroke("#000", 5), stroke(f"rgb{colour}", 2.5)]
    icon = element("svg", {"width": 20, "height": 20, "aria-hidden": "true"}, strokes)
    return element("span", {}, icon, text)
