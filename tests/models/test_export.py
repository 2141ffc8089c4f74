"""Exported networks against the network itself, and the description in the file."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.models.category import Category
from lib.models.export import TOLERANCE, can_run, describe, largest_difference, load_exported
from lib.models.trained import load_trained
from lib.predict.people import People
from lib.predict.poses import PoseEstimator
from lib.utils.errors import InputError
from pose_estimation import export
from tests.factories.small_network import small_network, write_checkpoint


def available(*packages):
    for package in packages:
        pytest.importorskip(
            package, reason=f"{package} is not installed: pip install onnx onnxscript onnxruntime"
        )


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path / "a.pth", small_network(), (64, 96), rgb=False)


@pytest.mark.parametrize("ending", [".onnx", ".ts", ".pt2"])
def test_export_is_checked_and_describes_itself(ending, checkpoint, tmp_path, capsys):
    if ending == ".onnx":
        available("onnx", "onnxscript", "onnxruntime")
    path = tmp_path / f"net{ending}"
    assert export.main(["--model-file", str(checkpoint), "--output", str(path)]) == 0
    assert "checked on 4 crops" in capsys.readouterr().out
    trained = load_trained(checkpoint)
    run, described = load_exported(path)
    assert described == describe(trained)
    for count in (1, 5):
        images = torch.randn(count, 3, 96, 64)
        with torch.no_grad():
            assert torch.allclose(run(images), trained.network(images), atol=1e-4)
    assert str(tmp_path).encode() not in path.read_bytes() and [p.name for p in tmp_path.glob(".*")] == []


def test_the_description_is_enough_to_predict(checkpoint, tmp_path):
    """An image through the TorchScript file alone, following its description, without lib's own code."""
    assert (
        export.main(["--model-file", str(checkpoint), "--output", str(tmp_path / "net.ts"), "--no-check"])
        == 0
    )
    run, description = load_exported(tmp_path / "net.ts")
    rng = np.random.default_rng(0)
    # The crop is the input's size exactly, so that it can be cut out: no interpolation to imitate.
    width, height = description["image_size"]
    pixels = rng.integers(0, 256, (200, 200, 3), np.uint8)
    box = np.array([90 - width / description["padding"] / 2, 80 - height / description["padding"] / 2, width / description["padding"], height / description["padding"]])  # fmt: skip
    crop = pixels[80 - height // 2 : 80 + height // 2, 90 - width // 2 : 90 + width // 2]
    crop = crop[..., ::-1] if description["color"] == "BGR" else crop
    image = (crop / 255 - description["mean"]) / description["std"]
    heatmaps = run(torch.from_numpy(image.transpose(2, 0, 1)[None]).float())[0].detach().numpy()
    map_width, map_height = description["heatmap_size"]
    expected = []
    for heatmap in heatmaps:
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        peak = np.array([x, y], float)
        if heatmap[y, x] <= 0:
            peak[:] = 0
        elif 1 < x < map_width - 1 and 1 < y < map_height - 1:
            peak[0] += 0.25 * np.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
            peak[1] += 0.25 * np.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
        expected.append(np.array([90, 80]) + (peak - [map_width / 2, map_height / 2]) * width / map_width)
    estimator = PoseEstimator(load_trained(checkpoint), torch.device("cpu"), False, 1)
    (poses,) = estimator([pixels], [People.from_boxes(box)])
    np.testing.assert_allclose(poses.joints[0], expected, atol=1e-4)
    assert [description["joints"][b] for _, b in description["flip_pairs"]] == [
        SHARED_KEYPOINTS[Skeleton.of(SHARED_KEYPOINTS).flip_indices[a]] for a, _ in description["flip_pairs"]
    ]
    assert len(description["flip_pairs"]) == 6


def test_category_pairs_and_limbs_of_the_checkpoint(tmp_path):
    fish = Category((7,), "fish", Skeleton(("a", "b", "c", "d"), (("a", "d"),), (("b", "c"),)))
    trained = load_trained(write_checkpoint(tmp_path / "b.pth", small_network(4), category=fish))
    description = describe(trained)
    assert description["category"] == {"ids": [7], "name": "fish"}
    assert description["flip_pairs"] == [[0, 3]] and description["skeleton"] == [[1, 2]]


def test_the_check_tells_another_network(checkpoint, tmp_path):
    path = tmp_path / "net.ts"
    assert export.main(["--model-file", str(checkpoint), "--output", str(path)]) == 0
    network = small_network()
    crops = torch.randn(3, 3, 96, 64)
    assert largest_difference(load_trained(checkpoint), path, crops) < TOLERANCE
    with torch.no_grad():
        network.final_layer.bias[0] += 0.001
    other = load_trained(write_checkpoint(tmp_path / "b.pth", network, (64, 96)))
    assert largest_difference(other, path, crops) > TOLERANCE


def test_a_network_that_differs_is_not_kept(checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pose_estimation.export.largest_difference", lambda *_: 0.1)
    assert export.main(["--model-file", str(checkpoint), "--output", str(tmp_path / "net.ts")]) == 2
    assert "differ by 0.1" in capsys.readouterr().err and not (tmp_path / "net.ts").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_what_to_install_is_told(package, checkpoint, tmp_path, monkeypatch, capsys):
    if package == "onnxscript":
        available("onnx")
    monkeypatch.setitem(sys.modules, package, None)
    assert export.main(["--model-file", str(checkpoint), "--output", str(tmp_path / "net.onnx")]) == 2
    error = capsys.readouterr().err
    assert f"the package {package}, which" in error and "pip install onnx onnxscript onnxruntime" in error
    assert not (tmp_path / "net.onnx").exists()


def test_without_onnxruntime_there_is_no_check(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert not can_run(tmp_path / "net.onnx") and can_run(tmp_path / "net.ts")
    with pytest.raises(InputError, match="pip install onnx onnxscript onnxruntime"):
        load_exported(tmp_path / "net.onnx")


def test_images_to_check_with_and_the_description(checkpoint, tmp_path, capsys, data):
    arguments = ["--model-file", str(checkpoint), "--output", str(tmp_path / "net.ts"), "--describe"]
    assert export.main([*arguments, "--pictures", str(data / "mpii/images")]) == 0
    output = capsys.readouterr().out
    assert "checked on 4 crops" in output
    assert json.loads(output[output.index("{") : output.rindex("}") + 1])["color"] == "BGR"
    assert export.main([*arguments, "--pictures", str(checkpoint)]) == 2
    assert "cannot be read as an image" in capsys.readouterr().err


def test_unknown_ending(checkpoint, tmp_path, capsys):
    assert export.main(["--model-file", str(checkpoint), "--output", str(tmp_path / "net.bin")]) == 2
    assert ".onnx, .ts, .pt2" in capsys.readouterr().err


def test_the_description_of_the_flip_test_follows_the_setting(checkpoint):
    trained = load_trained(checkpoint)
    described = {
        shift: describe(dataclasses.replace(trained, shift_heatmap=shift))["flip_test"]
        for shift in (False, True)
    }
    assert "one pixel to the right" in described[True] and "right" not in described[False]


@pytest.mark.parametrize(("batch_size", "offset"), [(1, 0.5), (3, -0.25)])
def test_the_difference_is_relative_to_the_highest_and_over_all_batch_sizes(
    batch_size, offset, checkpoint, monkeypatch
):
    """An export that is wrong for batches of one size alone: one crop of three, or all of them."""
    trained, crops = load_trained(checkpoint), 3 * torch.randn(3, 3, 96, 64)

    def exported(images):
        return trained.network(images) + offset * (len(images) == batch_size)

    with torch.no_grad():
        highest = float(trained.network(crops).abs().max())
    monkeypatch.setattr("lib.models.export.load_exported", lambda path: (exported, {}))
    difference = largest_difference(trained, Path("any.ts"), crops)
    assert difference == pytest.approx(abs(offset) / highest, rel=1e-4)
    assert highest > 1.5
