"""The results of a run, from a state that was not trained."""

import csv
import json

import pytest
import torch

from lib.training.checkpoints import Checkpointer
from lib.training.final_test import run_final_test
from tests.factories.training import RecordedMetrics, finished_step, make_logger, make_spec, make_state


def test_results_are_of_the_best_epochs_models_and_the_last_weights(config):
    spec, writer = make_spec(config, "ours5"), RecordedMetrics()
    state = make_state(spec)
    finished_step(spec, state, seconds=3.0)
    state.best_epoch = 0
    Checkpointer(spec, state, lambda: 0).save_best()
    best = {name: tensor.clone() for name, tensor in state.target.model.state_dict().items()}
    finished_step(spec, state, seconds=1.0)
    assert not torch.equal(state.target.model.final_layer.weight, best["final_layer.weight"])

    path = run_final_test(spec, state, make_logger(spec, state, writer))
    for name, tensor in state.target.model.state_dict().items():
        assert torch.equal(tensor, best[name]), name

    results = json.loads(path.read_text())
    assert path == spec.paths.output / "results.json"
    assert (results["mode"], results["steps"], results["best_epoch"]) == ("ours5", 2, 0)
    assert results["seconds_per_step"] == 2.0 and results["output"] == str(spec.paths.output)
    assert results["test"]["people"] == 8 and results["val"]["people"] == len(spec.data.validation.dataset)
    assert results["source_model"].keys() == {"test", "val"}
    assert writer.value("test/PCKh_Mean") == pytest.approx(results["test"]["PCKh"]["Mean"])
    assert writer.value("test_source_model/loss") == pytest.approx(results["source_model"]["test"]["loss"])
    assert (spec.paths.output / "predictions.mat").exists()

    # B comes first and has the main file; the tables are those of the state, not of the checkpoint.
    files = {place: weights["file"] for place, weights in results["weights"].items()}
    assert files == {"B": "ignoring_weights.csv", "A": "ignoring_weights_source_model.csv"}
    labelled = spec.data.source.annotations.visible > 0
    for place, file in files.items():
        weights = state.variables[place].all_weights().numpy()[labelled]
        assert results["weights"][place]["mean"] == pytest.approx(weights.mean(), rel=1e-5)
        with open(spec.paths.output / file) as rows:
            table = [float(row["weight"]) for row in csv.DictReader(rows) if row["rank"]]
        assert len(table) == labelled.sum()
        assert sum(table) / len(table) == pytest.approx(weights.mean(), abs=1e-3)


def test_a_run_without_steps_or_best_epoch(config):
    spec, writer = make_spec(config, "baseline1"), RecordedMetrics()
    state = make_state(spec)
    before = {name: tensor.clone() for name, tensor in state.target.model.state_dict().items()}
    results = json.loads(run_final_test(spec, state, make_logger(spec, state, writer)).read_text())
    assert results["warnings"] == []
    assert results["best_epoch"] == -1 and results["weights"] == {} and results["source_model"] is None
    assert results["seconds_per_step"] is None
    for name, tensor in state.target.model.state_dict().items():
        assert torch.equal(tensor, before[name])
