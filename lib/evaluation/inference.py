"""Run a pose network over a data set: joints in image pixels, with loss and heatmap accuracy."""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lib.config.schema import Config
from lib.dataset.heatmap import to_image
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.loader import drop_unreadable, evaluation_batches
from lib.evaluation.pck import heatmap_accuracy
from lib.models.loss import OverPixels, keypoint_losses
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError
from lib.utils.log import LOG
from lib.utils.progress import track


@dataclass(frozen=True)
class Predictions:
    """Predictions for the N annotations whose image could be read.

    index: [N] positions among the annotations, ascending.
    joints: [N, J, 2] x and y in image pixels, counted from 0.
    scores: [N, J] heights of the heatmaps' peaks.
    loss: SimpleBaseline's JointsMSELoss, the mean over instances, joints and heatmap pixels; NaN without labels,
        as on detected boxes.
    accuracy: `heatmap_accuracy` in [0, 1], mean over the joints of all batches that have a label for them;
        NaN without labels.
    """

    index: np.ndarray
    joints: np.ndarray
    scores: np.ndarray
    loss: float
    accuracy: float


@dataclass(frozen=True)
class InferenceOptions:
    """How a network is run over a data set.

    batch_size: images per batch; the flip test runs twice as many on a GPU.
    workers: processes that read images; 0 reads in this one.
    flip_test: average the heatmaps with those of the mirrored image.
    shift_heatmap: see `flip_back`.
    on_bad_image: 'raise' or 'skip' annotations whose image cannot be read.
    group: ranks that share the batches.
    """

    batch_size: int
    workers: int
    flip_test: bool
    shift_heatmap: bool
    on_bad_image: str
    group: Group = ALONE


def inference_options(config: Config, group: Group = ALONE) -> InferenceOptions:
    """Collect the options from the settings TEST, WORKERS and DATASET.ON_BAD_IMAGE."""
    test = config.test
    return InferenceOptions(
        batch_size=test.batch_size,
        workers=config.workers,
        flip_test=test.flip_test,
        shift_heatmap=test.shift_heatmap,
        on_bad_image=config.dataset.on_bad_image,
        group=group,
    )


def flip_back(heatmaps: Tensor, flip_indices: list[int], shift: bool) -> Tensor:
    """Map the heatmaps of mirrored images to those of the original images (SimpleBaseline's `flip_back`).

    Args:
        heatmaps: [N, J, h, w] heatmaps of mirrored images.
        flip_indices: [J] joint j becomes joint ``flip_indices[j]`` in the mirrored image.
        shift: move the result one pixel to the right (TEST.SHIFT_HEATMAP). Mirroring the image, x -> W - 1 - x,
            displaces joints by 3/4 of a heatmap pixel to the left (with a stride of 4), so that 1/4 remains.

    Returns:
        [N, J, h, w]; with ``shift`` the first column stands twice and the last one is lost.
    """
    back = heatmaps.flip(-1)[:, flip_indices]
    if shift:
        back = torch.cat([back[..., :1], back[..., :-1]], dim=-1)
    return back


def flip_test_heatmaps(
    model: nn.Module, images: Tensor, flip_indices: list[int], shift: bool, single_pass: bool
) -> Tensor:
    """Average the heatmaps of images and of mirrored images.

    Args:
        model: network in evaluation mode, [N, 3, H, W] to [N, J, h, w].
        images: [N, 3, H, W].
        flip_indices: [J], see `flip_back`.
        shift: see `flip_back`.
        single_pass: run one batch of 2 N images, which uses a GPU better; two batches of N are faster on a CPU.

    Returns:
        [N, J, h, w] heatmaps.
    """
    if single_pass:
        upright, flipped = model(torch.cat([images, images.flip(-1)])).chunk(2)
    else:
        upright, flipped = model(images), model(images.flip(-1))
    return (upright + flip_back(flipped, flip_indices, shift)) / 2


def estimate_heatmaps(
    model: nn.Module, images: Tensor, flip_indices: list[int] | None, shift: bool
) -> Tensor:
    """Compute heatmaps, with the flip test if ``flip_indices`` are given.

    Args:
        model: network in evaluation mode, on the device of ``images``.
        images: [N, 3, H, W].
        flip_indices: [J], see `flip_back`, or None for no flip test.
        shift: see `flip_back`; unused without the flip test.

    Returns:
        [N, J, h, w] heatmaps, float32, on the device of ``images``.
    """
    if flip_indices is None:
        return model(images).float()
    return flip_test_heatmaps(model, images, flip_indices, shift, single_pass=images.is_cuda).float()


@torch.no_grad()
def predict(
    model: nn.Module,
    dataset: KeypointDataset,
    device: torch.device,
    options: InferenceOptions,
) -> Predictions:
    """Run a network over a data set.

    Every rank of ``options.group`` must call this; each runs its part of the batches and gets the predictions
    for the whole data set, equal to the last bit to those of a single process.

    Args:
        model: network on ``device``; run in evaluation mode and set back to its mode (training or evaluation,
            as a whole) afterwards.
        dataset: images and labels.
        device: where the model runs.
        options: batch size, flip test, ranks.

    Returns:
        The predictions as NumPy arrays, thus on the CPU.

    Raises:
        InputError: an image cannot be read and ``options.on_bad_image`` is 'raise', or no image of a batch can.
    """
    was_training = model.training
    model.eval()
    annotations, codec = dataset.annotations, dataset.codec
    group = options.group
    flip_indices = dataset.flip_indices if options.flip_test else None
    results: list[tuple] = []
    problems: list[str] = []
    pin = device.type == "cuda"
    batches = evaluation_batches(dataset, options.batch_size, options.workers, pin, group)
    for batch in track(batches, "evaluating"):
        batch, unreadable = drop_unreadable(batch, options.on_bad_image)
        problems += unreadable
        if not len(batch.index):
            raise InputError(f"no readable image in this batch, e.g. {unreadable[0]}")
        outputs = estimate_heatmaps(model, batch.image.to(device), flip_indices, options.shift_heatmap).cpu()
        losses = keypoint_losses(outputs, batch.heatmaps, batch.target_weight, OverPixels.MEAN)

        # Peaks to joints in the image, by the crop of each annotation.
        index = batch.index.numpy()
        heatmaps = outputs.numpy()
        coords, peaks = codec.decode(heatmaps)
        joints = to_image(coords, annotations.centers[index], annotations.sizes[index], codec.heatmap_size)
        per_joint, _ = heatmap_accuracy(heatmaps, batch.heatmaps.numpy(), batch.target_weight.numpy())
        labels = int(batch.target_weight.count_nonzero())
        results.append((index, joints, peaks, per_joint, float(losses.sum()), labels))
    model.train(was_training)

    # All ranks' batches, in the order of the data set.
    for problem in itertools.chain(*group.all_gather_object(problems)):
        LOG.warning(problem)
    gathered = itertools.chain(*group.all_gather_object(results))
    index, joints, scores, accuracies, losses, labels = zip(*gathered)
    scores = np.concatenate(scores)
    accuracies = np.array(accuracies)
    known = ~np.isnan(accuracies)
    return Predictions(
        index=np.concatenate(index),
        joints=np.concatenate(joints),
        scores=scores,
        loss=sum(losses) / scores.size if sum(labels) else float("nan"),
        accuracy=float(accuracies[known].mean()) if known.any() else float("nan"),
    )
