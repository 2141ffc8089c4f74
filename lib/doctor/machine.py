"""Checks of the machine: device, extension, disk space and memory."""

import importlib
import os
import shutil
from pathlib import Path

import numpy as np
import torch

from lib.config.schema import Config
from lib.dataset.build import pack_path
from lib.dataset.packing import Wanted, space_needed
from lib.doctor.findings import Finding, error, note, ok, warning
from lib.training.data import Data, sets_with_packs
from lib.training.state import State
from lib.utils.device import pick_device
from lib.utils.errors import InputError

GIB = 2**30
CHECKPOINTS_ON_DISK = 3  # the last, the best, and the one being written
HIGH_MEMORY_SHARE = 0.8  # of the memory; above it, a warning


def check_device(config: Config) -> tuple[Finding, torch.device | None]:
    """Check that DEVICE and GPUS name a usable device; None in its place if they do not."""
    try:
        device, description = pick_device(config.device, config.gpus)
    except InputError as problem:
        return error("device", str(problem), "DEVICE auto uses what is available"), None
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        description += f", {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    return ok("device", description), device


def check_extension() -> Finding:
    """Check that the Cython NMS is built."""
    try:
        importlib.import_module("lib.nms.cpu_nms")
    except ImportError:
        return note(
            "NMS extension", "not built; NumPy is used, with the same result, but slower", "make -C lib"
        )
    return ok("NMS extension", "built")


def check_disk(config: Config, state: State, folder: Path) -> Finding:
    """Check for write permission, and for the space of the checkpoints, at the run's ``folder`` (which may not exist yet)."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    need = CHECKPOINTS_ON_DISK * (2 if config.lbi.retrain else 1) * checkpoint_bytes(config, state)
    free = shutil.disk_usage(existing).free
    result = f"{free / GIB:.1f} GiB free at {existing}, about {need / GIB:.2f} GiB needed for checkpoints"
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return error("disk", f"{existing} cannot be written to", "set OUTPUT_DIR to a writable folder")
    if free < need:
        return error("disk", result, "free some space, or set OUTPUT_DIR to another disk")
    if free < 2 * need:
        return warning("disk", result, "little is left for logs and results")
    return ok("disk", result)


def check_packs(config: Config, data: Data) -> Finding:
    """Check for the space that the packs of DATASET.PACK will take in OUTPUT_DIR, without those already there."""
    need, written = 0.0, 0
    for role, image_set, dataset in sets_with_packs(config, data):
        wanted, path = Wanted.by(dataset), pack_path(config, image_set, role)
        whole = space_needed(wanted, np.arange(len(wanted.images)))
        size = path.stat().st_size if path.exists() else 0
        need, written = need + max(0.0, whole - size), written + size
    existing = Path(config.output_dir).absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    result = f"DATASET.PACK: about {need / GIB:.1f} GiB to write, {written / GIB:.1f} GiB there, {free / GIB:.1f} GiB free"
    if need > free:
        return error(
            "packs",
            result,
            "set OUTPUT_DIR to another disk, DATASET.REDUCED_DECODE true or DATASET.PACK false",
        )
    return ok("packs", result)


def checkpoint_bytes(config: Config, state: State) -> int:
    """Size of a checkpoint: models, optimizer moments and ignoring variables."""
    moments = 2 if config.train.optimizer == "adam" else 1
    total = 0
    for model in state.models().values():
        total += sum(t.numel() * t.element_size() for t in model.model.state_dict().values())
        total += moments * sum(p.numel() * p.element_size() for p in model.parameters)
    for variables in state.variables.values():
        total += sum(
            t.numel() * t.element_size() for t in variables.state_dict().values() if torch.is_tensor(t)
        )
    return total


def check_memory(device: torch.device, peak: int, cache_bytes: float, workers: int) -> list[Finding]:
    """Compare the memory that training needs with the available memory.

    Args:
        peak: largest memory of the steps that were tried, in bytes on ``device``.
        cache_bytes: size of all decoded images with DATASET.CACHE, else 0; every worker keeps its own.
    """
    available = machine_memory()
    findings = []
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        advice = "smaller TRAIN.BATCH_SIZE, TRAIN.SRC_BATCH_SIZE or LBI.VAL_BATCH_SIZE, or TRAIN.AMP bf16"
        findings.append(_memory_finding("GPU memory", peak, total, advice))
        peak = 0
    need = peak + cache_bytes * max(1, workers)
    advice = "smaller batches" + ("; DATASET.CACHE false, or fewer WORKERS" if cache_bytes else "")
    return [*findings, _memory_finding("memory", need, available, advice)]


def _memory_finding(subject: str, need: float, total: float, advice: str) -> Finding:
    result = f"peak of about {need / GIB:.1f} GiB, of {total / GIB:.1f} GiB"
    if need > total:
        return error(subject, result, advice)
    return warning(subject, result, advice) if need > HIGH_MEMORY_SHARE * total else ok(subject, result)


def machine_memory() -> int:
    """Memory in bytes that this process may use: the machine's, or the limit of its control group (containers)."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = Path(file).read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total
