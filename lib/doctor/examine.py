"""All that is looked at before a long run, in the order in which a user would mend it."""

from pathlib import Path

import torch

from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.build import build_codec
from lib.dataset.keypoints import flip_permutation
from lib.doctor.findings import Examination, Finding, Section, error, ok
from lib.doctor.images import check_images, check_scale
from lib.doctor.joint_mapping import check_joints
from lib.doctor.labels import check_boxes, check_labels
from lib.doctor.machine import check_device, check_disk, check_extension, check_memory, check_weights
from lib.doctor.sets import Sets, labels_by_joint, read_sets, shared_images
from lib.doctor.sheet import NAME, write_sheet
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
    """Look at all that ``mode`` will need; write the contact sheet into ``output``.

    ``notes`` are of the configuration. ``steps``: of training to be tried in each phase, 0 for none.
    """
    subject = f"{mode.name}: {mode.meaning}"
    set_up_backends(config.threads, config.cudnn)
    settings = _settings(config, notes)
    joints = Section("joints", *check_joints(config, mode.uses_source))
    sets, found = read_sets(config, mode.uses_source, [*settings.findings, *joints.findings])
    data = Section("data", found)
    if not sets.people:
        machine = _machine(config, mode, sets, folders, 0.0, steps)
        return Examination(subject, [settings, joints, data, machine])

    data.findings.extend(shared_images(sets.people, config.lbi.val_in_train))
    sections = [settings, joints, data, Section("labels of each joint", *labels_by_joint(sets.people))]
    labels, images, cached = Section("labels", []), Section("images", []), 0.0
    for role, people in sets.people.items():
        labels.findings.extend([*_boxes(config, role), *check_labels(role, people)])
        findings, read = check_images(role, people, config.dataset.on_bad_image)
        images.findings.extend(findings)
        cached += read.bytes_decoded if config.dataset.cache else 0
    sections += [labels, images]
    sections.append(Section("scale", *check_scale(sets.people, config.model.image_size)))
    if sets.data is not None:
        sections.append(Section("samples", [write_sheet(output / NAME, sets.datasets)]))
    sections.append(_machine(config, mode, sets, folders, cached, steps))
    return Examination(subject, sections)


def _settings(config: Config, notes: list[str]) -> Section:
    try:
        codec = build_codec(config.model)
    except InputError as problem:
        return Section("settings", [error("sizes", str(problem), "change one of the settings that it names")])
    sizes = f"input {codec.image_size[0]} x {codec.image_size[1]}, heatmaps {codec.heatmap_size[0]} x {codec.heatmap_size[1]}"
    return Section("settings", [ok("sizes", sizes), *(ok("note", note) for note in notes)])


def _boxes(config: Config, role: str) -> list[Finding]:
    source, target = config.dataset_src, config.dataset_target
    group, image_set = {
        "source": (source, source.train_set),
        "target T": (target, target.train_set),
        "validation V": (target, target.val_set),
        "test": (target, target.test_set),
    }[role]
    if role == "validation V" and target.val_set == target.train_set:
        return []  # the same file as T's
    return check_boxes(role, group, image_set)


def _machine(config: Config, mode: Mode, sets: Sets, folders: RunPaths, cached: float, steps: int) -> Section:
    """``cached``: bytes of images that DATASET.CACHE will keep. Steps are tried where all data are there."""
    where, device = check_device(config)
    section, data = Section("machine", [where, check_extension()]), sets.data
    joints = range(config.model.num_joints) if data is None else flip_permutation(data.joints)
    weighted = sets.people.get("source", ())
    tables = TableShape(max(1, len(weighted)), tuple(joints))
    findings, state = check_weights(config, mode, device or CPU, tables)
    section.findings.extend(findings)
    if state is None:
        return section
    section.findings.append(check_disk(config, state, folders.output))
    if steps and data is not None and device is not None:
        findings, peak = try_steps(RunSpec(config, mode, data, folders), state, steps)
        section.findings.extend([*findings, *check_memory(device, peak, cached, config.workers)])
    return section
