"""The metrics of steps, weights and evaluations, calculated again by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.training.metric_logger import format_scores
from lib.training.weight_tables import learned_tables
from lib.utils.log import captured_messages
from lib.wrong_labels.metrics import auroc
from tests.factories.training import RecordedMetrics, finished_step, make_logger, make_spec, make_state

PIXELS = 16 * 16  # of a heatmap


@pytest.fixture
def run(config):
    spec = make_spec(config)
    state = make_state(spec)
    writer = RecordedMetrics()
    return spec, state, writer, make_logger(spec, state, writer)


def test_metrics_of_a_step(run):
    spec, state, writer, logger = run
    step = finished_step(spec, state, seconds=2.0)
    logger.log_step(step, waited=0.5)
    for name in ("target", "source"):
        assert writer.scalar_values[f"loss/{name}"] == (
            1,
            pytest.approx(float(step.output.losses[name]) / PIXELS),
        )
    assert writer.value("train/learning_rate_target") == spec.config.train.lr
    assert writer.value("train/seconds_per_step") == 2.0
    assert writer.value("train/waited_for_data") == 25.0
    hypergradient = step.output.hypergradients["B"].double()
    assert writer.value("hypergradient/B_norm") == pytest.approx(
        math.sqrt((hypergradient**2).sum()), rel=1e-5
    )
    assert 0 <= writer.value("train/accuracy") <= 100


def test_statistics_of_weights_are_in_annotation_order(run):
    spec, state, writer, logger = run
    step = finished_step(spec, state)
    source = step.samples.source
    weights, labelled = step.output.weights["B"].numpy(), source.target_weight.numpy() > 0
    weights[:, 0] = 0
    logger.log_step(step, waited=0.0)
    assert writer.value("weights_B/mean") == pytest.approx(weights[labelled].mean(), rel=1e-5)
    assert writer.value("weights_B/zero_share") == pytest.approx((weights[labelled] == 0).mean())
    np.testing.assert_allclose(np.sort(writer.histograms["weights_B/all"]), np.sort(weights[labelled]))
    # A flipped sample's value of one side belongs to the other side's joint.
    names, flipped = spec.data.joints, source.flipped.numpy()
    assert flipped.any() and not flipped.all()
    left, right = names.index("left_wrist"), names.index("right_wrist")
    own = np.where(flipped, weights[:, right], weights[:, left])
    own_labelled = np.where(flipped, labelled[:, right], labelled[:, left])
    assert writer.value("weights_B/mean_left_wrist") == pytest.approx(own[own_labelled].mean(), rel=1e-5)


def test_a_step_that_is_not_written_counts_its_samples_all_the_same(run):
    spec, state, writer, logger = run
    logger.log_step(finished_step(spec, state, seconds=1.0), waited=None)
    assert writer.scalar_values == {}
    logger.log_step(finished_step(spec, state, seconds=3.0), waited=2.0)
    assert logger.sample_count == 2 * (6 + 6)
    # Waiting and its time both count from the last step that was written, here the start.
    assert writer.value("train/waited_for_data") == 50.0
    logger.log_step(finished_step(spec, state, seconds=1.0), waited=0.25)
    assert writer.value("train/waited_for_data") == 25.0


def test_the_samples_of_all_ranks_count(run):
    spec, state, writer, logger = run
    step = finished_step(spec, state)
    samples = step.samples._replace(counts=((6, 7), (6, 5), ()))
    logger.log_step(replace(step, samples=samples), waited=None)
    assert logger.sample_count == 13 + 11


def test_metrics_of_the_weight_tables(run):
    spec, state, writer, logger = run
    values = torch.linspace(-3, 3, state.variables["B"].logits.numel()).reshape(
        state.variables["B"].logits.shape
    )
    state.variables["B"].logits.copy_(values)
    logger.log_weight_tables()
    weights, labelled = torch.sigmoid(values).numpy(), spec.data.source.annotations.visible > 0
    assert writer.value("weights_B_table/mean") == pytest.approx(weights[labelled].mean(), rel=1e-5)
    wrong = spec.data.source_truth.corrupted[labelled]
    assert writer.value("weights_B_table/auroc") == pytest.approx(
        auroc(-weights[labelled], wrong), nan_ok=True
    )
    j = spec.data.joints.index("left_hip")
    mean = weights[labelled[:, j], j].mean()
    assert writer.value("weights_B_table/mean_left_hip") == pytest.approx(mean, rel=1e-5)
    np.testing.assert_allclose(writer.histograms["weights_B_table/all"], weights[labelled], rtol=1e-5)
    assert "pictures/source_weights_B" in writer.images


def test_validation_gives_the_score_of_the_target_model(run):
    spec, state, writer, logger = run
    score = logger.log_validation(spec.phases[0], 0)
    assert score == writer.value("val/PCKh_Mean") and writer.value("val/loss") > 0
    assert "pictures/validation_target_model" in writer.images


def test_without_labels_no_loss_is_logged(run):
    spec, _, writer, logger = run
    validation = spec.data.validation
    labelled = validation.dataset.annotations
    unlabelled = replace(labelled, visible=np.zeros_like(labelled.visible))
    for annotations, shown in ((labelled, True), (unlabelled, False)):
        dataset = validation.dataset.with_annotations(annotations)
        logger.data = replace(spec.data, validation=replace(validation, dataset=dataset))
        with captured_messages() as messages:
            logger.log_validation(spec.phases[0], 0)
        (line,) = (message for message in messages if "validation of the target" in message)
        assert (" loss " in line) == shown == math.isfinite(writer.value("val/loss"))


@pytest.mark.parametrize(("role", "tag"), [("target", "test"), ("source", "test_source_model")])
def test_tags_of_an_evaluation(run, role, tag):
    spec, _, writer, logger = run
    result = {"PCKh": {"Mean": 50.0, "Head": 60.0}, "loss": 0.5, "accuracy": 7.0}
    logger.write_evaluation("test", role, spec.data.test, result)
    expected = {f"{tag}/PCKh_Mean": 50, f"{tag}/PCKh_Head": 60, f"{tag}/loss": 0.5, f"{tag}/accuracy": 7}
    assert {name: value for name, (_, value) in writer.scalar_values.items()} == expected


def test_format_of_scores():
    assert format_scores({"Head": 12.344, "Mean": 50.0}) == "Head 12.34  Mean 50.00"
    assert format_scores({"AP": 0.71249}) == "AP 0.712"


def test_the_ranking_is_compared_with_that_of_the_epoch_before(run):
    spec, state, writer, logger = run
    tag, variables = "weights_B_table/rank_correlation", state.variables["B"]
    variables.logits.copy_(torch.rand(variables.logits.shape))
    for epoch, sign in enumerate((1, 1, -1)):
        variables.logits.mul_(sign)
        variables.seen.fill_(epoch + 1)
        state.rank_labels()
        logger.log_weight_tables()
        assert (tag in writer.scalar_values) == (epoch > 0)
        assert epoch == 0 or writer.value(tag) == pytest.approx(sign)
    assert learned_tables(state)["B"][1]["rank_correlations"] == [1, -1]
