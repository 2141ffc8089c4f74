"""Means of groups of labels (joints, images, annotators), and tables of images and annotators."""

from typing import NamedTuple

import numpy as np

from lib.dataset.annotations import group_by_image
from lib.ignoring.ranking import ranked_keypoints, tie_keys
from lib.report.learned import LearnedWeights
from lib.report.markup import Markup, element
from lib.report.parts import display_name, paragraph, percent, pluralize, section, table

MAX_ROWS = 25  # of a table


class LabelGroup(NamedTuple):
    """Statistics of the labels of a joint, an image or an annotator.

    name: Name of the group.
    instances, labels: How many of them it has.
    mean: Mean weight.
    below_half: Share of the weights below 0.5, in [0, 1].
    wrong: Share of wrong labels, in [0, 1]; NaN if unknown.
    lowest: (weight, joint) of the most suspect label.
    doubt: Mean of `LearnedWeights.doubt`: of labels that were judged, the estimated share of wrong ones.
    """

    name: str
    instances: int
    labels: int
    mean: float
    below_half: float
    wrong: float
    lowest: tuple[float, str]
    doubt: float


def by_joint(learned: LearnedWeights) -> list[LabelGroup]:
    """A group for each joint with labels, lowest mean weight first."""
    names = learned.annotations.mapping.names
    masks = ((name, np.arange(len(names)) == j) for j, name in enumerate(names))
    groups = (_group(learned, name, learned.labelled & mask) for name, mask in masks)
    return sorted((group for group in groups if group.labels), key=lambda group: group.mean)


def by_image(learned: LearnedWeights, count: int) -> list[LabelGroup]:
    """The ``count`` images with the most doubt, on average over the labels that something is known about.

    Between equal means, those of the scores decide, then a hash: never the order of the file.
    """
    annotations = learned.annotations
    image_index, names = annotations.image_index, annotations.image_names
    # Means of all images at once; groups are built for the chosen ones only, as there may be many images.
    labels = np.bincount(image_index, learned.known.sum(axis=1), len(names))
    doubts, scores = (
        np.divide(
            np.bincount(image_index, np.where(learned.known, values, 0).sum(axis=1), len(names)),
            labels,
            out=np.full(len(names), -np.inf),
            where=labels > 0,
        )
        for values in (learned.doubt, learned.scores)
    )
    first_id = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first_id, image_index, annotations.ids)
    order = np.lexsort((tie_keys(first_id), -scores, -doubts))
    instances = {int(image_index[rows[0]]): rows for rows in group_by_image(image_index)}
    chosen = [image for image in order[:count].tolist() if labels[image]]
    return [_group_of_instances(learned, names[image], instances[image]) for image in chosen]


def by_annotator(learned: LearnedWeights) -> list[LabelGroup]:
    """A group for each annotator, most doubt first; ``learned.annotators`` must not be None."""
    names, group = np.unique(np.array(learned.annotators), return_inverse=True)
    groups = ((name, np.flatnonzero(group == g)) for g, name in enumerate(names.tolist()))
    found = [_group_of_instances(learned, name or "(unknown)", rows) for name, rows in groups]
    return sorted((group for group in found if group.labels), key=lambda group: -group.doubt)


def _group_of_instances(learned: LearnedWeights, name: str, instances: np.ndarray) -> LabelGroup:
    """The group of the labels of ``instances``, an array of indices, that something is known about."""
    mask = np.zeros_like(learned.known)
    mask[instances] = True
    return _group(learned, name, learned.known & mask)


def _group(learned: LearnedWeights, name: str, mask: np.ndarray) -> LabelGroup:
    """The group of the labels in ``mask`` [N, J]."""
    instances, joints = np.nonzero(mask)
    weights = learned.weights[instances, joints]
    if not weights.size:
        return LabelGroup(name, 0, 0, np.nan, np.nan, np.nan, (np.nan, ""), np.nan)
    first = int(ranked_keypoints(learned.scores, mask, learned.annotations.ids)[0])
    i, j = divmod(first, mask.shape[1])
    return LabelGroup(
        name,
        instances=len(set(instances.tolist())),
        labels=weights.size,
        mean=float(weights.mean()),
        below_half=float((weights < 0.5).mean()),
        wrong=float("nan") if learned.wrong is None else float(learned.wrong[instances, joints].mean()),
        lowest=(float(learned.weights[i, j]), learned.annotations.mapping.names[j]),
        doubt=float(learned.doubt[instances, joints].mean()),
    )


def tables_section(learned: LearnedWeights, title: str, anchor: str) -> Markup:
    """The section with images and annotators, the most doubtful first."""
    images = by_image(learned, MAX_ROWS)
    if learned.suspects is None:
        title_of_images, order = "Most ignored images", "lowest mean weight first"
        over = "lowest mean weight over labels that occurred in a batch"
    else:
        title_of_images, order = "Most suspect images", "largest share of wrong labels first, as estimated"
        over = "largest share of wrong labels, as estimated"
    parts = [
        element("h3", {}, title_of_images),
        paragraph(
            f"The {pluralize(len(images), 'image')} with the {over}; check these first for annotation errors."
        ),
        _table("image", images, learned),
        element("h3", {}, "Annotators"),
    ]
    if learned.annotators is None:
        parts.append(
            paragraph("The annotations have no field “annotator” or “annotator_id”, so there is no table.")
        )
    else:
        groups = by_annotator(learned)
        text = f"{pluralize(len(groups), 'annotator')}, {order}"
        text += f"; the first {MAX_ROWS} are shown." if len(groups) > MAX_ROWS else "."
        parts += [paragraph(text), _table("annotator", groups[:MAX_ROWS], learned)]
    return section(title, anchor, parts)


def _table(kind: str, groups: list[LabelGroup], learned: LearnedWeights) -> Markup:
    judged = learned.suspects is not None
    most = "most suspect joint" if judged else "most ignored joint"
    header = [kind, "instances", "labels", "mean weight", "below 0.5", most, "its weight"]
    rows = []
    for group in groups:
        weight, joint = group.lowest
        counts = [f"{group.instances:,}", f"{group.labels:,}"]
        statistics = [f"{group.mean:.2f}", percent(group.below_half)]
        rows.append([group.name, *counts, *statistics, display_name(joint), f"{weight:.2f}"])
    if judged:
        header.append("wrong, estimated")
        rows = [[*row, percent(group.doubt)] for row, group in zip(rows, groups)]
    if learned.wrong is not None:
        header.append("wrong labels")
        rows = [[*row, percent(group.wrong)] for row, group in zip(rows, groups)]
    return table(header, rows, texts=(header.index(most),))
