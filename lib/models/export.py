"""Trained networks for other programs: ONNX, TorchScript or torch.export, with all that is needed to use them."""

import contextlib
import importlib
import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from lib.dataset.annotations import PADDING
from lib.dataset.keypoint_dataset import IMAGENET_MEAN, IMAGENET_STD
from lib.dataset.keypoints import flip_permutation
from lib.models.trained import TrainedPose
from lib.utils.errors import InputError
from lib.utils.files import write_atomically

TOLERANCE = 1e-4  # see `largest_difference`
INPUT, OUTPUT = "image", "heatmaps"
DESCRIPTION = "description.json"  # the file in a TorchScript or torch.export archive
ENDINGS = (".onnx", ".ts", ".pt2")


def describe(trained: TrainedPose) -> dict[str, Any]:
    """What the tensors mean, as plain values: how to make the input, and how to read the heatmaps."""
    (width, height), (map_width, map_height) = trained.codec.image_size, trained.codec.heatmap_size
    flip_indices = flip_permutation(trained.joints)
    return {
        "input": f"{INPUT}: float32 [N, 3, {height}, {width}], one person's crop each",
        "output": f"{OUTPUT}: float32 [N, {len(flip_indices)}, {map_height}, {map_width}]",
        "image_size": [width, height],
        "heatmap_size": [map_width, map_height],
        "color": "RGB" if trained.color_rgb else "BGR",
        "mean": [round(float(value), 6) for value in IMAGENET_MEAN],
        "std": [round(float(value), 6) for value in IMAGENET_STD],
        "normalise": "(pixel / 255 - mean) / std, channel by channel in the order of color",
        "padding": PADDING,
        "crop": (
            f"box x, y, w, h: middle (x + w / 2, y + h / 2); the shorter side is enlarged until w / h = {width / height:g}, "
            f"then both are times {PADDING}; that part of the image is scaled (bilinear, black outside) to image_size, "
            "its middle to image_size / 2"
        ),
        "decode": (
            "the highest pixel of a heatmap, (0, 0) where none is positive; where it is more than 1 from the left and upper "
            "border and not on the right or lower one, 0.25 pixels towards its higher neighbour along x and along y; in the image: "
            "crop middle + (pixel - heatmap_size / 2) * crop size / heatmap_size; the score is the height"
        ),
        "joints": list(trained.joints),
        "flip_pairs": [[a, b] for a, b in enumerate(flip_indices) if a < b],
        "flip_test": (
            "mean of the heatmaps and of those of the mirrored image, mirrored back, flip_pairs exchanged"
            + (", moved one pixel to the right" if trained.shift_heatmap else "")
        ),
    }  # fmt: skip


def export(trained: TrainedPose, path: Path) -> None:
    """Write the network to ``path``, which ends in .onnx, .ts (TorchScript) or .pt2 (torch.export).

    Any number of people fits a batch. Raises InputError for another ending, and for packages that lack.
    """
    expect_ending(path)
    writers = dict(zip(ENDINGS, (_write_onnx, _write_torchscript, _write_exported)))
    width, height = trained.codec.image_size
    writers[path.suffix](trained, torch.zeros(2, 3, height, width), path)


def expect_ending(path: Path) -> None:
    """Raise InputError where `export` has no format for ``path``."""
    if path.suffix not in ENDINGS:
        raise InputError(f"{path}: expected a file name that ends in {', '.join(ENDINGS)}")


def can_run(path: Path) -> bool:
    """Whether what was exported to ``path`` can be run here."""
    if path.suffix != ".onnx":
        return True
    try:
        return bool(_needed("onnxruntime"))
    except InputError:
        return False


def load_exported(path: Path) -> tuple[Callable[[Tensor], Tensor], dict[str, Any]]:
    """(heatmaps of images [N, 3, H, W], `describe`'s values) of what `export` wrote to ``path``."""
    extra = {DESCRIPTION: ""}
    if path.suffix == ".ts":
        with _quietly():
            model = torch.jit.load(path, map_location="cpu", _extra_files=extra)
    elif path.suffix == ".pt2":
        model = torch.export.load(path, extra_files=extra).module()
    else:
        session = _needed("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
        kept = session.get_modelmeta().custom_metadata_map
        described = {key: json.loads(value) for key, value in kept.items()}
        return lambda images: torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0]), described
    return model, json.loads(extra[DESCRIPTION])


@torch.no_grad()
def largest_difference(trained: TrainedPose, path: Path, crops: Tensor) -> float:
    """Of the heatmaps of ``crops`` [N, 3, H, W] by the network and by its export at ``path``, as a share of the highest.

    Taken together and one by one, since a batch of any size should do.
    """
    exported, _ = load_exported(path)
    expected = trained.network(crops)
    found = torch.cat([exported(crops[:1]), exported(crops[1:])]) if len(crops) > 1 else exported(crops)
    differences = torch.stack([exported(crops), found]) - expected
    return float(differences.abs().max() / expected.abs().max())


def _write_onnx(trained: TrainedPose, example: Tensor, path: Path) -> None:
    onnx = _needed("onnx")
    _needed("onnxscript")
    with _quietly():
        program = torch.onnx.export(
            trained.network,
            (example,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("people")},),
            verbose=False,
        )
    model = program.model_proto
    # Notes of the exporter on where each node is from, with paths of this machine.
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.helper.set_model_props(model, {k: json.dumps(v) for k, v in describe(trained).items()})
    onnx.checker.check_model(model)
    write_atomically(path, lambda file: file.write(model.SerializeToString()))


def _write_torchscript(trained: TrainedPose, example: Tensor, path: Path) -> None:
    described = {DESCRIPTION: json.dumps(describe(trained))}
    with _quietly(), torch.no_grad():
        traced = torch.jit.trace(trained.network, example)
        write_atomically(path, lambda file: torch.jit.save(traced, file, _extra_files=described))


def _write_exported(trained: TrainedPose, example: Tensor, path: Path) -> None:
    with _quietly():
        program = torch.export.export(
            trained.network, (example,), dynamic_shapes=({0: torch.export.Dim("people")},)
        )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # as in ONNX
    described = {DESCRIPTION: json.dumps(describe(trained))}
    write_atomically(path, lambda file: torch.export.save(program, file, extra_files=described))


def _needed(package: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise InputError(
            f"ONNX needs the package {package}, which is not installed: "
            "pip install onnx onnxscript onnxruntime"
        ) from None


@contextlib.contextmanager
def _quietly():
    """Exporters warn of their own future, which is none of the user's business."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
