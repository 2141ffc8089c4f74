"""What a run needs of the machine: weights to start from, a device, room on the disk and in memory."""

import importlib
import os
import shutil
from pathlib import Path

import torch

from lib.config.schema import Config
from lib.doctor.findings import Finding, error, ok, warning
from lib.ignoring.modes import Mode
from lib.models.pretrained import imagenet_weights_path
from lib.training.state import Placement, State, TableShape, build_state
from lib.utils.checkpoint import load_checkpoint
from lib.utils.device import pick_device
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

GIB = 2**30
CHECKPOINTS = 3  # the last, the best, and the one that is being written
NEARLY_FULL = 0.8  # of memory


def check_device(config: Config) -> tuple[Finding, torch.device | None]:
    """The device that a run computes on, None where it can't."""
    try:
        device, where = pick_device(config.device, config.gpus)
    except InputError as problem:
        return error("device", str(problem), "DEVICE auto takes what there is"), None
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        where += f", {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    return ok("device", where), device


def check_extension() -> Finding:
    try:
        importlib.import_module("lib.nms.cpu_nms")
    except ImportError:
        return warning("NMS extension", "not built, NumPy does the same, slower", "make -C lib")
    return ok("NMS extension", "built")


def check_weights(
    config: Config, mode: Mode, device: torch.device, tables: TableShape
) -> tuple[list[Finding], State | None]:
    """Build the models as the run will, and load into them what it starts from; None where that fails."""
    model, findings = config.model, []
    path = imagenet_weights_path(model.pretrained) if model.init_weights and model.pretrained else None
    try:
        with captured_messages() as notes:
            state = build_state(config, mode, tables, Placement(device))
    except InputError as problem:
        what = "weights" if path is not None else "network"
        return [error(what, str(problem), _advice_on_weights(path))], None
    if path is None:
        findings.append(
            ok("weights", "the network starts from random ones (MODEL.PRETRAINED, MODEL.INIT_WEIGHTS)")
        )
    else:
        findings.append(_loaded(str(path), notes))
    if config.train.load_ckpt:
        start = config.train.load_ckpt
        try:
            state.load_models(load_checkpoint(start), start)
            findings.append(ok("TRAIN.LOAD_CKPT", f"{start} fits"))
        except InputError as problem:
            advice = "name a checkpoint of the same network, last.pth or best.pth of a run"
            return [*findings, error("TRAIN.LOAD_CKPT", str(problem), advice)], None
    return findings, state


def _advice_on_weights(path: Path | None) -> str:
    if path is None:
        return "see MODEL in the configuration"
    return "python pose_estimation/fetch_weights.py fetches ImageNet's; MODEL.PRETRAINED '' starts from random weights"


def _loaded(path: str, notes: list[str]) -> Finding:
    told = "; ".join(dict.fromkeys(note.removeprefix(f"{path}: ") for note in notes))
    begun = [part for part in ("conv1", "layer1", "layer2", "layer3", "layer4") if f"{part} (" in told]
    if begun:
        return warning(
            "weights",
            f"{path}: {told}",
            "parts of the backbone start from random weights: is it the same network?",
        )
    return ok("weights", f"{path}: {told}")


def check_disk(config: Config, state: State, folder: Path) -> Finding:
    """Room and the right to write where the run's ``folder`` will be."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    need = CHECKPOINTS * (2 if config.lbi.retrain else 1) * checkpoint_bytes(config, state)
    free = shutil.disk_usage(place).free
    found = f"{free / GIB:.1f} GiB free at {place}, about {need / GIB:.2f} GiB needed for checkpoints"
    if not place.is_dir() or not os.access(place, os.W_OK):
        return error("disk", f"{place} cannot be written to", "set OUTPUT_DIR to a folder of yours")
    if free < need:
        return error("disk", found, "make room, or set OUTPUT_DIR to another disk")
    if free < 2 * need:
        return warning("disk", found, "that is little: logs and results come on top")
    return ok("disk", found)


def checkpoint_bytes(config: Config, state: State) -> int:
    """Of models, their optimisers' moments and the ignoring variables."""
    moments = 2 if config.train.optimizer == "adam" else 1
    total = 0
    for made in state.models().values():
        total += sum(t.numel() * t.element_size() for t in made.model.state_dict().values())
        total += moments * sum(p.numel() * p.element_size() for p in made.parameters)
    for variables in state.variables.values():
        total += sum(
            t.numel() * t.element_size() for t in variables.state_dict().values() if torch.is_tensor(t)
        )
    return total


def check_memory(device: torch.device, peak: int, cached: float, workers: int) -> list[Finding]:
    """Memory at its peak in the steps that were taken, and what DATASET.CACHE will add, against what there is.

    ``cached``: bytes of all decoded images, 0 without the cache; every worker keeps its own.
    """
    main = machine_memory()
    findings = []
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        advice = "smaller TRAIN.BATCH_SIZE, TRAIN.SRC_BATCH_SIZE or LBI.VAL_BATCH_SIZE, or TRAIN.AMP bf16"
        findings.append(_enough("GPU memory", peak, total, advice))
        peak = 0
    need = peak + cached * max(1, workers)
    advice = "smaller batches" + ("; DATASET.CACHE false, or fewer WORKERS" if cached else "")
    return [*findings, _enough("memory", need, main, advice)]


def _enough(what: str, need: float, total: float, advice: str) -> Finding:
    found = f"about {need / GIB:.1f} GiB at the peak, of {total / GIB:.1f} GiB"
    if need > total:
        return error(what, found, advice)
    return warning(what, found, advice) if need > NEARLY_FULL * total else ok(what, found)


def machine_memory() -> int:
    """Bytes that this process may use: the machine's, or the limit of its control group."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = Path(file).read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total
