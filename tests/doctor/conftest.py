import shutil

import pytest

from tests.factories.excavators import JOINTS, make_set


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Data without a finding: source and target with the same joints, enough in V."""
    root, own = tmp_path_factory.mktemp("clean"), {name: name for name in JOINTS}
    make_set(root / "source", "train.json", "a", own, 16, seed=1)
    make_set(root / "target", "annotations/train.json", "train", own, 45, seed=2)
    make_set(root / "target", "annotations/test.json", "test", own, 4, seed=3)
    return root


@pytest.fixture
def root(clean, tmp_path):
    """A copy to be changed."""
    shutil.copytree(clean, tmp_path / "data")
    return tmp_path / "data"
