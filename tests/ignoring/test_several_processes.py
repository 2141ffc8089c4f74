"""Steps on 2 and 3 gloo processes against the single process on the same global batches, in float64."""

import pytest
import torch

from tests.harness.together import CASES, run_case


@pytest.mark.parametrize("name", CASES)
def test_processes_together_equal_one_alone(together, name):
    """Parameters, variables and records after the steps; 7 people divide neither by 2 nor by 3."""
    expected = run_case(CASES[name])
    assert expected["records"][-1]["losses"]
    for size, processes in together.items():
        for rank, found in enumerate(processes):
            torch.testing.assert_close(
                found["cases"][name], expected, rtol=1e-10, atol=1e-10,
                msg=lambda text, where=f"{name}, process {rank} of {size}": f"{where}: {text}",
            )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_all_processes_have_the_same_to_the_last_bit(together, name):
    for first, *others in together.values():
        for other in others:
            torch.testing.assert_close(other["cases"][name], first["cases"][name], rtol=0, atol=0)
