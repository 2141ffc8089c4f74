import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from lib.dataset.skeleton import Skeleton
from lib.utils.json_files import write_results
from lib.wrong_labels.estimate import estimate
from lib.wrong_labels.judge import judge
from tests.factories.readings import FAILING, PEOPLE, SURE, planted, trusted, unread

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def estimated(case, kinds, known):
    judgement = judge(case.readings, known, PEOPLE, seed=0)
    labelled = case.readings.labelled
    return judgement, estimate(judgement, labelled, np.where(judgement.probability > 0.5, kinds, "right"))


@pytest.mark.parametrize("network", [SURE, FAILING])
@pytest.mark.parametrize("share", [0.0, 0.04, 0.15])
def test_the_truth_is_within_the_interval(share, network):
    shares = {"exchanged": share, "person sides": share, "moved": share}
    case, kinds = planted(120, shares, seed=7, **network)
    _, found = estimated(case, kinds, trusted(**network))
    assert found.low <= case.wrong.sum() <= found.high
    assert found.low <= found.wrong <= found.high
    assert found.labels == case.wrong.size and found.wrong == pytest.approx(
        case.wrong.sum(), abs=0.05 * found.labels
    )


@pytest.fixture(scope="module")
def found():
    case, kinds = planted(100, {"exchanged": 0.2, "moved": 0.1}, **SURE)
    return case, *estimated(case, kinds, trusted(**SURE))


def test_flagged_labels_are_counted_by_kind_the_most_frequent_first(found):
    _, judgement, counted = found
    flagged = judgement.probability > 0.5
    assert counted.flagged == flagged.sum() == sum(counted.kinds.values())
    assert counted.precision == pytest.approx(judgement.probability[flagged].mean())
    assert list(counted.kinds)[:2] == ["moved", "exchanged"]
    assert list(counted.kinds.values()) == sorted(counted.kinds.values(), reverse=True)


def test_the_interval_is_the_sampling_of_instances_and_twice_or_half_the_failures(found):
    case, judgement, counted = found
    labelled = case.readings.labelled
    kinds, failures = judgement.explanation.kinds[labelled], judgement.model.failures
    per_instance = judgement.probability.sum(axis=1)
    sampling = 1.96 * np.sqrt(((per_instance - per_instance.mean()) ** 2).sum())

    def beyond(factor):
        """Wrong labels if every ``factor`` times ``failures`` of the right ones only look wrong."""
        shares, own = kinds.mean(axis=0), factor * failures
        right = shares[0] / (1 - own.sum())
        return sum(max(shares[k] - own[k] * right, 0) for k in range(1, 5)) * len(kinds)

    most, least = beyond(0.5), beyond(2)
    assert counted.high == pytest.approx(
        counted.wrong + np.hypot(sampling, max(most - counted.wrong, 0)), rel=1e-6
    )
    assert counted.low == pytest.approx(
        counted.wrong - np.hypot(sampling, max(counted.wrong - least, 0)), rel=1e-6
    )


def test_lines_are_for_people(found):
    first, second = found[2].lines()
    assert f"of {found[2].labels} labels are wrong" in first and "between" in first
    assert second.startswith(f"{found[2].flagged} are flagged") and "exchanged" in second
    nothing = replace(found[2], flagged=0, kinds={}, precision=float("nan"))
    assert "no label is flagged" in nothing.lines()[1]


def test_as_json_it_has_no_nan(found, tmp_path):
    write_results(tmp_path / "r.json", asdict(replace(found[2], precision=float("nan"))))
    written = json.loads((tmp_path / "r.json").read_text(), parse_constant=pytest.fail)
    assert written["precision"] is None and written["kinds"] == found[2].kinds


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("labels", [True, False])
def test_few_or_no_labels(count, labels):
    readings = planted(count, {})[0].readings
    source = readings if labels else unread(readings)
    judgement = judge(source, unread(readings), Skeleton.of(PEOPLE.names), seed=0)
    found = estimate(judgement, source.labelled, np.full(source.labelled.shape, "right"))
    assert found.labels == source.labelled.sum()
    assert 0 <= found.low <= found.wrong <= found.high <= found.labels
    assert found.lines()
