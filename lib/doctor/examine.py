"""Preflight checks of a run, in the order in which a user would fix the problems."""

from pathlib import Path

import torch

from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.build import build_codec
from lib.doctor.findings import Examination, Finding, Section, error, ok
from lib.doctor.images import check_images, check_scale
from lib.doctor.joint_mapping import check_joints
from lib.doctor.labels import check_boxes, check_labels
from lib.doctor.machine import (
    check_device,
    check_disk,
    check_extension,
    check_memory,
    check_packs,
    check_weights,
)
from lib.doctor.sets import Sets, labels_by_joint, read_sets, shared_images
from lib.doctor.sheet import FILE_NAME, write_sheet
from lib.doctor.trial_steps import try_steps
from lib.ignoring.modes import Mode
from lib.training.run_spec import RunSpec
from lib.training.state import TableShape
from lib.utils.device import set_up_backends
from lib.utils.errors import InputError

CPU = torch.device("cpu")


def examine(
    config: Config, mode: Mode, folders: RunPaths, notes: list[str], output: Path, steps: int
) -> Examination:
    """Check everything that a run in ``mode`` needs, and write the contact sheet.

    Args:
        folders: where the run would write; nothing is written there.
        notes: remarks of the configuration's loader.
        output: folder of the contact sheet.
        steps: training steps to try in each phase; 0 for none.
    """
    title = f"{mode.name}: {mode.meaning}"
    set_up_backends(config.threads, config.cudnn)
    settings = _settings(config, notes)
    joints = Section("joints", *check_joints(config, mode.uses_source))
    sets, set_findings = read_sets(config, mode.uses_source, [*settings.findings, *joints.findings])
    data = Section("data", set_findings)
    if not sets.annotations:
        machine = _machine(config, mode, sets, folders, 0.0, steps)
        return Examination(title, [settings, joints, data, machine])

    # What the annotations alone tell.
    data.findings.extend(shared_images(sets.annotations, config.lbi.val_in_train))
    sections = [settings, joints, data, Section("labels of each joint", *labels_by_joint(sets.annotations))]

    # Labels and images, set by set.
    labels, images, cache_bytes = Section("labels", []), Section("images", []), 0.0
    for role, annotations in sets.annotations.items():
        labels.findings.extend([*_boxes(config, role), *check_labels(role, annotations)])
        findings, sampled = check_images(role, annotations, config.dataset.on_bad_image)
        images.findings.extend(findings)
        cache_bytes += sampled.bytes_decoded if config.dataset.cache else 0
    sections += [labels, images]
    sections.append(Section("scale", *check_scale(sets.annotations, config.model.image_size)))
    if sets.data is not None:
        sections.append(Section("samples", [write_sheet(output / FILE_NAME, sets.datasets)]))

    # The machine last: its steps take longest.
    sections.append(_machine(config, mode, sets, folders, cache_bytes, steps))
    return Examination(title, sections)


def _settings(config: Config, notes: list[str]) -> Section:
    try:
        codec = build_codec(config.model)
    except InputError as problem:
        return Section("settings", [error("sizes", str(problem), "change one of the settings that it names")])
    sizes = f"input {codec.image_size[0]} x {codec.image_size[1]}, heatmaps {codec.heatmap_size[0]} x {codec.heatmap_size[1]}"
    return Section("settings", [ok("sizes", sizes), *(ok("note", note) for note in notes)])


def _boxes(config: Config, role: str) -> list[Finding]:
    source, target = config.dataset_src, config.dataset_target
    dataset_config, image_set = {
        "source": (source, source.train_set),
        "target T": (target, target.train_set),
        "validation V": (target, target.val_set),
        "test": (target, target.test_set),
    }[role]
    if role == "validation V" and target.val_set == target.train_set:
        return []  # the same file as T's, already checked
    return check_boxes(role, dataset_config, image_set)


def _machine(
    config: Config, mode: Mode, sets: Sets, folders: RunPaths, cache_bytes: float, steps: int
) -> Section:
    """Device, weights, disk and memory; steps are tried only if all data sets could be read.

    Args:
        cache_bytes: size of the images that DATASET.CACHE will keep.
    """
    device_finding, device = check_device(config)
    section, data = Section("machine", [device_finding, check_extension()]), sets.data
    joints = range(config.model.num_joints) if data is None else data.skeleton.flip_indices
    source = sets.annotations.get("source", ())
    tables = TableShape(max(1, len(source)), tuple(joints))
    findings, state = check_weights(config, mode, device or CPU, tables)
    section.findings.extend(findings)
    if state is None:
        return section
    section.findings.append(check_disk(config, state, folders.output))
    if config.dataset.pack and data is not None:
        section.findings.append(check_packs(config, data))
    if steps and data is not None and device is not None:
        findings, peak = try_steps(RunSpec(config, mode, data, folders), state, steps)
        section.findings.extend([*findings, *check_memory(device, peak, cache_bytes, config.workers)])
    return section
