"""export.py: its check, its messages, and what it prints."""

import json
import sys

import pytest

from pose_estimation import export
from tests.factories.small_network import small_network, write_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path / "a.pth", small_network(), (64, 96), rgb=False)


def test_a_network_that_differs_is_not_kept(checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pose_estimation.export.largest_difference", lambda *_: 0.1)
    assert export.main(["--model-file", str(checkpoint), "--output", str(tmp_path / "net.ts")]) == 2
    assert "differ by 0.1" in capsys.readouterr().err and not (tmp_path / "net.ts").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_what_to_install_is_told(package, checkpoint, tmp_path, monkeypatch, capsys):
    if package == "onnxscript":
        pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx onnxscript onnxruntime")
    monkeypatch.setitem(sys.modules, package, None)
    assert export.main(["--model-file", str(checkpoint), "--output", str(tmp_path / "net.onnx")]) == 2
    error = capsys.readouterr().err
    assert f"the package {package}, which" in error and "pip install onnx onnxscript onnxruntime" in error
    assert not (tmp_path / "net.onnx").exists()


def test_images_to_check_with_and_the_description(checkpoint, tmp_path, capsys, data):
    words = ["--model-file", str(checkpoint), "--output", str(tmp_path / "net.ts"), "--describe"]
    assert export.main([*words, "--pictures", str(data / "mpii/images")]) == 0
    output = capsys.readouterr().out
    assert "checked on 4 crops" in output
    assert json.loads(output[output.index("{") : output.rindex("}") + 1])["color"] == "BGR"
    assert export.main([*words, "--pictures", str(checkpoint)]) == 2
    assert "cannot be read as an image" in capsys.readouterr().err


def test_unknown_ending(checkpoint, tmp_path, capsys):
    assert export.main(["--model-file", str(checkpoint), "--output", str(tmp_path / "net.bin")]) == 2
    assert ".onnx, .ts, .pt2" in capsys.readouterr().err
