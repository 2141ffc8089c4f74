"""Which keypoint of which annotation a number that is not finite belongs to."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from lib.dataset.annotations import Annotations
from lib.dataset.keypoint_dataset import Sample
from lib.dataset.keypoints import flip_permutation


class Seen(NamedTuple):
    """A batch that a step saw.

    role: target, source or validation.   people: those that ``sample.index`` counts.
    passes: the losses [N, J] of every pass of the batch through a model.
    """

    role: str
    sample: Sample
    people: Annotations
    passes: list[Tensor]


EVERY_LOSS = ": so is every loss of the"


def most_specific(told: list[str]) -> str:
    """Of what ``locate_nonfinite`` knows in each process, that which names a keypoint, where one does."""
    return min(told, key=lambda text: (not text, text.startswith(EVERY_LOSS)))


def locate_nonfinite(batches: list[Seen], hypergradients: Iterable[Tensor]) -> str:
    """What is known, to be put behind a message; empty where nothing is.

    ``hypergradients`` [N, J] are of the source batch. A keypoint is named only where others of its batch
    are finite: a model that is spoilt itself spoils them all.
    """
    spoilt = ""
    for batch in batches:
        for losses in batch.passes:
            bad = ~torch.isfinite(losses)
            if bad.any() and not bad.all():
                return f": the loss of {_first(batch, losses, bad)}"
            if bad.any():
                spoilt = spoilt or f"{EVERY_LOSS} {batch.role} batch"
    if spoilt:
        return spoilt
    for source in (batch for batch in batches if batch.role == "source"):
        for gradient in hypergradients:
            bad = ~torch.isfinite(gradient)
            if bad.any() and not bad.all():
                return f": that of {_first(source, gradient, bad)}"
    return ""


def _first(batch: Seen, values: Tensor, bad: Tensor) -> str:
    i, j = bad.nonzero()[0].tolist()
    people, person = batch.people, int(batch.sample.index[i])
    names = people.mapping.names
    joint = names[flip_permutation(names)[j] if batch.sample.flipped[i] else j]
    more = int(bad.sum()) - 1
    return (
        f"{joint} of annotation {people.ids[person]} in {people.image_paths[people.image_index[person]]}"
        f" ({batch.role} batch) is {float(values[i, j])}" + (f", and {more} more" if more else "")
    )
