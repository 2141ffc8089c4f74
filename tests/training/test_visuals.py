"""The images of a run: which are written, their sizes, and that they show what they should."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib.training.visuals import COLUMNS, SAMPLES, Visuals
from tests.factories.training import RecordedMetrics, finished_step, make_spec, make_state


@pytest.fixture
def run(config):
    spec = make_spec(config)
    return spec, make_state(spec), RecordedMetrics()


def test_predictions_of_each_model(config):
    spec, writer = make_spec(config, "baseline3"), RecordedMetrics()
    state = make_state(spec)
    Visuals(spec, state, writer).write_predictions(("target", "source"))
    assert set(writer.images) == {f"pictures/validation_{role}_model" for role in ("target", "source")}
    image = writer.images["pictures/validation_target_model"]
    count = min(SAMPLES, len(spec.data.validation.dataset))
    rows = -(-count // COLUMNS)
    assert image.dtype == np.uint8 and image.shape[0] >= 2 * rows * 64 and image.shape[1] >= COLUMNS * 64
    assert np.ptp(image) > 100
    assert state.target.model.training  # as it was


def test_weights_of_source_labels(run):
    spec, state, writer = run
    visuals, weights = Visuals(spec, state, writer), np.ones(spec.data.source.annotations.visible.shape)
    visuals.write_source_weights("B", weights)
    trusted = writer.images["pictures/source_weights_B"]
    visuals.write_source_weights("B", 0 * weights)
    ignored = writer.images["pictures/source_weights_B"]
    assert trusted.shape == ignored.shape and (trusted != ignored).any()
    visuals.write_source_weights("A", weights)
    np.testing.assert_array_equal(writer.images["pictures/source_weights_A"], trusted)


@pytest.mark.parametrize(
    ("flags", "kinds"),
    [
        ({"debug": False}, set()),
        ({"debug": True}, {"batch_images_gt", "batch_images_pred", "heatmaps_gt", "heatmaps_pred"}),
        (
            {"debug": True, "save_heatmaps_pred": False},
            {"batch_images_gt", "batch_images_pred", "heatmaps_gt"},
        ),
    ],
)
def test_debug_images(run, flags, kinds):
    spec, state, writer = run
    every = {f"save_{kind}_{of}": True for kind in ("batch_images", "heatmaps") for of in ("gt", "pred")}
    debug = replace(spec.config.debug, **(every | flags))
    spec = replace(spec, config=replace(spec.config, debug=debug))
    step = finished_step(spec, state)
    Visuals(spec, state, writer).save_debug_images(step.samples.target, step.output.target_heatmaps)
    folder = spec.paths.output / "pictures"
    assert {path.name for path in folder.glob("*")} == {f"step_0000001_{kind}.jpg" for kind in kinds}
    for path in folder.glob("*"):
        assert cv2.imread(str(path)).shape[1] >= 6 * 64  # the batch side by side
