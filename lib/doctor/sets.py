"""The data sets that a run will read: are they there, how many people, which joints are labelled."""

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

FEW = 20  # people in V: fewer say little of what helps
ROLES = ("source", "target T", "validation V", "test")


@dataclass(frozen=True)
class Sets:
    """people {role: those that could be read}.   data: all together, None where something is amiss.
    notes: what reading them said."""

    people: dict[str, Annotations]
    data: Data | None
    notes: list[str]

    @property
    def datasets(self) -> dict[str, KeypointDataset]:
        """As training and evaluation see them."""
        if self.data is None:
            return {}
        data = self.data
        made = (data.source, data.target, data.validation.dataset, data.test.dataset)
        return {role: dataset for role, dataset in zip(ROLES, made) if dataset is not None}


def read_sets(config: Config, uses_source: bool, told: list[Finding]) -> tuple[Sets, list[Finding]]:
    """All sets of a run; where one cannot be used, the others all the same, and an error for each that can't.

    What was ``told`` before is not told again.
    """
    try:
        with captured_messages() as notes:
            data = build_data(config, uses_source)
    except InputError as problem:
        return _one_by_one(config, uses_source, problem, told)
    sets = Sets({}, data, notes)
    people = {role: dataset.annotations for role, dataset in sets.datasets.items()}
    return Sets(people, data, notes), [_count(config, role, people[role]) for role in people]


def _one_by_one(
    config: Config, uses_source: bool, problem: InputError, told: list[Finding]
) -> tuple[Sets, list[Finding]]:
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
    people, findings = {}, []
    for role in ROLES if uses_source else ROLES[1:]:
        try:
            with captured_messages():
                people[role] = readers[role]()
            findings.append(_count(config, role, people[role]))
        except InputError as found:
            before = next((f.what for f in [*told, *findings] if f.found == str(found)), None)
            if before:
                findings.append(error(role, f"cannot be read, as was said of {before}", "mend that first"))
            else:
                findings.append(error(role, str(found), _advice(config, role)))
    if not any(str(problem) == finding.found for finding in [*told, *findings]):  # about all of them together
        findings.insert(0, error("data", str(problem), "see the settings that it names"))
    return Sets(people, None, []), findings


def _advice(config: Config, role: str) -> str:
    source, target = config.dataset_src, config.dataset_target
    section, setting, dataset_config, image_set = {
        "source": ("DATASET_SRC", "TRAIN_SET", source, source.train_set),
        "target T": ("DATASET_TARGET", "TRAIN_SET", target, target.train_set),
        "validation V": ("DATASET_TARGET", "VAL_SET", target, target.val_set),
        "test": ("DATASET_TARGET", "TEST_SET", target, target.test_set),
    }[role]
    file = layout_of(dataset_config).annotation_files(image_set)[0]
    return f"mend that, or name other data: {section}.ROOT is {dataset_config.root}, {section}.{setting} is {file}"


def _count(config: Config, role: str, people: Annotations) -> Finding:
    layout = layout_of(config.dataset_src if role == "source" else config.dataset_target)
    labels = int((people.visible > 0).sum())
    found = f"{len(people):,} {layout.noun} in {len(np.unique(people.image_index)):,} images, {labels:,} labelled joints"
    sizes = {
        "source": config.train.src_batch_size or config.train.batch_size,
        "target T": config.train.batch_size,
    }
    if len(people) < sizes.get(role, 0):
        return warning(
            role, found, f"batches will be of {len(people)}, fewer than the {sizes[role]} asked for"
        )
    if role == "validation V" and len(people) < FEW:
        return warning(
            role,
            found,
            f"fewer than {FEW}: weights and best epoch depend on chance; validate on more of them",
        )
    return ok(role, found)


def shared_images(people: dict[str, Annotations], val_in_train: bool) -> list[Finding]:
    """Images that are trained on and evaluated on: the numbers would flatter."""
    findings = []
    used = {role: {of.image_paths[k] for k in np.unique(of.image_index)} for role, of in people.items()}
    for role in ("validation V", "test"):
        for trained in ("source", "target T", "validation V"):
            if trained == role or not {role, trained} <= used.keys():
                continue
            both = used[role] & used[trained]
            if not both or (val_in_train and {role, trained} == {"validation V", "target T"}):
                continue
            found = f"{len(both):,} of {len(used[role]):,} images are those of {trained}, such as {min(both)}"
            findings.append(
                warning(f"{role} and {trained}", found, "take them out of one: scores on seen images flatter")
            )
    return findings or [ok("images of different sets", "none is both trained on and evaluated on")]


def labels_by_joint(people: dict[str, Annotations]) -> tuple[list[Finding], tuple[str, ...]]:
    """The table of labelled joints, and the joints that a set knows nothing of."""
    names = next(iter(people.values())).mapping.names
    counts = {role: (of.visible > 0).sum(axis=0) for role, of in people.items()}
    width = max(map(len, names))
    rows = [f"{'':{width}}" + "".join(f"{role:>20}" for role in people)]
    for j, name in enumerate(names):
        cells = (
            f"{counts[role][j]:,} ({100 * counts[role][j] / len(of):.0f} %)" for role, of in people.items()
        )
        rows.append(f"{name:{width}}" + "".join(f"{cell:>20}" for cell in cells))

    findings = []
    taught = sum(counts.get(role, 0) for role in ("source", "target T"))
    what = {
        "target T": "only the source teaches them" if "source" in people else "nothing teaches them",
        "validation V": "nothing tells which of their source labels to trust",
        "test": "they are not evaluated",
    }
    for role in (role for role in people if role in what):
        none = [name for name, count in zip(names, counts[role]) if not count]
        if none:
            findings.append(warning(f"joints without a label in {role}", ", ".join(none), f"{what[role]}; is the mapping right?"))  # fmt: skip
    if {"target T"} <= people.keys() and not np.all(taught):
        never = ", ".join(name for name, count in zip(names, taught) if not count)
        findings.append(error("joints that nothing trains", never, "leave them out of the target's keypoints, or label them"))  # fmt: skip
    return findings or [ok("labels of each joint", "in every set of the target")], tuple(rows)
