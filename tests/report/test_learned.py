import json
from dataclasses import replace

import numpy as np
import pytest

from lib.config.loader import dump_config
from lib.dataset.keypoints import SHARED_KEYPOINTS, joint_mapping
from lib.ignoring.weight_table import WeightTable, write_weight_table
from lib.label_noise.source import read_source
from lib.report.learned import name_weights, read_learned_weights, refuse_baseline, shifted_joints
from lib.utils.errors import InputError
from tests.factories.data_sets import coco_image, coco_person, write_coco
from tests.factories.reports import JOINTS, annotations_of, learned_weights, make_run
from tests.factories.suspects import suspects_of


def test_labels_that_count_and_labels_that_were_visited():
    visible = np.ones((1, JOINTS), int)
    visible[0, 2] = 0
    seen = np.zeros((1, JOINTS), int)
    seen[0, :3] = 1
    learned = learned_weights(np.zeros((1, JOINTS)), visible=visible, seen=seen)
    assert np.flatnonzero(learned.visited).tolist() == [0, 1]
    assert learned.labelled.sum() == JOINTS - 1
    assert learned.wrong is None and not learned.has_both_classes and learned.model == "target"


def test_both_classes_are_looked_for_among_the_labelled_keypoints():
    wrong = np.zeros((1, JOINTS), bool)
    wrong[0, 2] = True
    visible = np.ones((1, JOINTS), int)
    assert learned_weights(np.zeros((1, JOINTS)), visible=visible, wrong=wrong).has_both_classes
    visible[0, 2] = 0
    assert not learned_weights(np.zeros((1, JOINTS)), visible=visible, wrong=wrong).has_both_classes


def test_names_and_indices_of_sets_of_weights(tmp_path):
    both = [learned_weights(np.zeros((1, JOINTS)), place=place) for place in "BA"]
    runs = [make_run(tmp_path / name, name) for name in ("ours5", "baseline2", "ours1")]
    named = name_weights(runs, [both, [], both[:1]])
    assert [weights[:2] for weights in named] == [
        ("ours5, weights B", 0),
        ("ours5, weights A", 3),
        ("ours1", 2),
    ]
    assert [weights.name for weights in name_weights(runs[:1], [both])] == ["weights B", "weights A"]


def test_the_head_is_shifted_between_coco_and_mpii(tmp_path):
    annotations = annotations_of(np.ones((1, JOINTS), int))
    assert shifted_joints(make_run(tmp_path), annotations) == {"head": ("nose", "head_top")}
    of_mpii = replace(annotations, mapping=joint_mapping("mpii", SHARED_KEYPOINTS))
    assert shifted_joints(make_run(tmp_path), of_mpii) == {}


@pytest.fixture
def run(tmp_path):
    """A run on two people, as far as its weights are read; their annotators are ann and not given."""
    people = [coco_person(9, 1, annotator="ann"), coco_person(4, 1)]
    write_coco(tmp_path / "coco", people, [coco_image(1)])
    weights = {"B": {"file": "ignoring_weights.csv"}}
    run = make_run(tmp_path / "run", settings={"DATASET_SRC.ROOT": str(tmp_path / "coco")}, weights=weights)
    (run.folder / "config.yaml").write_text(dump_config(run.config))
    annotations, _ = read_source(run.config)
    table = np.full((2, JOINTS), 1 / 3)
    write_weight_table(
        run.folder / "ignoring_weights.csv", annotations, WeightTable(table, np.ones((2, JOINTS), int))
    )
    return run


def test_weights_and_annotators_are_read(run):
    (learned,) = read_learned_weights(run)
    assert (learned.place, learned.file) == ("B", "ignoring_weights.csv")
    assert dict(zip(learned.annotations.ids.tolist(), learned.annotators)) == {9: "ann", 4: ""}
    assert (learned.weights == 1 / 3).all() and (learned.scores == 1 - 1 / 3).all() and learned.truth is None
    (run.folder / "ignoring_weights.npz").unlink()
    assert (read_learned_weights(run)[0].weights == 1 / 3).all()


def test_a_baseline_has_no_weights(tmp_path):
    assert read_learned_weights(make_run(tmp_path, "baseline2", weights=None)) == []


def test_a_baseline_is_named_where_weights_are_wanted(tmp_path):
    results = {"mode": "baseline2", "seed": 0, "test": {"PCKh": {"Mean": 1.0}}, "output": "o", "log": "l"}
    (tmp_path / "results.json").write_text(json.dumps(results | {"weights": {}}))
    with pytest.raises(InputError) as error:
        refuse_baseline(tmp_path)
    assert str(tmp_path) in str(error.value) and "baseline2" in str(error.value)
    (tmp_path / "results.json").write_text(json.dumps(results | {"weights": {"B": {"file": "w.csv"}}}))
    refuse_baseline(tmp_path)
    refuse_baseline(tmp_path / "not_finished")


@pytest.mark.parametrize(
    "weights", [{"C": {"file": "w.csv"}}, {"B": {}}, {"B": 3}, {"B": {"file": "../w.csv"}}]
)
def test_summaries_of_no_run_are_an_error(run, weights):
    run.results["weights"] = weights
    with pytest.raises(InputError, match=r"results.json: weights: .*'[BC]'"):
        read_learned_weights(run)


def test_what_was_judged_is_read_with_its_estimate(run):
    """From both files; the scores rank labels in place of the weights, also those of no batch."""
    annotations, _ = read_source(run.config)
    probability = np.linspace(0, 1, 2 * JOINTS).reshape(2, JOINTS)
    ones = np.ones((2, JOINTS), int)
    table = WeightTable(ones / 3, 0 * ones, probability * 9, suspects_of(probability))
    write_weight_table(run.folder / "ignoring_weights.csv", annotations, table)
    estimate = {"labels": 26, "wrong": 13.0, "low": 1.0, "high": 20.0, "flagged": 13, "precision": 0.75,
                "kinds": {"moved": 13}}  # fmt: skip
    run.results["weights"]["B"]["wrong_labels"] = estimate
    for _ in range(2):
        (learned,) = read_learned_weights(run)
        assert learned.estimate.flagged == 13 and learned.estimate.high == 20
        assert learned.suspects.probability == pytest.approx(probability, abs=1e-4)
        assert (learned.known == learned.labelled).all() and not learned.visited.any()
        assert (learned.detector == learned.scores).all() and (
            learned.doubt == learned.suspects.probability
        ).all()
        (run.folder / "ignoring_weights.npz").unlink(missing_ok=True)


def test_weights_rank_labels_that_were_not_judged(run):
    (learned,) = read_learned_weights(run)
    assert learned.suspects is None and learned.estimate is None
    assert (learned.detector == -learned.weights).all() and (learned.known == learned.visited).all()
