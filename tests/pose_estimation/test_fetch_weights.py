"""fetch_weights.py, which downloads from a folder here instead of the network."""

import hashlib
import io
from types import SimpleNamespace

import pytest
import torch

from pose_estimation import fetch_weights

CONTENT = b"weights of a network"
NAME = f"resnet50-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def server(tmp_path, monkeypatch):
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setattr(fetch_weights, "weights_url", lambda depth: (folder / NAME).as_uri())
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_urls_name_the_published_files():
    files = [fetch_weights.weights_url(depth).rpartition("/")[2] for depth in (18, 34, 50, 101, 152)]
    assert files == [
        "resnet18-f37072fd.pth", "resnet34-b627a593.pth", "resnet50-0676ba61.pth",
        "resnet101-63fe2227.pth", "resnet152-394f9c45.pth",
    ]  # fmt: skip


def test_weights_are_fetched_once(server, tmp_path, capsys):
    (server / NAME).write_bytes(CONTENT)
    folder = tmp_path / "models" / "imagenet"
    assert fetch_weights.main(["50", "--folder", str(folder)]) == 0
    assert contents(folder) == {NAME: CONTENT}
    (server / NAME).unlink()
    assert fetch_weights.main(["50", "--folder", str(folder)]) == 0
    assert "exists" in capsys.readouterr().out


def test_damaged_file_is_fetched_again(server, tmp_path):
    (server / NAME).write_bytes(CONTENT)
    folder = tmp_path / "imagenet"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT[:-1])
    assert fetch_weights.main(["50", "--folder", str(folder)]) == 0
    assert contents(folder) == {NAME: CONTENT}


@pytest.mark.parametrize("served", [None, b"", CONTENT[:-1]])
def test_failure_is_reported_and_leaves_no_part_of_the_file(server, tmp_path, capsys, served):
    if served is not None:
        (server / NAME).write_bytes(served)
    folder = tmp_path / "imagenet"
    assert fetch_weights.main(["50", "--folder", str(folder)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: file://") and NAME in message
    assert contents(folder) == {}


def test_broken_connection_leaves_no_part_of_the_file(server, tmp_path, monkeypatch, capsys):
    class Broken(io.BytesIO):
        def info(self):
            return SimpleNamespace(get_all=lambda name: None)

        def read(self, size=-1):
            chunk = super().read(4)
            if not chunk:
                raise ConnectionResetError("connection reset by peer")
            return chunk

    monkeypatch.setattr(torch.hub, "urlopen", lambda *args, **kwargs: Broken(b"half a file"))
    folder = tmp_path / "imagenet"
    assert fetch_weights.main(["50", "--folder", str(folder)]) == 2
    assert "connection reset by peer" in capsys.readouterr().err
    assert contents(folder) == {}


def test_unknown_depth_is_refused(capsys):
    for depth in (10, 51):
        assert fetch_weights.main([str(depth)]) == 2
        error = capsys.readouterr().err
        assert error == f"error: torchvision has no ResNet-{depth}; expected 18, 34, 50, 101, 152\n"
