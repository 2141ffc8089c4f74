"""One gradient trace at the end of a training: how much a step on each source label would cost the target."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from lib.config.schema import Config
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.loader import evaluation_batches
from lib.ignoring.batch import Batch
from lib.ignoring.hypergradient import losses_and_jvp, normalized, validation_gradient
from lib.ignoring.modes import MODES
from lib.training.batches import as_batch, meta_dataset
from lib.training.data import Data
from lib.training.state import Placement, TableShape, build_state
from lib.utils.checkpoint import load_checkpoint
from lib.utils.device import pick_device

LAYERS = ("final_layer",)


def gradient_trace(config: Config, data: Data, best: Path) -> np.ndarray:
    """- < grad L_V, grad l_ij > of every source label, [N, J], for the target model in ``best``.

    TracIn (Pruthi et al., NeurIPS 2020) with a single checkpoint, against the mean loss of the target's samples
    that ours1 learns its weights from, along the last layer (the whole network ranked worse on the development
    seeds). In units of the norm of grad L_V.
    """
    device, _ = pick_device(config.device, config.gpus)
    state = build_state(config, MODES["baseline2"], TableShape.of(data.source.annotations), Placement(device))
    state.load_models(load_checkpoint(best), str(best))
    model = dataclasses.replace(state.target, hypergradient_layers=LAYERS)
    model.model.eval()
    targets = meta_dataset(config.lbi, data)
    gradient, _ = validation_gradient(model, model.parameters, next(_batches(config, targets, len(targets))))
    direction = normalized(gradient).tensors
    plain = KeypointDataset(data.source.annotations, data.source.codec, None, config.dataset.color_rgb)
    with torch.no_grad():
        traces = [losses_and_jvp(model, batch, direction)[1] for batch in _batches(config, plain, config.test.batch_size)]  # fmt: skip
    return -torch.cat(traces).double().cpu().numpy()


def _batches(config: Config, dataset: KeypointDataset, size: int) -> Iterator[Batch]:
    """All samples of ``dataset`` in order, on the device."""
    device, _ = pick_device(config.device, config.gpus)
    for samples in evaluation_batches(dataset, size, config.workers, False):
        yield as_batch(samples.to(device), config.loss.use_target_weight)
