from dataclasses import asdict
from pathlib import Path

import pytest

from lib.report.estimates import read_estimate
from lib.utils.errors import InputError
from lib.wrong_labels.estimate import Estimate

PATH = Path("run/results.json")
ESTIMATE = Estimate(labels=50, wrong=5.5, low=4.0, high=8.0, flagged=6, precision=0.75, kinds={"moved": 6})


def test_an_estimate_is_read_as_it_was_written():
    written = asdict(ESTIMATE) | {"auroc": 0.9, "average_precision": 0.8}  # measured against the truth
    assert read_estimate(PATH, {"file": "w.csv", "wrong_labels": written}) == ESTIMATE


@pytest.mark.parametrize("summary", [{"file": "w.csv"}, {"wrong_labels": None}])
def test_runs_of_earlier_versions_have_none(summary):
    assert read_estimate(PATH, summary) is None


def test_nothing_flagged_has_no_precision():
    written = asdict(ESTIMATE) | {"flagged": 0, "precision": None, "kinds": {}}
    (_, line) = read_estimate(PATH, {"wrong_labels": written}).lines()
    assert line.startswith("no label is flagged")


@pytest.mark.parametrize(
    "changes",
    [
        {"wrong": "5"},
        {"low": None},
        {"kinds": ["moved"]},
        {"kinds": {"moved": None}},
        {"labels": True},
        {"high": 10**400},
        {"wrong": float("nan")},
        {"precision": "high"},
    ],
)
def test_other_content_is_an_error(changes):
    with pytest.raises(InputError, match=r"run/results.json: weights: wrong_labels: expected numbers"):
        read_estimate(PATH, {"wrong_labels": asdict(ESTIMATE) | changes})
