import pytest

from tests.oracle.small_run import make_data, write_config


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def config(tmp_path, data):
    return write_config(tmp_path, data)
