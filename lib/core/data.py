"""The data sets of a run, as the configuration names them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from easydict import EasyDict

from lib.core.coco_evaluation import ObjectKind
from lib.core.config import load_config
from lib.core.errors import InputError
from lib.core.evaluation_sets import COCOSet, EvaluationSet, MPIISet, ObjectSet
from lib.core.heatmap import HeatmapCodec
from lib.core.layouts import (
    FORMAT,
    annotation_files,
    called,
    category_of,
    in_coco_layout,
    mapping_of,
    notes_on_joints,
    notes_on_sides,
    picture_folder,
    sigmas_of,
)
from lib.dataset import mpii
from lib.dataset.annotation_cache import Reading, read_once
from lib.dataset.annotations import Annotations
from lib.dataset.coco import read_objects
from lib.dataset.detections import read_detections
from lib.dataset.injection import changed_labels, inject
from lib.dataset.joints import Augmentation, KeypointDataset
from lib.dataset.pictures import PictureFolder
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
    if target.DATASET == "coco":
        raise InputError(
            "DATASET_TARGET.DATASET: the target is evaluated with PCKh or PCK, so it must be mpii or coco_format"
        )
    cut = target.DATASET == FORMAT and target.VAL_SET == target.TRAIN_SET
    people = truth = None
    if uses_source:
        people, truth = read_source(config, report)
    elif config.LBI.INJECT_NOISE:
        report("LBI.INJECT_NOISE: this mode has no source, so nothing is made wrong")
    validation = evaluation_set(target, target.VAL_SET, config, "validation V", report, True if cut else None)
    on = _people_to_train_on(target, config, report, False if cut else None)
    trained = _training_set(on, target, config, "target T", report)
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
    for note in notes_on_sides(data.joints):
        report(note)
    if data.source is not None:
        of_source, of_target = data.source.annotations.mapping, data.target.annotations.mapping
        for note in notes_on_joints(of_source, of_target, source.JOINTS):
            report(note)
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
    truth = (
        truth_beside(annotation_files(group, group.TRAIN_SET)[0], on_disk) if in_coco_layout(group) else None
    )
    if not lbi.INJECT_NOISE:
        return on_disk, truth
    if not in_coco_layout(group):
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


def _people_to_train_on(
    group: EasyDict, config: EasyDict, report: Report, validation: bool | None = None
) -> Annotations:
    return read_people(group, group.TRAIN_SET, config, build_codec(config.MODEL), report, validation)


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
    group: EasyDict,
    image_set: str,
    config: EasyDict,
    role: str,
    report: Report,
    validation: bool | None = None,
) -> EvaluationSet:
    """The people of ``image_set`` to be evaluated on: annotated ones, or (COCO) detected ones.

    ``validation``: see `read_people`.
    """
    codec, test = build_codec(config.MODEL), config.TEST
    mapping = mapping_of(config, group, image_set)

    def dataset(people: Annotations) -> KeypointDataset:
        _report_people(people, group, image_set, role, report)
        return _keypoint_dataset(people, None, config)

    def annotated() -> Annotations:
        return read_people(group, image_set, config, codec, report, validation)

    if group.DATASET == "mpii":
        return MPIISet(dataset(annotated()), test.PCKH_LEGACY_01)
    (file,) = annotation_files(group, image_set)
    if group.DATASET == FORMAT:
        if not test.USE_GT_BBOX:
            raise InputError(
                "TEST.USE_GT_BBOX false is for coco; coco_format is evaluated on annotated boxes"
            )
        sigmas = sigmas_of(group, mapping.names)
        report(f"{role}: OKS with the sigmas {', '.join(f'{s:g}' for s in group.SIGMAS)} (SIGMAS)")
        kind = ObjectKind(category_of(group, image_set).number, tuple(sigmas.tolist()))
        return ObjectSet(dataset(annotated()), file, kind, test.IN_VIS_THRE, test.OKS_THRE)
    if test.USE_GT_BBOX:
        people = annotated()
        image_ids, scores = people.image_ids, np.ones(len(people))
    else:
        detected = read_detections(
            test.COCO_BBOX_FILE,
            group.ROOT,
            image_set,
            mapping.names,
            codec.image_size[0] / codec.image_size[1],
            test.IMAGE_THRE,
            test.BBOX_THRE,
            group.DATA_FORMAT,
        )
        people, scores = detected.annotations, detected.scores
        image_ids = people.image_ids
    return COCOSet(dataset(people), file, image_ids, scores, test.IN_VIS_THRE, test.OKS_THRE)


def _report_people(people: Annotations, group: EasyDict, image_set: str, role: str, report: Report) -> None:
    report(
        f"{role}: {len(people)} {called(group)} in {len(np.unique(people.picture))} pictures"
        f" ({group.DATASET} {image_set}, {group.ROOT})"
    )


def read_people(
    group: EasyDict,
    image_set: str,
    config: EasyDict,
    codec: HeatmapCodec,
    report: Report = lambda line: None,
    validation: bool | None = None,
) -> Annotations:
    """The people (or other objects) of ``image_set`` of a data set that ``group`` (DATASET_SRC, ...) describes.

    ``validation`` true or false: only V's third of them, or the rest, as DATASET_TARGET.SPLIT cuts.
    With DATASET.ANNOTATION_CACHE from the file that an earlier start made, see annotation_cache.py.
    """
    mapping = mapping_of(config, group, image_set)
    aspect = codec.image_size[0] / codec.image_size[1]
    category, split = category_of(group, image_set), config.DATASET_TARGET.SPLIT
    folder = picture_folder(group, image_set)
    asked = {"set": image_set, "aspect": aspect}
    if group.DATASET == "mpii":
        asked["split"] = split
    if category is not None:
        asked["category"] = category.number

    def read() -> Annotations:
        if group.DATASET == "mpii":
            return mpii.read_mpii(
                group.ROOT, image_set, mapping.names, aspect, split, group.DATA_FORMAT, mapping
            )

        def open_pictures() -> PictureFolder:
            return PictureFolder(folder, group.DATA_FORMAT, reading.nested)

        return read_objects(reading.files[0], open_pictures, mapping, aspect, category and category.number)

    reading = Reading(
        f"{group.DATASET}_{Path(image_set).stem}",
        mapping,
        asked,
        annotation_files(group, image_set),
        folder,
        group.DATA_FORMAT,
        nested=category is not None,
    )
    kept_in = Path(config.OUTPUT_DIR) / "annotations" if config.DATASET.ANNOTATION_CACHE else None
    people = read_once(kept_in, reading, read, report)
    if validation is None:
        return people
    part = people.subset(mpii.validation_part(people, split) == validation)
    if not len(part):
        raise InputError(
            f"{reading.files[0]}: too few pictures to be cut into T and V (DATASET_TARGET.SPLIT)"
        )
    return part


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
