import cv2
import pytest
import torch

from tests.oracle.small_run import make_data, write_config

# The suite shares a small machine; one thread is also what makes sums repeat to the last bit.
torch.set_num_threads(1)
cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def config(tmp_path, data):
    return write_config(tmp_path, data)
