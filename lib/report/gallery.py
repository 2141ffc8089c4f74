"""Galleries: the most ignored and the most trusted keypoints of a run, drawn on their people."""

import base64

import cv2
import numpy as np

from lib.report.learned import Learned
from lib.report.markup import Markup, element, join
from lib.report.parts import counted, paragraph, section, spoken
from lib.report.predictions import BEST, predict_people
from lib.report.runs import Run
from lib.visualization.labels import LABEL, PREDICTED, RIGHT, draw_keypoint

LARGEST_JPEG = 24_000  # bytes; a photograph of this size in the first quality has some 12,000
QUALITIES = (80, 60, 40, 20)
Predictions = dict[int, np.ndarray]  # {person: [J, 2] pixels of the image}


def gallery_section(run: Run, learned: Learned, count: int, title: str, anchor: str) -> Markup:
    """The ``count`` most ignored and the most trusted keypoints, one for each person."""
    ignored = lowest(learned.weights, learned.learned, count)
    trusted = lowest(-learned.weights, learned.learned, count)
    persons = sorted({person for person, _ in ignored + trusted})
    predictions = predict_people(run, learned.model, learned.people, persons)
    parts = [_legend(learned, bool(predictions))]
    for name, chosen, meaning in (
        ("Most ignored", ignored, "The lowest weights"),
        ("Most trusted", trusted, "The highest weights"),
    ):
        reading = f"{meaning} of all labels that were in a batch, one a person, nothing selected by hand."
        shown = _grid(learned, chosen, predictions)
        nothing = paragraph("No labelled keypoint was ever in a batch.") if not chosen else None
        parts += [element("h3", {}, name), paragraph(reading), nothing or shown]
    if not (run.folder / BEST).exists():
        parts.insert(0, paragraph(f"The run keeps no {BEST} that could predict, so labels are shown alone."))
    return section(title, anchor, parts)


def lowest(weights: np.ndarray, among: np.ndarray, count: int) -> list[tuple[int, int]]:
    """(person, joint) of the keypoints ``among`` [N, J] with the lowest weights, one for each person."""
    order = np.argsort(np.where(among, weights, np.inf), axis=None, kind="stable")
    chosen: dict[int, int] = {}
    for keypoint in order[: int(among.sum())].tolist():
        if len(chosen) == count:
            break
        chosen.setdefault(*divmod(keypoint, weights.shape[1]))
    return list(chosen.items())


def image_uri(drawing: np.ndarray) -> str:
    """[H, W, 3] RGB as a JPEG inside a URI, in the best of ``QUALITIES`` that is small enough."""
    image = np.ascontiguousarray(drawing[..., ::-1])
    for quality in QUALITIES:
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if jpeg.size <= LARGEST_JPEG:
            break
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _grid(learned: Learned, chosen: list[tuple[int, int]], predictions: Predictions) -> Markup:
    cells = [_cell(learned, person, joint, predictions.get(person)) for person, joint in chosen]
    return element("div", {"class": "gallery"}, cells)


def _cell(learned: Learned, i: int, j: int, predicted: np.ndarray | None) -> Markup:
    """Person ``i`` with label ``j``; below: joint, weight, the truth if known, how often it was seen."""
    people, joint, weight = learned.people, spoken(learned.people.mapping.names[j]), learned.weights[i, j]
    right = None if learned.truth is None else learned.truth.clean_joints[i, j]
    drawing = draw_keypoint(people, i, j, right, None if predicted is None else predicted[j])
    if drawing is None:
        image = element(
            "div", {"class": "none"}, f"{people.image_paths[people.image_index[i]]} cannot be read"
        )
    else:
        text = f"{joint} of annotation {people.ids[i]}, weight {weight:.2f}"
        image = element("img", {"src": image_uri(drawing), "alt": text})
    lines = [element("b", {}, f"{joint}: {weight:.2f}")]
    if learned.wrong is not None:
        wrong = learned.wrong[i, j]
        verdict = "label really wrong" if wrong else "label really right"
        lines.append(element("span", {"class": "wrong" if wrong else "right"}, verdict))
    seen = int(learned.seen[i, j])
    lines.append(f"id {people.ids[i]}, seen {counted(seen, 'time')}")
    caption = [join([line, element("br")]) for line in lines]
    return element("figure", {}, image, element("figcaption", {}, caption))


def _legend(learned: Learned, predicted: bool) -> Markup:
    marks = [("ring: the label", LABEL, '<circle cx="10" cy="10" r="7"/>')]
    if predicted:
        drawing = '<rect x="4" y="4" width="12" height="12"/>'
        marks.append((f"square: what the run's own {learned.model} model predicts", PREDICTED, drawing))
    if learned.truth is not None:
        marks.append(("cross: where the joint really is", RIGHT, '<path d="M4 4L16 16M16 4L4 16"/>'))
    return element("div", {"class": "legend"}, [_mark(*mark) for mark in marks])


def _mark(text: str, colour: tuple[int, int, int], drawing: str) -> Markup:
    def stroked(stroke: str, width: int) -> Markup:
        return element("g", {"fill": "none", "stroke": stroke, "stroke-width": width}, Markup(drawing))

    drawn = [stroked("#000", 5), stroked(f"rgb{colour}", 2.5)]
    return element(
        "span", {}, element("svg", {"width": 20, "height": 20, "aria-hidden": "true"}, drawn), text
    )
