"""Whether the weights of a run will rank labels."""

import pytest

from lib.config.schema import Config, IgnoringConfig
from lib.doctor.findings import Level
from lib.doctor.method import check_method
from lib.ignoring.modes import MODES


@pytest.mark.parametrize(
    ("variables", "level"), [("online", Level.WARNING), ("persistent", Level.OK), ("loss_aware", Level.OK)]
)
def test_variables(variables, level):
    config = Config(lbi=IgnoringConfig(variables=variables))
    (finding,) = check_method(config, MODES["ours1"])
    assert finding.level is level and variables in finding.result
    assert check_method(config, MODES["baseline2"]) == []
