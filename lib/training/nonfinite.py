"""Finds the keypoint and annotation that a number that is not finite belongs to."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from lib.dataset.annotations import Annotations
from lib.dataset.keypoint_dataset import Sample


class BatchTrace(NamedTuple):
    """A batch of a step and its losses.

    role: target, source or validation.
    annotations: those that ``sample.index`` refers to.
    losses: [N, J] of every pass of the batch through a model.
    """

    role: str
    sample: Sample
    annotations: Annotations
    losses: list[Tensor]


WHOLE_BATCH = ": so is every loss of the"


def most_specific(descriptions: list[str]) -> str:
    """Of the ranks' results of `locate_nonfinite`, one that names a keypoint, if there is any."""
    return min(descriptions, key=lambda text: (not text, text.startswith(WHOLE_BATCH)))


def locate_nonfinite(batches: list[BatchTrace], hypergradients: Iterable[Tensor]) -> str:
    """Describe where the first NaN or infinity is, to be appended to a message; empty if unknown.

    A keypoint is named only if others of its batch are finite: a diverged model spoils them all.

    Args:
        hypergradients: [N, J] of this rank's samples of the source batch.
    """
    spoilt = ""
    for batch in batches:
        for losses in batch.losses:
            bad = ~torch.isfinite(losses)
            if bad.any() and not bad.all():
                return f": the loss of {_first_keypoint(batch, losses, bad)}"
            if bad.any():
                spoilt = spoilt or f"{WHOLE_BATCH} {batch.role} batch"
    if spoilt:
        return spoilt
    for source in (batch for batch in batches if batch.role == "source"):
        for gradient in hypergradients:
            bad = ~torch.isfinite(gradient)
            if bad.any() and not bad.all():
                return f": that of {_first_keypoint(source, gradient, bad)}"
    return ""


def _first_keypoint(batch: BatchTrace, values: Tensor, bad: Tensor) -> str:
    i, j = bad.nonzero()[0].tolist()
    annotations, row = batch.annotations, int(batch.sample.index[i])
    names = annotations.mapping.names
    joint = names[annotations.mapping.flip_indices[j] if batch.sample.flipped[i] else j]
    more = int(bad.sum()) - 1
    return (
        f"{joint} of annotation {annotations.ids[row]} in {annotations.image_paths[annotations.image_index[row]]}"
        f" ({batch.role} batch) is {float(values[i, j])}" + (f", and {more} more" if more else "")
    )
