"""Preflight checks of a run, in the order in which a user would fix the problems; what trains comes last."""

from collections.abc import Generator, Iterator

import numpy as np
import torch

from lib.dataset.annotations import PADDING
from lib.dataset.build import build_codec
from lib.doctor.findings import Finding, Heading, Item, Level, Table, error, expected, ok
from lib.doctor.images import check_images, check_scale
from lib.doctor.joint_mapping import check_joints
from lib.doctor.labels import check_boxes, check_labels, reading_notes
from lib.doctor.machine import check_device, check_disk, check_extension, check_memory, check_packs
from lib.doctor.method import check_method, check_trusted
from lib.doctor.request import Request, roles_of
from lib.doctor.sets import Sets, labels_by_joint, read_sets, shared_images
from lib.doctor.sheet import FILE_NAME, write_sheet
from lib.doctor.suggestions import Seen, suggest
from lib.doctor.trial_steps import try_steps
from lib.doctor.weights import check_model_file, check_source_checkpoint, check_weights
from lib.models.loss import OverPixels
from lib.training.data import Data
from lib.training.phases import check_epochs, phases
from lib.training.run_spec import RunSpec
from lib.training.state import Placement, State, TableShape
from lib.utils.device import set_up_backends
from lib.utils.errors import InputError

CPU = torch.device("cpu")


def examine(request: Request) -> Iterator[Item]:
    """Check everything that a run needs, write the contact sheet, and try training steps.

    Yields:
        Headings, findings and tables, each as soon as it is known.
    """
    config = request.config
    set_up_backends(config.threads, config.cudnn)

    yield Heading("settings")
    settings = _settings(request)
    yield from settings

    yield Heading("joints")
    joints, mapping = check_joints(request)
    yield from joints
    yield from _tables(mapping)

    yield Heading("data")
    sets, found = read_sets(request, [*settings, *joints])
    yield from found
    cache_bytes = 0.0
    if sets.annotations:
        yield from shared_images(sets.annotations, config.lbi.val_in_train)
        if sets.data is not None:
            yield from check_trusted(config, request.mode, sets.data)
        cache_bytes = yield from _content(request, sets)

    yield Heading("machine")
    device, state = yield from _machine(request, sets)

    if state is not None and sets.data is not None and device is not None:
        yield from suggest(config, _seen(request, sets, device))
        if request.trial.steps:
            yield Heading(f"training steps, until {request.trial.seconds:g} s are over (--max-seconds)")
            peak = yield from try_steps(_spec(request, sets.data), state, request.trial)
            yield from check_memory(device, peak, cache_bytes, config.workers)


def _settings(request: Request) -> list[Finding]:
    try:
        codec = build_codec(request.config.model)
    except InputError as problem:
        return [error("sizes", str(problem), "change one of the settings that it names")]
    sizes = f"input {codec.image_size[0]} x {codec.image_size[1]}, heatmaps {codec.heatmap_size[0]} x {codec.heatmap_size[1]}"
    remarks = [ok("remark", remark) for remark in request.notes]
    remarks += _epochs(request)
    if request.program == "valid":
        remarks.insert(0, ok("test set", f"{request.tested.section}.TEST_SET ({request.tested.reason})"))
    return [ok("sizes", sizes), *check_method(request.config, request.mode), *remarks]


def _epochs(request: Request) -> list[Finding]:
    """An error if the run has no epoch to train."""
    config = request.config
    if not request.trains:
        return []
    try:
        check_epochs(config.train, phases(config.train, config.lbi, request.mode))
    except InputError as problem:
        return [error("epochs", str(problem), "set TRAIN.END_EPOCH to the number of epochs")]
    return []


def _tables(lines: tuple[str, ...]) -> list[Table]:
    return [Table(lines)] if lines else []


def _content(request: Request, sets: Sets) -> Generator[Item, None, float]:
    """Check labels and images set by set.

    Returns:
        Bytes of the images that DATASET.CACHE will keep.
    """
    config, roles = request.config, {role.name: role for role in roles_of(request)}
    if sets.labelled:
        yield Heading("labels of each joint")
        findings, counts = labels_by_joint(sets.labelled)
        yield from findings
        yield from _tables(counts)

    if sets.labelled or any(annotations.notes.sentences() for annotations in sets.annotations.values()):
        yield Heading("labels")
    checked = set()
    for name, annotations in sets.annotations.items():
        image_set = roles[name].image_set
        read = image_set.layout, image_set.layout.annotation_files(image_set.name)
        if read not in checked:  # T and V may be parts of one file
            yield from reading_notes(name, annotations)
            if name in sets.labelled:
                yield from check_boxes(name, image_set.dataset_config, image_set.name)
        checked.add(read)
        if name not in sets.labelled:
            continue
        is_injected = name == "source" and bool(config.lbi.inject_noise)
        for finding in check_labels(name, annotations, name == "source" and request.mode.ignores):
            is_moved = is_injected and finding.subject in (f"{name}, crops", f"{name}, joints")
            yield expected(finding, "LBI.INJECT_NOISE moves labels on purpose") if is_moved else finding

    yield Heading("images")
    cache_bytes = 0.0
    for name, annotations in sets.annotations.items():
        findings, sampled = check_images(name, annotations, config.dataset.on_bad_image)
        yield from findings
        cache_bytes += sampled.bytes_decoded if config.dataset.cache else 0

    if sets.labelled:
        yield Heading("scale")
        findings, quantiles = check_scale(sets.labelled, config.model.image_size)
        yield from findings
        yield from _tables(quantiles)
    if sets.complete:
        yield Heading("samples")
        yield write_sheet(request.output / FILE_NAME, sets.datasets)
    return cache_bytes


def _machine(
    request: Request, sets: Sets
) -> Generator[Finding, None, tuple[torch.device | None, State | None]]:
    """Device, weights and disk.

    Returns:
        The device, and the models to try steps with; None for what cannot be used.
    """
    config, data = request.config, sets.data
    finding, device = check_device(config)
    yield finding
    yield check_extension()
    if not request.trains:
        test = sets.annotations.get("test")
        yield from check_model_file(config, test.mapping.names if test is not None else None)
        return device, None
    joints = range(config.model.num_joints) if data is None else data.skeleton.flip_indices
    tables = TableShape(max(1, len(sets.annotations.get("source", ()))), tuple(joints))
    findings, state = check_weights(config, request.mode, Placement(device or CPU), tables)
    yield from findings
    if state is None:
        return device, None
    if data is not None:
        taken = check_source_checkpoint(_spec(request, data), state)
        yield from taken
        if any(finding.level is Level.ERROR for finding in taken):
            return device, None
    yield check_disk(config, state, request.paths.output)
    if config.dataset.pack and data is not None:
        yield check_packs(config, data)
    return device, state


def _spec(request: Request, data: Data) -> RunSpec:
    """What the run itself is given."""
    over_pixels = OverPixels.SUM if request.program == "main" else OverPixels.MEAN
    return RunSpec(request.config, request.mode, data, request.paths, over_pixels=over_pixels)


def _seen(request: Request, sets: Sets, device: torch.device) -> Seen:
    """Data and machine, for the suggestion."""
    boxes = [
        sets.annotations[role.name].sizes.max(axis=1) / PADDING
        for role in roles_of(request)
        if role.batch_size
    ]
    gpu_bytes = None
    if device.type == "cuda":
        gpu_bytes = torch.cuda.get_device_properties(device).total_memory
    return Seen(
        source=len(sets.annotations.get("source", ())),
        target=len(sets.data.target),
        box=float(np.median(np.concatenate(boxes))),
        gpu_bytes=gpu_bytes,
        validation=len(sets.data.validation.dataset) if request.mode.ignores else 0,
    )
