"""Checks of the data sets of a run: can they be read, are they large enough, do they overlap, what is labelled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.build import read_annotations
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.doctor.findings import Finding, error, ok, warning
from lib.doctor.request import Request, Role, roles_of
from lib.evaluation.build import evaluation_set
from lib.label_noise.source import read_source
from lib.training.data import Data, build_data, build_single_data
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

MIN_VALIDATION = 20  # instances in V; with fewer, the best epoch and the weights depend on chance


@dataclass(frozen=True)
class Sets:
    """The data sets that could be read.

    annotations: by the name of their role, of the sets that could be read.
    datasets: their samples as training and evaluation use them; empty if a set could not be read.
    data: all sets together as training uses them; None if one could not be read, or for valid.py.
    """

    annotations: dict[str, Annotations]
    datasets: dict[str, KeypointDataset]
    data: Data | None = None

    @property
    def complete(self) -> bool:
        """Whether every set could be read."""
        return bool(self.datasets)

    @property
    def labelled(self) -> dict[str, Annotations]:
        """The sets with labels: all but a detector's boxes."""
        return {name: a for name, a in self.annotations.items() if a.visible.any()}


def read_sets(request: Request, previous: Sequence[Finding]) -> tuple[Sets, list[Finding]]:
    """Read all data sets of a run. If one cannot be read, the others still are.

    Args:
        request: what is examined.
        previous: findings so far; an error that is among them is referred to, not repeated.

    Returns:
        The sets, and a finding for each: its size, or why it cannot be read.
    """
    roles = roles_of(request)
    try:
        with captured_messages():
            datasets, data = _read_together(request, roles)
    except InputError as problem:
        return _read_one_by_one(request, problem, previous)
    annotations = {name: dataset.annotations for name, dataset in datasets.items()}
    return Sets(annotations, datasets, data), [set_size(role, annotations[role.name]) for role in roles]


def _read_together(
    request: Request, roles: tuple[Role, ...]
) -> tuple[dict[str, KeypointDataset], Data | None]:
    """The samples by role, as the run reads them, and the data that it trains on."""
    config = request.config
    if not request.trains:
        (role,) = roles
        return {role.name: evaluation_set(config, role.image_set, role.name).dataset}, None
    if request.program == "train":
        data = build_single_data(config)
        return {"training": data.target, "test": data.test.dataset}, data
    data = build_data(config, request.mode.uses_source)
    datasets = {"source": data.source, "target T": data.target}
    datasets |= {"validation V": data.validation.dataset, "test": data.test.dataset}
    return {name: dataset for name, dataset in datasets.items() if dataset is not None}, data


def _read_one_by_one(
    request: Request, problem: InputError, previous: Sequence[Finding]
) -> tuple[Sets, list[Finding]]:
    """Read each set on its own, after reading them together failed with ``problem``."""
    by_role: dict[str, Annotations] = {}
    findings: list[Finding] = []
    for role in roles_of(request):
        try:
            with captured_messages():
                by_role[role.name] = _read(request, role)
            findings.append(set_size(role, by_role[role.name]))
        except InputError as own_problem:
            known = [*previous, *findings]
            same = next((finding.subject for finding in known if finding.result == str(own_problem)), None)
            if same:
                findings.append(error(role.name, f"same error as {same}", "fix that first"))
            else:
                findings.append(error(role.name, str(own_problem), _advice(role)))
    # A problem that no single set has is about all of them together.
    if not any(str(problem) == finding.result for finding in [*previous, *findings]):
        findings.insert(0, error("data", str(problem), "see the settings that it names"))
    return Sets(by_role, {}), findings


def _read(request: Request, role: Role) -> Annotations:
    if role.name == "source":
        return read_source(request.config)[0]
    if role.batch_size:
        return read_annotations(request.config, role.image_set)
    return evaluation_set(request.config, role.image_set, role.name).dataset.annotations


def _advice(role: Role) -> str:
    image_set, section = role.image_set, role.setting.partition(".")[0]
    file = image_set.layout.annotation_files(image_set.name)[0]
    return (
        f"fix that, or use other data: {section}.ROOT is {image_set.dataset_config.root}, "
        f"{role.setting} is {file}"
    )


def set_size(role: Role, annotations: Annotations) -> Finding:
    """Count a set's instances, images and labels; a warning if it is too small for a batch, or for validation."""
    labels = int((annotations.visible > 0).sum())
    images = len(np.unique(annotations.image_index))
    count = len(annotations)
    result = f"{count:,} {role.image_set.layout.noun} in {images:,} images, {labels:,} labelled joints"
    if count < role.batch_size:
        return warning(role.name, result, f"batch size {count} instead of {role.batch_size}")
    if role.name == "validation V" and count < MIN_VALIDATION:
        advice = f"fewer than {MIN_VALIDATION}: weights and best epoch depend on chance; enlarge V"
        return warning(role.name, result, advice)
    return ok(role.name, result)


def shared_images(annotations_by_role: dict[str, Annotations], val_in_train: bool) -> list[Finding]:
    """Find images that are both trained and evaluated on, which makes scores too good.

    Args:
        annotations_by_role: the sets by the name of their role.
        val_in_train: LBI.VAL_IN_TRAIN, with which V and T share images on purpose.
    """
    findings = []
    used = {
        role: {annotations.image_paths[k] for k in np.unique(annotations.image_index)}
        for role, annotations in annotations_by_role.items()
    }
    for role in ("validation V", "test"):
        for trained in ("source", "target T", "training", "validation V"):
            if trained == role or not {role, trained} <= used.keys():
                continue
            both = used[role] & used[trained]
            if not both or (val_in_train and {role, trained} == {"validation V", "target T"}):
                continue
            result = f"{len(both):,} of {len(used[role]):,} images are also in {trained}, such as {min(both)}"
            advice = "remove them from one of the sets: scores on training images are too good"
            findings.append(warning(f"{role} and {trained}", result, advice))
    return findings or [ok("images of different sets", "none is both trained and evaluated on")]


def labels_by_joint(
    annotations_by_role: dict[str, Annotations],
) -> tuple[list[Finding], tuple[str, ...]]:
    """Count the labels of each joint in each set.

    Returns:
        Findings on joints without a label in a set, and the lines of the table of counts.
    """
    names = next(iter(annotations_by_role.values())).mapping.names
    counts = {role: (a.visible > 0).sum(axis=0) for role, a in annotations_by_role.items()}
    width = max(map(len, names))
    rows = [f"{'':{width}}" + "".join(f"{role:>20}" for role in counts)]
    for j, name in enumerate(names):
        cells = (
            f"{counts[role][j]:,} ({100 * counts[role][j] / len(annotations):.0f} %)"
            for role, annotations in annotations_by_role.items()
        )
        rows.append(f"{name:{width}}" + "".join(f"{cell:>20}" for cell in cells))

    findings = []
    training_counts = sum(counts.get(role, 0) for role in ("source", "target T", "training"))
    consequences = {
        "target T": "learned from the source only" if "source" in counts else "not learned at all",
        "validation V": "their source labels cannot be told right from wrong",
        "test": "they are not evaluated",
    }
    for role in (role for role in counts if role in consequences):
        unlabelled = [name for name, count in zip(names, counts[role]) if not count]
        if unlabelled:
            subject, advice = (
                f"joints without a label in {role}",
                f"{consequences[role]}; is the mapping right?",
            )
            findings.append(warning(subject, ", ".join(unlabelled), advice))
    if {"target T", "training"} & counts.keys() and not np.all(training_counts):
        untrained = ", ".join(name for name, count in zip(names, training_counts) if not count)
        advice = "remove them from the keypoints of the data set, or label them"
        findings.append(error("joints without any training label", untrained, advice))
    return findings or [ok("labels of each joint", "in every set that is evaluated on")], tuple(rows)
