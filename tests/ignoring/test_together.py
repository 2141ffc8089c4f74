"""Steps on 2 and 3 gloo processes against the single process on the same global batches, in float64."""

import pytest
import torch

from tests.oracle.processes import in_processes
from tests.oracle.together import CASES, all_cases, run_case

SIZES = (3, 2)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return in_processes(all_cases, SIZES, tmp_path_factory.mktemp("together"))


@pytest.mark.parametrize("name", CASES)
def test_processes_together_equal_one_alone(found, name):
    """Parameters, variables and records after 5 steps; 7 people divide neither by 2 nor by 3."""
    expected = run_case(CASES[name])
    assert expected["records"][-1]["losses"]
    for size in SIZES:
        for rank in range(size):
            torch.testing.assert_close(
                found[size][rank][name], expected, rtol=1e-10, atol=1e-10,
                msg=lambda text, where=f"{name}, process {rank} of {size}": f"{where}: {text}",
            )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_all_processes_have_the_same_to_the_last_bit(found, name):
    for size in SIZES:
        for other in found[size][1:]:
            torch.testing.assert_close(other[name], found[size][0][name], rtol=0, atol=0)
