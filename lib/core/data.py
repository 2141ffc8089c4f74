"""The data sets of a run, as the configuration names them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from easydict import EasyDict

from lib.core.config import load_config
from lib.core.errors import InputError
from lib.core.evaluation_sets import COCOSet, EvaluationSet, MPIISet
from lib.core.heatmap import HeatmapCodec
from lib.dataset import coco, mpii
from lib.dataset.annotation_cache import Reading, read_once
from lib.dataset.annotations import Annotations
from lib.dataset.coco import annotation_file
from lib.dataset.detections import read_detections
from lib.dataset.injection import changed_labels, inject
from lib.dataset.joints import Augmentation, KeypointDataset
from lib.dataset.keypoints import joint_mapping, network_joints
from lib.dataset.truth import Truth, read_truth_of, truth_beside, write_truth_of

INJECTED_TRUTH = "injected_truth.json"

Report = Callable[[str], None]


@dataclass(frozen=True)
class Data:
    """source: to train on (None where the mode needs none).   target: T.   validation: V, without
    augmentation.   test: never used to choose anything, but by train.py, which has no other.
    source_truth: which labels of the source are wrong, None where nobody knows."""

    source: KeypointDataset | None
    target: KeypointDataset
    validation: EvaluationSet
    test: EvaluationSet
    source_truth: Truth | None = None

    @property
    def joints(self) -> tuple[str, ...]:
        return self.target.annotations.mapping.names


def build_data(config: EasyDict, uses_source: bool, report: Report) -> Data:
    """Source and target of main.py, all annotations read and checked; InputError for what cannot be used."""
    source, target = config.DATASET_SRC, config.DATASET_TARGET
    if target.DATASET != "mpii":
        raise InputError("DATASET_TARGET.DATASET: the target is evaluated with PCKh, so it must be mpii")
    people = truth = None
    if uses_source:
        people, truth = read_source(config, report)
    elif config.LBI.INJECT_NOISE:
        report("LBI.INJECT_NOISE: this mode has no source, so nothing is made wrong")
    validation = evaluation_set(target, target.VAL_SET, config, "validation V", report)
    trained = _training_set(_people_to_train_on(target, config, report), target, config, "target T", report)
    if config.LBI.VAL_IN_TRAIN:
        trained.annotations = trained.annotations.joined(validation.dataset.annotations)
        report(f"LBI.VAL_IN_TRAIN: V is trained on too, {len(trained)} people together, and chooses nothing")
    data = Data(
        source=_training_set(people, source, config, "source", report) if uses_source else None,
        target=trained,
        validation=validation,
        test=evaluation_set(target, target.TEST_SET, config, "test", report),
        source_truth=truth,
    )
    _report_label_shift(data, report)
    return data


def build_single_data(config: EasyDict, report: Report) -> Data:
    """The one data set of train.py, as in SimpleBaseline validated on the set that it is tested on."""
    test = evaluation_set(config.DATASET, config.DATASET.TEST_SET, config, "test", report)
    people = _people_to_train_on(config.DATASET, config, report)
    return Data(None, _training_set(people, config.DATASET, config, "training", report), test, test)


def read_source(config: EasyDict, report: Report = lambda line: None) -> tuple[Annotations, Truth | None]:
    """The source's people with the labels to train on, and which of those are wrong where that is known.

    With LBI.INJECT_NOISE the labels on disk are corrupted first. Raises InputError.
    """
    group, lbi = config.DATASET_SRC, config.LBI
    on_disk = _people_to_train_on(group, config, report)
    truth = truth_beside(group.ROOT, group.TRAIN_SET, on_disk)
    if not lbi.INJECT_NOISE:
        return on_disk, truth
    if group.DATASET != "coco":
        raise InputError(
            f"LBI.INJECT_NOISE needs a source in COCO's layout, but DATASET_SRC.DATASET is {group.DATASET}"
        )
    try:
        people, truth = inject(on_disk, lbi.INJECT_NOISE, lbi.INJECT_SEED, truth)
    except InputError as error:
        raise InputError(f"LBI.INJECT_NOISE: {error}") from None
    labels = (on_disk.visible > 0) | (people.visible > 0)
    made_wrong = changed_labels(on_disk, people) & truth.wrong
    report(
        f"LBI.INJECT_NOISE {lbi.INJECT_NOISE}, seed {lbi.INJECT_SEED}: "
        f"{made_wrong.sum()} of {labels.sum()} source labels made wrong"
    )
    return people, truth


def write_injected_truth(config: EasyDict, data: Data, folder: Path) -> None:
    """Write ``injected_truth.json`` (see truth.py) for a run whose source labels LBI.INJECT_NOISE changed."""
    if data.source and config.LBI.INJECT_NOISE:
        noise, seed = config.LBI.INJECT_NOISE, config.LBI.INJECT_SEED
        write_truth_of(folder / INJECTED_TRUTH, noise, seed, data.source.annotations, data.source_truth)


def source_of_run(folder: Path) -> tuple[EasyDict, Annotations, Truth | None]:
    """The settings, the source's people as trained on, and the truth, of the run that wrote ``folder``.

    Raises InputError where the folder is not a run's, or the same noise can't be made again.
    """
    config, _ = load_config(folder / "config.yaml")
    people, truth = read_source(config)
    if config.LBI.INJECT_NOISE:
        written = read_truth_of(folder / INJECTED_TRUTH, people)
        # Other annotations by now, or another NumPy's random numbers: these are not the run's labels.
        if not np.array_equal(written.wrong, truth.wrong):
            raise InputError(
                f"{folder / INJECTED_TRUTH}: not the labels that LBI.INJECT_NOISE {config.LBI.INJECT_NOISE} "
                f"makes wrong in {config.DATASET_SRC.ROOT} now"
            )
        truth = written
    return config, people, truth


def _people_to_train_on(group: EasyDict, config: EasyDict, report: Report) -> Annotations:
    return read_people(group, group.TRAIN_SET, config, build_codec(config.MODEL), report)


def _training_set(
    people: Annotations, group: EasyDict, config: EasyDict, role: str, report: Report
) -> KeypointDataset:
    _report_people(people, group, group.TRAIN_SET, role, report)
    augmentation = Augmentation(group.FLIP, group.ROT_FACTOR, group.SCALE_FACTOR)
    return _keypoint_dataset(people, augmentation, config)


def _keypoint_dataset(
    people: Annotations, augmentation: Augmentation | None, config: EasyDict
) -> KeypointDataset:
    codec, of_all = build_codec(config.MODEL), config.DATASET
    return KeypointDataset(
        people, codec, augmentation, of_all.COLOR_RGB, config.SEED, of_all.CACHE, of_all.REDUCED_DECODE
    )


def evaluation_set(
    group: EasyDict, image_set: str, config: EasyDict, role: str, report: Report
) -> EvaluationSet:
    """The people of ``image_set`` to be evaluated on: annotated ones, or (COCO) detected ones."""
    codec, test = build_codec(config.MODEL), config.TEST
    names = network_joints(config.MODEL.NUM_JOINTS)
    _expect_labels(group.DATASET, names)

    def dataset(people: Annotations) -> KeypointDataset:
        _report_people(people, group, image_set, role, report)
        return _keypoint_dataset(people, None, config)

    if group.DATASET == "mpii":
        return MPIISet(dataset(read_people(group, image_set, config, codec, report)), test.PCKH_LEGACY_01)
    if test.USE_GT_BBOX:
        people = read_people(group, image_set, config, codec, report)
        image_ids, scores = people.image_ids, np.ones(len(people))
    else:
        detected = read_detections(
            test.COCO_BBOX_FILE,
            group.ROOT,
            image_set,
            names,
            codec.image_size[0] / codec.image_size[1],
            test.IMAGE_THRE,
            test.BBOX_THRE,
            group.DATA_FORMAT,
        )
        people, scores = detected.annotations, detected.scores
        image_ids = people.image_ids
    file = annotation_file(group.ROOT, image_set)
    return COCOSet(dataset(people), file, image_ids, scores, test.IN_VIS_THRE, test.OKS_THRE)


def _report_people(people: Annotations, group: EasyDict, image_set: str, role: str, report: Report) -> None:
    report(
        f"{role}: {len(people)} people in {len(np.unique(people.picture))} pictures"
        f" ({group.DATASET} {image_set}, {group.ROOT})"
    )


def read_people(
    group: EasyDict,
    image_set: str,
    config: EasyDict,
    codec: HeatmapCodec,
    report: Report = lambda line: None,
) -> Annotations:
    """The people of ``image_set`` of a data set that ``group`` (DATASET_SRC, ...) describes.

    With DATASET.ANNOTATION_CACHE from the file that an earlier start made, see annotation_cache.py.
    """
    names = network_joints(config.MODEL.NUM_JOINTS)
    aspect = codec.image_size[0] / codec.image_size[1]
    _expect_labels(group.DATASET, names)
    asked = {"set": image_set, "aspect": aspect}
    if group.DATASET == "coco":
        files, folder = (annotation_file(group.ROOT, image_set),), coco.picture_folder(group.ROOT, image_set)
    else:
        files, folder = mpii.annotation_files(group.ROOT, image_set), mpii.picture_folder(group.ROOT)
        asked["split"] = config.DATASET_TARGET.SPLIT

    def read() -> Annotations:
        if group.DATASET == "coco":
            return coco.read_coco(group.ROOT, image_set, names, aspect, group.DATA_FORMAT)
        return mpii.read_mpii(group.ROOT, image_set, names, aspect, asked["split"], group.DATA_FORMAT)

    reading = Reading(
        f"{group.DATASET}_{image_set}",
        joint_mapping(group.DATASET, names),
        asked,
        files,
        folder,
        group.DATA_FORMAT,
    )
    kept_in = Path(config.OUTPUT_DIR) / "annotations" if config.DATASET.ANNOTATION_CACHE else None
    return read_once(kept_in, reading, read, report)


def _expect_labels(dataset: str, names: tuple[str, ...]) -> None:
    try:
        joint_mapping(dataset, names)
    except KeyError as joint:
        raise InputError(
            f"MODEL.NUM_JOINTS is {len(names)}, but {dataset} has no label for {joint}"
        ) from None


def build_codec(model: EasyDict) -> HeatmapCodec:
    """The heatmaps that the configured network gives; InputError where the sizes don't fit it."""
    size = tuple(model.IMAGE_SIZE)
    if any(side % 32 for side in size):
        raise InputError(f"MODEL.IMAGE_SIZE is {size[0]} x {size[1]}; a ResNet needs multiples of 32")
    given = tuple(model.EXTRA.HEATMAP_SIZE)
    network = tuple(side // 32 * 2**model.EXTRA.NUM_DECONV_LAYERS for side in size)
    if given != network:
        raise InputError(
            f"MODEL.EXTRA.HEATMAP_SIZE is {given[0]} x {given[1]}, but with MODEL.IMAGE_SIZE {size[0]} x {size[1]}"
            f" and {model.EXTRA.NUM_DECONV_LAYERS} transposed convolutions it is {network[0]} x {network[1]}"
        )
    return HeatmapCodec(size, given, model.EXTRA.SIGMA)


def _report_label_shift(data: Data, report: Report) -> None:
    """Say which joints mean one thing in the source and another in the target."""
    if data.source is None:
        return
    source, target = data.source.annotations.mapping, data.target.annotations.mapping
    for joint, of_source, of_target in zip(source.names, source.native, target.native):
        if of_source != of_target:
            report(
                f"label shift: {joint} is {of_source} in the source ({source.dataset})"
                f" but {of_target} in the target ({target.dataset})"
            )
