from functools import partial

import cv2
import pytest
import torch

from tests.factories.small_run import make_data, write_config
from tests.harness.processes import in_processes
from tests.harness.together import everything

# The suite shares a small machine; one thread is also what makes sums repeat to the last bit.
torch.set_num_threads(1)
cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def together(tmp_path_factory, data):
    """{2, 3: [what everything() of tests.harness.together found in each of so many processes]}."""
    return in_processes(partial(everything, data), (3, 2), tmp_path_factory.mktemp("together"))


@pytest.fixture
def config(tmp_path, data):
    return write_config(tmp_path, data)
