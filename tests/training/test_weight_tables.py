"""The tables at the end of a run, from a state that was not trained."""

import csv
import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from lib.ignoring.suspects import Suspects
from lib.ignoring.weight_table import SUSPECTS, read_weight_table
from lib.training.weight_tables import judge_labels, learned_tables, write_weight_tables
from lib.utils.json_files import write_results
from lib.wrong_labels.estimate import Estimate
from lib.wrong_labels.find import WrongLabels
from tests.factories.training import finished_step, make_spec, make_state

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def trained(config, mode, **settings):
    spec = make_spec(config, mode, **settings)
    state = make_state(spec)
    finished_step(spec, state, seconds=1.0)
    return spec, state


def made_up(annotations):
    """Findings of ``annotations``: the first instance could not be read."""
    shape = annotations.visible.shape
    rng = np.random.default_rng(0)
    labelled = annotations.visible > 0
    labelled[0] = False
    probability = np.where(labelled, rng.random(shape), 0)
    suspects = Suspects(
        probability, np.where(labelled, np.where(probability > 0.5, "moved", "right"), ""),
        np.full(shape, -1), np.full((*shape, 2), np.nan), np.where(labelled, 0.5, 0),
    )  # fmt: skip
    flagged = int((probability > 0.5).sum())
    estimate = Estimate(int(labelled.sum()), 3.0, 1.0, 5.0, flagged, 0.75, {"moved": flagged})
    return WrongLabels(suspects, np.where(labelled, 10 * probability - 5, 0), estimate)


def test_the_suspects_stand_in_the_tables_of_all_weights_and_decide_their_order(config, caplog):
    spec, state = trained(config, "ours5")
    annotations = spec.data.source.annotations
    found = made_up(annotations)
    with caplog.at_level(logging.INFO):
        summary = write_weight_tables(spec, learned_tables(state), found)
    assert list(summary) == ["B", "A"]
    for place, of_place in summary.items():
        path = spec.paths.output / of_place["file"]
        table = read_weight_table(path, annotations)
        np.testing.assert_allclose(table.weights, state.variables[place].all_weights().numpy(), rtol=1e-6)
        np.testing.assert_allclose(table.suspects.probability, found.suspects.probability, atol=1e-4)
        rows = [row for row in csv.DictReader(path.open()) if row["rank"]]
        probabilities = [float(row["probability"]) for row in rows]
        assert probabilities == sorted(probabilities, reverse=True) and set(SUSPECTS) <= set(rows[0])
        # Those that could not be read are the last ones.
        unread = int((annotations.visible[0] > 0).sum())
        assert all(row["kind"] == "" for row in rows[-unread:]) and all(row["kind"] for row in rows[:-unread])
        assert (
            of_place["wrong_labels"]["wrong"] == 3.0
            and of_place["wrong_labels"]["kinds"] == found.estimate.kinds
        )
    assert caplog.text.count("labels are wrong") == 1
    write_results(spec.paths.output / "r.json", summary)
    assert json.loads((spec.paths.output / "r.json").read_text())["B"]["wrong_labels"]["precision"] == 0.75


def test_without_findings_the_order_is_the_weights_own(config):
    spec, state = trained(config, "ours1")
    summary = write_weight_tables(spec, learned_tables(state), None)
    table = read_weight_table(spec.paths.output / "ignoring_weights.csv", spec.data.source.annotations)
    assert table.suspects is None and "wrong_labels" not in summary["B"]
    np.testing.assert_allclose(table.scores, state.variables["B"].all_scores().numpy(), rtol=1e-6)


def test_where_the_truth_is_known_weights_and_scores_are_measured(config):
    spec, state = trained(config, "ours1", LBI__INJECT_NOISE="jitter:0.3")
    truth, found = spec.data.source_truth, made_up(spec.data.source.annotations)
    perfect = replace(found, scores=truth.corrupted.astype(float))
    summary = write_weight_tables(spec, learned_tables(state), perfect)["B"]
    assert 0 <= summary["auroc"] <= 1 and 0 <= summary["average_precision"] <= 1
    # The first instance, which could not be read, comes last.
    missed = truth.corrupted[0].sum() / truth.corrupted.sum()
    assert summary["wrong_labels"]["auroc"] == pytest.approx(1 - missed, abs=0.02)


def test_labels_are_judged_by_the_target_model(config):
    spec, state = trained(config, "ours1", LBI__FIND_WRONG_LABELS=True)
    found = judge_labels(spec, state)
    annotations = spec.data.source.annotations
    assert found.suspects.kind.shape == annotations.visible.shape
    assert np.isfinite(found.scores).all()
    assert found.estimate.labels <= (annotations.visible > 0).sum()
    assert state.models()["target"].model.training


@pytest.mark.parametrize("mode, asked", [("baseline2", True), ("ours1", False)])
def test_nobody_asks_where_no_weights_are_learned_or_the_setting_says_no(config, mode, asked):
    assert judge_labels(*trained(config, mode, LBI__FIND_WRONG_LABELS=asked)) is None
