"""Whether the weights of a run will rank labels."""

from types import SimpleNamespace

import pytest

from lib.config.schema import Config, IgnoringConfig
from lib.doctor.findings import Level
from lib.doctor.method import check_method, check_trusted
from lib.ignoring.modes import MODES
from lib.ignoring.weight_doubts import LEAST_INSTANCES
from tests.factories.annotations import make_annotations


@pytest.mark.parametrize(
    ("variables", "level"), [("online", Level.WARNING), ("persistent", Level.OK), ("loss_aware", Level.OK)]
)
def test_variables(variables, level):
    config = Config(lbi=IgnoringConfig(variables=variables))
    (finding,) = check_method(config, MODES["ours1"])
    assert finding.level is level and variables in finding.result
    assert check_method(config, MODES["baseline2"]) == []


@pytest.mark.parametrize(
    ("count", "level"), [(LEAST_INSTANCES, Level.OK), (LEAST_INSTANCES - 1, Level.WARNING)]
)
def test_trusted_labels(count, level):
    validation = SimpleNamespace(dataset=SimpleNamespace(annotations=make_annotations(count)))
    data = SimpleNamespace(validation=validation, target=None)
    (finding,) = check_trusted(Config(), MODES["ours2"], data)
    assert finding.level is level and str(count) in finding.result
    assert check_trusted(Config(), MODES["baseline2"], data) == []
