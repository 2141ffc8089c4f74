"""The data sets of a run, as the configuration names them."""

from dataclasses import dataclass

from easydict import EasyDict

from lib.dataset.build import Report, training_annotations, training_set
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.layouts import (
    FORMAT,
    notes_on_joints,
    notes_on_sides,
)
from lib.evaluation.build import evaluation_set
from lib.evaluation.evaluators import EvaluationSet
from lib.label_noise.source import read_source
from lib.label_noise.truth import Truth
from lib.utils.errors import InputError


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
    on = training_annotations(target, config, report, False if cut else None)
    trained = training_set(on, target, config, "target T", report)
    if config.LBI.VAL_IN_TRAIN:
        trained.annotations = trained.annotations.joined(validation.dataset.annotations)
        report(f"LBI.VAL_IN_TRAIN: V is trained on too, {len(trained)} people together, and chooses nothing")
    data = Data(
        source=training_set(people, source, config, "source", report) if uses_source else None,
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
    people = training_annotations(config.DATASET, config, report)
    return Data(None, training_set(people, config.DATASET, config, "training", report), test, test)
