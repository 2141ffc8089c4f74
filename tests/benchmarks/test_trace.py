"""The gradient trace against torch's autograd, label by label."""

import numpy as np
import pytest
import torch

from benchmarks.evidence.grounds import People
from benchmarks.evidence.ranking import source_losses
from benchmarks.evidence.trace import gradient_trace
from benchmarks.evidence.trial import Trial
from lib.dataset.loader import evaluation_batches
from lib.models.loss import keypoint_losses
from lib.models.pose_resnet import build_pose_resnet
from lib.training.batches import meta_dataset
from lib.utils.checkpoint import load_checkpoint
from tests.factories.small_run import make_data, write_config


def whole(dataset):
    (batch,) = evaluation_batches(dataset, len(dataset), 0, False)
    return batch


def test_the_trace_is_the_product_of_gradients(tmp_path):
    people = make_data(tmp_path)
    cfg = write_config(tmp_path, people)
    done = Trial(cfg, "baseline2", People(people, "none", 3), "jitter:0.5", 3, {}, tmp_path / "runs").train(
        "baseline2", {}
    )
    found = gradient_trace(done.config, done.data, done.best)

    model = build_pose_resnet(done.config.model)
    model.load_state_dict(load_checkpoint(done.best)["target_model"])
    model.eval()
    parameters = list(model.final_layer.parameters())

    def losses(dataset):
        batch = whole(dataset)
        return keypoint_losses(model(batch.image), batch.heatmaps, batch.target_weight)

    def gradient(loss):
        return torch.cat([g.ravel() for g in torch.autograd.grad(loss, parameters, retain_graph=True)])

    target = gradient(losses(meta_dataset(done.config.lbi, done.data)).mean())
    source = done.data.source
    source.augmentation = None
    of_labels = losses(source)
    np.testing.assert_allclose(
        of_labels.detach(), source_losses(done.config, done.data, done.best), rtol=1e-4, atol=1e-5
    )
    labelled = np.argwhere(source.annotations.visible > 0)
    for i, j in labelled[:: max(len(labelled) // 12, 1)]:
        expected = -float(gradient(of_labels[i, j]) @ target / target.norm())
        assert found[i, j] == pytest.approx(expected, rel=1e-3, abs=1e-6)
