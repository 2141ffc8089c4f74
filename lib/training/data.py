"""The data sets of a run, as the configuration names them."""

from dataclasses import dataclass

from lib.config.schema import Config
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


def build_data(config: Config, uses_source: bool, report: Report) -> Data:
    """Source and target of main.py, all annotations read and checked; InputError for what cannot be used."""
    source, target = config.dataset_src, config.dataset_target
    if target.dataset == "coco":
        raise InputError(
            "DATASET_TARGET.DATASET: the target is evaluated with PCKh or PCK, so it must be mpii or coco_format"
        )
    cut = target.dataset == FORMAT and target.val_set == target.train_set
    people = truth = None
    if uses_source:
        people, truth = read_source(config, report)
    elif config.lbi.inject_noise:
        report("LBI.INJECT_NOISE: this mode has no source, so nothing is made wrong")
    validation = evaluation_set(target, target.val_set, config, "validation V", report, True if cut else None)
    on = training_annotations(target, config, report, False if cut else None)
    trained = training_set(on, target, config, "target T", report)
    if config.lbi.val_in_train:
        trained.annotations = trained.annotations.joined(validation.dataset.annotations)
        report(f"LBI.VAL_IN_TRAIN: V is trained on too, {len(trained)} people together, and chooses nothing")
    data = Data(
        source=training_set(people, source, config, "source", report) if uses_source else None,
        target=trained,
        validation=validation,
        test=evaluation_set(target, target.test_set, config, "test", report),
        source_truth=truth,
    )
    for note in notes_on_sides(data.joints):
        report(note)
    if data.source is not None:
        of_source, of_target = data.source.annotations.mapping, data.target.annotations.mapping
        for note in notes_on_joints(of_source, of_target, source.joints):
            report(note)
    return data


def build_single_data(config: Config, report: Report) -> Data:
    """The one data set of train.py, as in SimpleBaseline validated on the set that it is tested on."""
    test = evaluation_set(config.dataset, config.dataset.test_set, config, "test", report)
    people = training_annotations(config.dataset, config, report)
    return Data(None, training_set(people, config.dataset, config, "training", report), test, test)
