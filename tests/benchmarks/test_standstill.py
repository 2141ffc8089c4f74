import re

import numpy as np
import pytest

from benchmarks.standstill import Moment, lines, main, observe, standstill
from lib.utils.errors import InputError
from tests.factories.training import make_spec


@pytest.mark.parametrize(
    "aurocs, expected",
    [
        ([0.9], 0),
        ([0.5, 0.7, 0.895, 0.9], 2),
        ([0.5, 0.9, 0.8, 0.9], 3),
        ([0.9, 0.9], 0),
        ([0.5, 0.92, 0.9], 2),
    ],
)
def test_the_ranking_stands_still_once_it_stays_near_the_last_one(aurocs, expected):
    assert standstill(aurocs) == expected


def test_the_table_of_three_moments():
    scores = [np.array([[1.0, 2, np.nan]]), np.array([[1.0, 2, 3]]), np.array([[3.0, 2, 1]])]
    made = [
        Moment(10 * k, 1.5 * k, values, auroc)
        for k, values, auroc in zip((1, 2, 3), scores, (0.5, 0.9, 0.905))
    ]
    table = [line.split() for line in lines(made)]
    assert table[1] == ["10", "1.5", "-1.000", "0.500"]
    assert table[2] == ["20", "3.0", "1.000", "-1.000", "0.900"]
    assert table[3] == ["30", "4.5", "-1.000", "1.000", "0.905"]
    assert " ".join(table[4]) == "stands still after 3.0 visits (step 20): AUROC 0.900"


def test_a_run_is_observed_every_so_many_steps(config):
    spec = make_spec(config, LBI__VARIABLES="loss_aware")
    moments = observe(spec, 1)
    assert [moment.step for moment in moments] == [1, 2, 3, 4]
    # Six source people a step.
    labelled = spec.data.source.annotations.visible > 0
    visits = [moment.visits * labelled.sum() for moment in moments]
    assert visits == sorted(visits) and 0 < visits[0] <= 6 * labelled.shape[1]
    assert np.isfinite(moments[0].scores).sum() == pytest.approx(visits[0])
    assert all(0 <= moment.auroc <= 1 for moment in moments)


def test_settings_are_taken_from_the_command_line(config, tmp_path, capsys):
    main(["--cfg", str(config), "--noise", "jitter:0.3", "TRAIN.STEPS_PER_EPOCH", "1"])
    assert re.search(r"\n +1 +[\d.]+ .*\n +2 .*\nstands still after", capsys.readouterr().out)
    assert not list(tmp_path.glob("output"))  # what the run writes is removed


def test_it_is_said_what_cannot_be_observed(config):
    with pytest.raises(InputError, match="--every 9: the run has only 4 steps"):
        observe(make_spec(config), 9)
