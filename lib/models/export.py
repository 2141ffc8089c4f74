"""Export a trained network to ONNX, TorchScript or torch.export, with a description of its input and output."""

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
from lib.models.trained import TrainedPose
from lib.utils.errors import InputError
from lib.utils.files import write_atomically

TOLERANCE = 1e-4  # largest acceptable `largest_difference`
INPUT, OUTPUT = "image", "heatmaps"
DESCRIPTION = "description.json"  # name of the file in a TorchScript or torch.export archive
ENDINGS = (".onnx", ".ts", ".pt2")


def describe(trained: TrainedPose) -> dict[str, Any]:
    """Describe how to prepare the network's input and decode its heatmaps, as values that JSON can hold."""
    (width, height), (map_width, map_height) = trained.codec.image_size, trained.codec.heatmap_size
    category, skeleton = trained.category, trained.category.skeleton
    flip_indices = skeleton.flip_indices
    return {
        "input": f"{INPUT}: float32 [N, 3, {height}, {width}], crops of one person each",
        "output": f"{OUTPUT}: float32 [N, {len(flip_indices)}, {map_height}, {map_width}]",
        "image_size": [width, height],
        "heatmap_size": [map_width, map_height],
        "color": "RGB" if trained.color_rgb else "BGR",
        "mean": [round(float(value), 6) for value in IMAGENET_MEAN],
        "std": [round(float(value), 6) for value in IMAGENET_STD],
        "normalise": "(pixel / 255 - mean) / std for each channel, in the order of color",
        "padding": PADDING,
        "crop": (
            f"of a box x, y, w, h: center (x + w / 2, y + h / 2); enlarge w or h until w / h = {width / height:g}, then "
            f"multiply both by {PADDING}; scale this part of the image to image_size (bilinear, black outside the image), "
            "its center to image_size / 2"
        ),
        "decode": (
            "pixel: the highest pixel of a heatmap, (0, 0) if none is positive; if 1 < x < width - 1 and 1 < y < height - 1 "
            "moved by 0.25 towards the higher neighbour along x and along y; position in the image: crop center + "
            "(pixel - heatmap_size / 2) * crop size / heatmap_size; score: the value of the highest pixel"
        ),
        "category": {"ids": list(category.ids), "name": category.name},
        "joints": list(trained.joints),
        "skeleton": [[a, b] for a, b in skeleton.limbs],
        "flip_pairs": [[a, b] for a, b in enumerate(flip_indices) if a < b],
        "flip_test": (
            "mean of the heatmaps and those of the mirrored crop, which are mirrored back, with flip_pairs exchanged"
            + (" and shifted one pixel to the right" if trained.shift_heatmap else "")
        ),
    }  # fmt: skip


def export(trained: TrainedPose, path: Path) -> None:
    """Export the network, with its description and for batches of any size.

    Args:
        trained: the network.
        path: file to write: .onnx, .ts (TorchScript) or .pt2 (torch.export).

    Raises:
        InputError: another suffix, or a package that ONNX needs is not installed.
    """
    expect_ending(path)
    writers = dict(zip(ENDINGS, (_write_onnx, _write_torchscript, _write_exported)))
    width, height = trained.codec.image_size
    writers[path.suffix](trained, torch.zeros(2, 3, height, width), path)


def expect_ending(path: Path) -> None:
    """Raise InputError if `export` has no format for the suffix of ``path``."""
    if path.suffix not in ENDINGS:
        raise InputError(f"{path}: its suffix is {path.suffix!r}; expected {', '.join(ENDINGS)}")


def can_run(path: Path) -> bool:
    """Whether the exported file can be run here: always, unless it is ONNX and onnxruntime is not installed."""
    if path.suffix != ".onnx":
        return True
    try:
        _import_package("onnxruntime")
    except InputError:
        return False
    return True


def load_exported(path: Path) -> tuple[Callable[[Tensor], Tensor], dict[str, Any]]:
    """Load a file written by `export`.

    Returns:
        A function from images float32 [N, 3, H, W] to heatmaps [N, J, h, w] on the CPU, and the description.

    Raises:
        InputError: the file is ONNX and onnxruntime is not installed.
    """
    extra = {DESCRIPTION: ""}
    if path.suffix == ".ts":
        with _without_warnings():
            model = torch.jit.load(path, map_location="cpu", _extra_files=extra)
    elif path.suffix == ".pt2":
        model = torch.export.load(path, extra_files=extra).module()
    else:
        onnxruntime = _import_package("onnxruntime")
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        metadata = session.get_modelmeta().custom_metadata_map
        description = {key: json.loads(value) for key, value in metadata.items()}
        return lambda images: torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0]), description
    return model, json.loads(extra[DESCRIPTION])


@torch.no_grad()
def largest_difference(trained: TrainedPose, path: Path, crops: Tensor) -> float:
    """Compare the heatmaps of the network with those of its export.

    The export is run on one batch and again on two, of 1 and N - 1 crops, since it must accept any batch size.

    Args:
        trained: the network, on the CPU.
        path: its export.
        crops: [N, 3, H, W] float32.

    Returns:
        Largest absolute difference, relative to the largest absolute value of the network's heatmaps.
    """
    exported, _ = load_exported(path)
    expected = trained.network(crops)
    split = torch.cat([exported(crops[:1]), exported(crops[1:])]) if len(crops) > 1 else exported(crops)
    differences = torch.stack([exported(crops), split]) - expected
    return float(differences.abs().max() / expected.abs().max())


def _write_onnx(trained: TrainedPose, example: Tensor, path: Path) -> None:
    onnx = _import_package("onnx")
    _import_package("onnxscript")
    with _without_warnings():
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
    # The exporter stores the source line of each node, with paths of this machine.
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.helper.set_model_props(model, {k: json.dumps(v) for k, v in describe(trained).items()})
    onnx.checker.check_model(model)
    write_atomically(path, lambda file: file.write(model.SerializeToString()))


def _write_torchscript(trained: TrainedPose, example: Tensor, path: Path) -> None:
    extra_files = {DESCRIPTION: json.dumps(describe(trained))}
    with _without_warnings(), torch.no_grad():
        traced = torch.jit.trace(trained.network, example)
        write_atomically(path, lambda file: torch.jit.save(traced, file, _extra_files=extra_files))


def _write_exported(trained: TrainedPose, example: Tensor, path: Path) -> None:
    with _without_warnings():
        program = torch.export.export(
            trained.network, (example,), dynamic_shapes=({0: torch.export.Dim("people")},)
        )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine, as in ONNX
    extra_files = {DESCRIPTION: json.dumps(describe(trained))}
    write_atomically(path, lambda file: torch.export.save(program, file, extra_files=extra_files))


def _import_package(package: str) -> ModuleType:
    """Import a package that ONNX needs. Raises InputError with the command that installs it."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise InputError(
            f"ONNX needs the package {package}, which is not installed: "
            "pip install onnx onnxscript onnxruntime"
        ) from None


@contextlib.contextmanager
def _without_warnings():
    """Silence the exporters, which warn of deprecations inside torch."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
