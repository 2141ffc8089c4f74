import json

import pytest

from lib.report.results import GROUPS, columns_of, groups_of, measure_of, read_results, rows_of
from lib.utils.errors import InputError

PCKH = {"PCKh": dict.fromkeys(GROUPS, 10.0) | {"Mean": 61.26, "Mean@0.1": None}}
PCK = {"PCK": {"bucket": 1.0, "Mean": 2.0, "OKS-AP": 3.0}}
RESULTS = {"mode": "ours2", "seed": 3, "test": PCKH, "output": "o", "log": "l"}


def read(tmp_path, **changes):
    (tmp_path / "results.json").write_text(json.dumps(RESULTS | changes))
    return read_results(tmp_path / "results.json")


def test_the_results_of_a_run_are_read(tmp_path):
    assert read(tmp_path, steps=5, seconds_per_step=None) == RESULTS | {"steps": 5, "seconds_per_step": None}


@pytest.mark.parametrize(
    "changes",
    [{"mode": 3}, {"seed": "0"}, {"test": {"PCKh": {"Head": 1.0}}}, {"test": {"PCKh": {"Mean": "high"}}},
     {"test": {"PCKh": {"Mean": 1e12}}}, {"steps": 1.5}, {"log": None}, {"weights": {"B": {"auroc": "x"}}},
     {"weights": {"B": {"wrong_labels": {"average_precision": "x"}}}}, {"weights": {"B": {"wrong_labels": 3}}},
     {"source_model": {"test": {}}}, {"retrained": {"mode": "ours2"}}],
)  # fmt: skip
def test_other_contents_are_an_error(tmp_path, changes):
    with pytest.raises(InputError, match="results.json: not the results of a run"):
        read(tmp_path, **changes)


def test_columns_are_those_of_the_measure():
    assert measure_of(RESULTS) == "PCKh" and measure_of(RESULTS | {"test": PCK}) == "PCK"
    assert groups_of([RESULTS, RESULTS]) == GROUPS
    assert groups_of([RESULTS | {"test": PCK}]) == ("bucket", "Mean", "OKS-AP")
    assert columns_of(("bucket",)) == ("mode", "bucket", "ms/step", "AUROC", "AP")


@pytest.mark.parametrize("other", [PCK, {"PCK": {"Mean": 2.0}}])
def test_other_joints_or_measures_share_no_table(other):
    with pytest.raises(InputError, match="PCK"):
        groups_of([{"test": PCK}, {"test": PCKH} if other == PCK else {"test": other}])


def test_rows_of_the_target_the_source_and_the_retrained_model():
    results = RESULTS | {
        "seconds_per_step": 0.1239,
        "weights": {"B": {"auroc": None}, "A": {"auroc": 0.876}},
        "source_model": {"test": PCKH},
        "retrained": {"test": PCKH},
    }
    target, source, retrained = rows_of(results, "ours2", ("Head", "Mean", "Mean@0.1", "Nose"))
    assert target == ["ours2", "10.0", "61.3", "-", "-", "124", "0.88", "-"]
    assert source == ["  its source model", "10.0", "61.3", "-", "-", "", "", ""]
    assert retrained == ["  retrained", "10.0", "61.3", "-", "-", "-", "-", "-"]


def test_scores_are_measured_in_place_of_weights():
    weights = {"auroc": 0.876, "average_precision": 0.654, "wrong_labels": None}
    assert rows_of(RESULTS | {"weights": {"B": weights}}, "ours1")[0][-2:] == ["0.88", "0.65"]
    judged = weights | {"wrong_labels": {"auroc": 0.985, "average_precision": 0.942}}
    assert rows_of(RESULTS | {"weights": {"B": judged}}, "ours1")[0][-2:] == ["0.98", "0.94"]
    unknown = {"wrong_labels": {"labels": 5}}  # no truth
    assert rows_of(RESULTS | {"weights": {"B": unknown}}, "ours1")[0][-2:] == ["-", "-"]
