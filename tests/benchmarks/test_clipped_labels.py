"""The benchmark of the order among clipped labels."""

import numpy as np
import pytest
import torch

from benchmarks.clipped_labels import TOPS, main, orders_of, unclipped_logits
from lib.ignoring.weight_table import WeightTable
from lib.utils.errors import InputError
from tests.factories.reports import JOINTS, annotations_of
from tests.factories.small_run import RUNS, run
from tests.factories.visits import random_visits, variables


def test_unclipped_logits_are_those_of_the_weights():
    found = variables("loss_aware").double()
    for gradient, batch in random_visits():
        found.update(gradient, batch)
    logits = torch.from_numpy(unclipped_logits(found.state_dict()))
    torch.testing.assert_close(logits.clamp(-6, 6).sigmoid(), found.all_weights())
    with pytest.raises(InputError, match="loss_aware"):
        unclipped_logits(variables("persistent").state_dict())


def test_orders():
    annotations = annotations_of(np.ones((2, JOINTS)))
    weights = np.full((2, JOINTS), 0.5)
    weights[1, 3] = 0.25
    scores = np.zeros((2, JOINTS))
    scores[1, 5] = 1
    table = WeightTable(weights, np.ones((2, JOINTS), int), scores)
    orders = orders_of(table, annotations, np.arange(2 * JOINTS).reshape(2, JOINTS), weights > 0)
    assert orders["order of the file"].tolist() == [JOINTS + 3, *(k for k in range(26) if k != JOINTS + 3)]
    assert orders["pseudo-random"][0] == JOINTS + 3 and sorted(orders["pseudo-random"]) == list(range(26))
    assert orders["unclipped logit"].tolist() == list(range(26))
    assert orders["score"][0] == JOINTS + 5


def test_the_table_of_a_run(config, capsys):
    assert run(config, "--ours1", "LBI.VARIABLES", "loss_aware") == 0
    capsys.readouterr()
    main([str(config.parent / "output" / RUNS / "ours1")])
    counts, header, *rows = capsys.readouterr().out.splitlines()
    assert "share the lowest weight" in counts and header.count("top") == len(TOPS) and len(rows) == 4
