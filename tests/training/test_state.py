"""A state that several processes have together."""

import torch

from tests.factories.setups import learner


def test_processes_agree_on_the_mean_statistics_and_on_the_firsts_weights(together):
    weight = learner().model.conv1.weight
    for size, processes in together.items():
        for found in processes:
            one = found["agreed"]
            mean = torch.full_like(one["statistics"], sum(range(size)) / size)
            torch.testing.assert_close(one["statistics"], mean, rtol=0, atol=1e-12)
            assert torch.equal(one["weight"], weight)
            assert one["told"] == [
                "then",
                "target model: differs between ranks; using rank 0's copy",
            ]
