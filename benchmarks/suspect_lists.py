"""Lists of suspect labels, one of each method, and their mixture in an order that gives no method away."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.csv_rows import SCORES, rows_of
from lib.dataset.annotations import Annotations, ReadOptions
from lib.dataset.keypoints import map_by_name
from lib.dataset.layouts import COCOFormatLayout
from lib.dataset.skeleton import Skeleton
from lib.ignoring.ranking import tie_keys
from lib.utils.errors import InputError, short_repr


@dataclass(frozen=True)
class Suspect:
    """A label that at least one list names.

    instance, joint: its position in the annotations.
    ranks: {list: its rank there, from 1}.
    """

    instance: int
    joint: int
    ranks: dict[str, int]


def read_source(data: Path, images: Path) -> Annotations:
    """The instances of a file in COCO's format, with all of its keypoints as joints."""
    layout = COCOFormatLayout(data.parent, image_folder_name=str(images.resolve()))
    category = layout.category(data.name)
    skeleton = Skeleton.of(category.keypoints, lines=category.lines)
    mapping = map_by_name(layout.name, category.keypoints, skeleton)
    return layout.read(data.name, mapping, ReadOptions(aspect=1.0))


def read_first(path: Path, annotations: Annotations, count: int) -> list[tuple[int, int]]:
    """The ``count`` labels of the highest scores in a CSV with annotation_id, joint and score.

    Equal scores are in a pseudo-random order that is the same in every list.

    Returns:
        (instance, joint) positions, the highest score first.

    Raises:
        InputError: a line is no score of a labelled keypoint, or names it again, or there are too few lines.
    """
    instance_of = {int(number): i for i, number in enumerate(annotations.ids)}
    joint_of = {name: j for j, name in enumerate(annotations.mapping.names)}
    scores: dict[tuple[int, int], float] = {}
    for where, row in rows_of(path, SCORES):
        number, name = row["annotation_id"], row["joint"]
        instance = instance_of.get(int(number)) if number.isascii() and number.isdigit() else None
        if instance is None:
            raise InputError(f"{where}: annotation_id {short_repr(number)} is none of the annotations")
        if name not in joint_of:
            raise InputError(f"{where}: joint {short_repr(name)} is none of {', '.join(joint_of)}")
        label = instance, joint_of[name]
        if not annotations.visible[label] > 0:
            raise InputError(f"{where}: {name} of annotation {number} is not labelled")
        if label in scores:
            raise InputError(f"{where}: {name} of annotation {number} is in the list twice")
        scores[label] = _finite(row["score"], where)
    if len(scores) < count:
        raise InputError(f"{path}: {len(scores)} labels, expected at least {count} (--first)")
    labels = np.array(list(scores))
    ties = tie_keys(annotations.ids[labels[:, 0]], labels[:, 1])
    order = np.lexsort((ties, -np.array(list(scores.values()))))[:count]
    return [(int(instance), int(joint)) for instance, joint in labels[order]]


def mixed(lists: dict[str, list[tuple[int, int]]], seed: int) -> list[Suspect]:
    """Every label of the ``lists`` once, in a random order of people that depends on the labels and the seed alone.

    Labels of one person follow each other, since which side is which has to be found out for each person.
    """
    ranks: dict[tuple[int, int], dict[str, int]] = {}
    for name, labels in lists.items():
        for rank, label in enumerate(labels, start=1):
            ranks.setdefault(label, {})[name] = rank
    people = sorted({instance for instance, _ in ranks})
    places = np.random.default_rng(seed).permutation(len(people))
    place_of = {instance: int(place) for instance, place in zip(people, places)}
    order = sorted(ranks, key=lambda label: (place_of[label[0]], label[1]))
    return [Suspect(*label, ranks[label]) for label in order]


def _finite(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: score {short_repr(text)} is not a finite number")
    return value
