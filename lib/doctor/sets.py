"""Checks of the data sets of a run: can they be read, are they large enough, do they overlap, what is labelled."""

from dataclasses import dataclass

import numpy as np

from lib.config.schema import Config
from lib.dataset.annotations import Annotations
from lib.dataset.build import read_annotations
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.layouts import ImageSet, layout_of, target_sets
from lib.doctor.findings import Finding, error, ok, warning
from lib.evaluation.build import evaluation_set
from lib.label_noise.source import read_source
from lib.training.data import Data, build_data
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

MIN_VALIDATION = 20  # instances in V; with fewer, the best epoch and the weights depend on chance
ROLES = ("source", "target T", "validation V", "test")


@dataclass(frozen=True)
class Sets:
    """The data sets that could be read.

    annotations: by role, of the sets that could be read.
    data: all sets together as training uses them; None if one could not be read.
    notes: remarks of the readers.
    """

    annotations: dict[str, Annotations]
    data: Data | None
    notes: list[str]

    @property
    def datasets(self) -> dict[str, KeypointDataset]:
        """The data sets by role, as training and evaluation use them; empty without ``data``."""
        if self.data is None:
            return {}
        data = self.data
        datasets = (data.source, data.target, data.validation.dataset, data.test.dataset)
        return {role: dataset for role, dataset in zip(ROLES, datasets) if dataset is not None}


def read_sets(config: Config, uses_source: bool, previous: list[Finding]) -> tuple[Sets, list[Finding]]:
    """Read all data sets of a run. If one cannot be read, the others still are.

    Args:
        previous: findings so far; an error that is among them is referred to, not repeated.

    Returns:
        The sets, and a finding for each: its size, or why it cannot be read.
    """
    try:
        with captured_messages() as notes:
            data = build_data(config, uses_source)
    except InputError as problem:
        return _read_one_by_one(config, uses_source, problem, previous)
    sets = Sets({}, data, notes)
    by_role = {role: dataset.annotations for role, dataset in sets.datasets.items()}
    return Sets(by_role, data, notes), [set_size(config, role, by_role[role]) for role in by_role]


def _read_one_by_one(
    config: Config, uses_source: bool, problem: InputError, previous: list[Finding]
) -> tuple[Sets, list[Finding]]:
    """Read each set on its own, after reading them together failed with ``problem``."""
    target = config.dataset_target
    training, validation = target_sets(target)

    def evaluated(image_set: ImageSet) -> Annotations:
        return evaluation_set(config, image_set, "").dataset.annotations

    readers = {
        "source": lambda: read_source(config)[0],
        "target T": lambda: read_annotations(config, training),
        "validation V": lambda: evaluated(validation),
        "test": lambda: evaluated(ImageSet(target, target.test_set)),
    }
    by_role, findings = {}, []
    for role in ROLES if uses_source else ROLES[1:]:
        try:
            with captured_messages():
                by_role[role] = readers[role]()
            findings.append(set_size(config, role, by_role[role]))
        except InputError as own_problem:
            known = [*previous, *findings]
            same = next((finding.subject for finding in known if finding.result == str(own_problem)), None)
            if same:
                findings.append(error(role, f"same error as {same}", "fix that first"))
            else:
                findings.append(error(role, str(own_problem), _advice(config, role)))
    # A problem that no single set has is about all of them together.
    if not any(str(problem) == finding.result for finding in [*previous, *findings]):
        findings.insert(0, error("data", str(problem), "see the settings that it names"))
    return Sets(by_role, None, []), findings


def _advice(config: Config, role: str) -> str:
    source, target = config.dataset_src, config.dataset_target
    section, setting, dataset_config, image_set = {
        "source": ("DATASET_SRC", "TRAIN_SET", source, source.train_set),
        "target T": ("DATASET_TARGET", "TRAIN_SET", target, target.train_set),
        "validation V": ("DATASET_TARGET", "VAL_SET", target, target.val_set),
        "test": ("DATASET_TARGET", "TEST_SET", target, target.test_set),
    }[role]
    file = layout_of(dataset_config).annotation_files(image_set)[0]
    return (
        f"fix that, or use other data: {section}.ROOT is {dataset_config.root}, {section}.{setting} is {file}"
    )


def set_size(config: Config, role: str, annotations: Annotations) -> Finding:
    """Count a set's instances, images and labels; a warning if it is too small for a batch, or for validation."""
    layout = layout_of(config.dataset_src if role == "source" else config.dataset_target)
    labels = int((annotations.visible > 0).sum())
    images = len(np.unique(annotations.image_index))
    count = len(annotations)
    result = f"{count:,} {layout.noun} in {images:,} images, {labels:,} labelled joints"
    batch_sizes = {
        "source": config.train.src_batch_size or config.train.batch_size,
        "target T": config.train.batch_size,
    }
    if count < batch_sizes.get(role, 0):
        return warning(role, result, f"batch size {count} instead of {batch_sizes[role]}")
    if role == "validation V" and count < MIN_VALIDATION:
        advice = f"fewer than {MIN_VALIDATION}: weights and best epoch depend on chance; enlarge V"
        return warning(role, result, advice)
    return ok(role, result)


def shared_images(annotations_by_role: dict[str, Annotations], val_in_train: bool) -> list[Finding]:
    """Find images that are both trained and evaluated on, which makes scores too good.

    Args:
        val_in_train: LBI.VAL_IN_TRAIN, with which V and T share images on purpose.
    """
    findings = []
    used = {
        role: {annotations.image_paths[k] for k in np.unique(annotations.image_index)}
        for role, annotations in annotations_by_role.items()
    }
    for role in ("validation V", "test"):
        for trained in ("source", "target T", "validation V"):
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
    training_counts = sum(counts.get(role, 0) for role in ("source", "target T"))
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
    if "target T" in counts and not np.all(training_counts):
        untrained = ", ".join(name for name, count in zip(names, training_counts) if not count)
        advice = "remove them from the target's keypoints, or label them"
        findings.append(error("joints without any training label", untrained, advice))
    return findings or [ok("labels of each joint", "in every set of the target")], tuple(rows)
