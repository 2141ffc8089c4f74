"""A network over a data set: predicted joints in the images' own pixels, and how good they are."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lib.config.schema import Config
from lib.dataset.heatmap import to_image
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.loader import drop_unreadable, evaluation_batches
from lib.evaluation.pck import heatmap_accuracy
from lib.models.loss import keypoint_losses
from lib.utils.distributed import ALONE, Group
from lib.utils.log import with_progress


@dataclass(frozen=True)
class Predictions:
    """Of the N people whose image could be read.

    index: [N] positions among the annotations.   joints: [N, J, 2] pixels of the image, from 0.
    scores: [N, J] heights of the heatmaps' peaks.   loss: mean per heatmap pixel (SimpleBaseline's
    scale).   accuracy: share of heatmaps that peak at the right place (SimpleBaseline's PCK).
    """

    index: np.ndarray
    joints: np.ndarray
    scores: np.ndarray
    loss: float
    accuracy: float


@dataclass(frozen=True)
class InferenceOptions:
    """``group``: processes that share the people, each reading whole batches."""

    batch_size: int
    workers: int
    flip_test: bool
    shift_heatmap: bool
    on_bad_image: str
    group: Group = ALONE


def inference_options(config: Config, group: Group = ALONE) -> InferenceOptions:
    test = config.test
    return InferenceOptions(
        batch_size=test.batch_size,
        workers=config.workers,
        flip_test=test.flip_test,
        shift_heatmap=test.shift_heatmap,
        on_bad_image=config.dataset.on_bad_image,
        group=group,
    )


def mirrored(heatmaps: Tensor, flip_indices: list[int], shift: bool) -> Tensor:
    """Heatmaps [N, J, h, w] of mirrored images, as they would be of the images themselves.

    Mirroring x -> W - 1 - x is off by three quarters of a heatmap pixel; ``shift`` mends most of it.
    """
    back = heatmaps.flip(-1)[:, flip_indices]
    if shift:
        back = torch.cat([back[..., :1], back[..., :-1]], dim=-1)
    return back


def both_ways(
    model: nn.Module, images: Tensor, flip_indices: list[int], shift: bool, at_once: bool
) -> Tensor:
    """Mean of the heatmaps of ``images`` [N, 3, H, W] and of their mirror images (see ``mirrored``).

    at_once: one pass of 2 N images, which fills a GPU better. On a CPU two passes of N are faster.
    """
    if at_once:
        straight, back = model(torch.cat([images, images.flip(-1)])).chunk(2)
    else:
        straight, back = model(images), model(images.flip(-1))
    return (straight + mirrored(back, flip_indices, shift)) / 2


def estimate_heatmaps(
    model: nn.Module, images: Tensor, flip_indices: list[int] | None, shift: bool
) -> Tensor:
    """Heatmaps float32 [N, J, h, w] of ``images`` [N, 3, H, W]; with ``flip_indices`` [J], the flip test's."""
    if flip_indices is None:
        return model(images).float()
    return both_ways(model, images, flip_indices, shift, at_once=images.is_cuda).float()


@torch.no_grad()
def predict(
    model: nn.Module,
    dataset: KeypointDataset,
    device: torch.device,
    options: InferenceOptions,
    report: Callable[[str], None],
) -> Predictions:
    """Run ``model`` in evaluation mode over ``dataset``; ``report`` hears of unreadable images.

    Every process of the options' group gets everybody's predictions, the same as of one process alone.
    """
    was_training = model.training
    model.eval()
    people, codec = dataset.annotations, dataset.codec
    found, problems = [], []
    tell = report if options.group.size == 1 else problems.append
    pin = device.type == "cuda"
    batches = evaluation_batches(dataset, options.batch_size, options.workers, pin, options.group)
    for batch in with_progress(batches, "evaluating"):
        batch = drop_unreadable(batch, options.on_bad_image, tell)
        flip_indices = dataset.flip_indices if options.flip_test else None
        outputs = estimate_heatmaps(model, batch.image.to(device), flip_indices, options.shift_heatmap).cpu()
        loss = float(keypoint_losses(outputs, batch.heatmaps, batch.target_weight).sum())
        numbers = batch.index.numpy()
        heatmaps = outputs.numpy()
        coords, peaks = codec.decode(heatmaps)
        joints = to_image(coords, people.centers[numbers], people.sizes[numbers], codec.heatmap_size)
        per_joint, _ = heatmap_accuracy(heatmaps, batch.heatmaps.numpy(), batch.target_weight.numpy())
        found.append((numbers, joints, peaks, per_joint, loss))
    model.train(was_training)
    for problem in itertools.chain(*options.group.all_gather_object(problems)):
        report(problem)
    index, joints, scores, hits, losses = zip(*itertools.chain(*options.group.all_gather_object(found)))
    scores = np.concatenate(scores)
    hits = np.array(hits)
    known = ~np.isnan(hits)
    width, height = codec.heatmap_size
    return Predictions(
        index=np.concatenate(index),
        joints=np.concatenate(joints),
        scores=scores,
        loss=sum(losses) / (scores.size * width * height),
        accuracy=float(hits[known].mean()) if known.any() else float("nan"),
    )
