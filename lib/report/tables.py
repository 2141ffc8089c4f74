"""Mean weights of groups of labels: joints, images, annotators; and the tables of the last two."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lib.dataset.annotations import group_by_image
from lib.report.learned import Learned
from lib.report.markup import Markup, element
from lib.report.parts import counted, paragraph, percent, section, spoken, table

MOST_ROWS = 25  # of a table


class Group(NamedTuple):
    """Labels that belong together: how many people and labels, mean weight, shares in [0, 1].

    wrong: share of labels that are known to be wrong, NaN where nobody knows.
    lowest: (weight, joint) of the most ignored of them.
    """

    name: str
    people: int
    labels: int
    mean: float
    below_half: float
    wrong: float
    lowest: tuple[float, str]


def by_joint(learned: Learned) -> list[Group]:
    """One for each joint that has labels, the most ignored first."""
    names = learned.people.mapping.names
    masks = ((name, np.arange(len(names)) == j) for j, name in enumerate(names))
    return _sorted(_group(learned, name, learned.labelled & mask) for name, mask in masks)


def by_image(learned: Learned, count: int) -> list[Group]:
    """The ``count`` images with the lowest mean weight, of the labels that were ever in a batch."""
    people = learned.people
    weights, counted = np.where(learned.learned, learned.weights, 0), learned.learned
    total = np.bincount(people.image_index, weights.sum(axis=1), len(people.image_paths))
    labels = np.bincount(people.image_index, counted.sum(axis=1), len(people.image_paths))
    means = np.divide(total, labels, out=np.full(len(labels), np.inf), where=labels > 0)
    persons = {int(people.image_index[rows[0]]): rows for rows in group_by_image(people.image_index)}
    chosen = [p for p in np.argsort(means, kind="stable")[:count].tolist() if labels[p]]
    return [_group_of_people(learned, Path(people.image_paths[p]).name, persons[p]) for p in chosen]


def by_annotator(learned: Learned) -> list[Group]:
    """One for each annotator, the most ignored first; needs ``learned.annotators``."""
    names, group = np.unique(np.array(learned.annotators), return_inverse=True)
    groups = ((name, np.flatnonzero(group == g)) for g, name in enumerate(names.tolist()))
    return _sorted(_group_of_people(learned, name or "(not said)", rows) for name, rows in groups)


def _sorted(groups) -> list[Group]:
    return sorted((group for group in groups if group.labels), key=lambda group: group.mean)


def _group_of_people(learned: Learned, name: str, persons: np.ndarray) -> Group:
    mask = np.zeros_like(learned.learned)
    mask[persons] = True
    return _group(learned, name, learned.learned & mask)


def _group(learned: Learned, name: str, mask: np.ndarray) -> Group:
    persons, joints = np.nonzero(mask)
    weights = learned.weights[persons, joints]
    if not weights.size:
        return Group(name, 0, 0, np.nan, np.nan, np.nan, (np.nan, ""))
    first = int(weights.argmin())
    return Group(
        name,
        people=len(set(persons.tolist())),
        labels=weights.size,
        mean=float(weights.mean()),
        below_half=float((weights < 0.5).mean()),
        wrong=float("nan") if learned.wrong is None else float(learned.wrong[persons, joints].mean()),
        lowest=(float(weights[first]), learned.people.mapping.names[joints[first]]),
    )


def tables_section(learned: Learned, title: str, anchor: str) -> Markup:
    """Images and annotators by mean weight."""
    images = by_image(learned, MOST_ROWS)
    parts = [
        element("h3", {}, "Most ignored images"),
        paragraph(f"The {counted(len(images), 'image')} with the lowest mean weight, over labels that were in a batch: where to look first for bad annotation."),
        _groups("image", images, learned),
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
