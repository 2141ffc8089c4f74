"""The data sets of a run, as the configuration names them."""

from dataclasses import dataclass, replace

import numpy as np

from lib.config.schema import Config
from lib.dataset.build import log_annotations, read_annotations, training_dataset, with_pack
from lib.dataset.joints import notes_on_joints, sides_without_pairs
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.layouts import COCOLayout, ImageSet, layout_of, target_sets, training_set
from lib.dataset.skeleton import Skeleton
from lib.evaluation.build import evaluation_set
from lib.evaluation.evaluators import EvaluationSet
from lib.label_noise.source import read_recorded_source
from lib.label_noise.source_record import SourceRecord
from lib.label_noise.truth import Truth
from lib.utils.distributed import Group
from lib.utils.errors import InputError
from lib.utils.log import LOG


@dataclass(frozen=True)
class Data:
    """The data sets of a run.

    source: training samples of the source; None if the mode does not use it.
    target: training samples of the target, T.
    validation: V, without augmentation.
    test: used for model selection only by train.py, which has no other set.
    source_truth: which labels of the source are wrong; None if unknown.
    source_record: which annotations of the source the ignoring weights belong to; None without a source.
    known: bool [N, J], labels of the source that are known to be right: their weights are 1, and they are not judged;
        None: nothing is known.
    """

    source: KeypointDataset | None
    target: KeypointDataset
    validation: EvaluationSet
    test: EvaluationSet
    source_truth: Truth | None = None
    source_record: SourceRecord | None = None
    known: np.ndarray | None = None

    @property
    def skeleton(self) -> Skeleton:
        """The network's joints."""
        return self.target.annotations.mapping.skeleton

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the network's joints."""
        return self.skeleton.names


def build_data(config: Config, uses_source: bool) -> Data:
    """Read and check the source and target of main.py.

    Args:
        config: the whole configuration.
        uses_source: whether the mode trains on the source.

    Raises:
        InputError: naming the file, setting or annotation that cannot be used.
    """
    source, target = config.dataset_src, config.dataset_target
    if isinstance(layout_of(target), COCOLayout):
        raise InputError(
            "DATASET_TARGET.DATASET: the target is evaluated with PCKh or PCK, so it must be mpii or coco_format"
        )
    source_annotations = truth = record = None
    if uses_source:
        source_annotations, truth, record = read_recorded_source(config)
    elif config.lbi.inject_noise:
        LOG.info("LBI.INJECT_NOISE: this mode has no source, so nothing is made wrong")
    training_part, validation_part = target_sets(target)
    validation = evaluation_set(config, validation_part, "validation V")
    target_annotations = read_annotations(config, training_part)
    log_annotations(target_annotations, training_part, "target T")
    if config.lbi.val_in_train:
        target_annotations = target_annotations.joined(validation.dataset.annotations)
        LOG.info(
            f"LBI.VAL_IN_TRAIN: training on T and V ({len(target_annotations)} {layout_of(target).noun} together); "
            "no model selection on V"
        )
    if source_annotations is not None:
        log_annotations(source_annotations, training_set(source), "source")
    data = Data(
        source=training_dataset(config, source, source_annotations) if uses_source else None,
        target=training_dataset(config, target, target_annotations),
        validation=validation,
        test=evaluation_set(config, ImageSet(target, target.test_set), "test"),
        source_truth=truth,
        source_record=record,
    )
    flips = target.flip or (uses_source and source.flip) or config.test.flip_test
    if problem := sides_without_pairs(data.skeleton, flips):
        LOG.warning(problem)
    if data.source is not None:
        mappings = data.source.annotations.mapping, data.target.annotations.mapping
        for note in notes_on_joints(*mappings, source.joints):
            LOG.info(note)
    return data


def build_single_data(config: Config) -> Data:
    """Read the only data set of train.py; as in SimpleBaseline, the test set is also the validation set."""
    test = evaluation_set(config, ImageSet(config.dataset, config.dataset.test_set), "test")
    image_set = training_set(config.dataset)
    annotations = read_annotations(config, image_set)
    log_annotations(annotations, image_set, "training")
    data = Data(None, training_dataset(config, config.dataset, annotations), test, test)
    if problem := sides_without_pairs(data.skeleton, config.dataset.flip or config.test.flip_test):
        LOG.warning(problem)
    return data


def sets_with_packs(config: Config, data: Data) -> list[tuple[str, ImageSet, KeypointDataset]]:
    """The sets that have a pack with DATASET.PACK: (role, image set, samples).

    The test set of main.py is read only once, so it has none.
    """
    if data.validation is data.test:  # train.py
        training, validated = training_set(config.dataset), ImageSet(config.dataset, config.dataset.test_set)
    else:
        training, validated = target_sets(config.dataset_target)
    sets = [("training", training, data.target), ("validation", validated, data.validation.dataset)]
    return sets if data.source is None else [("source", training_set(config.dataset_src), data.source), *sets]


def with_packs(config: Config, data: Data, group: Group) -> Data:
    """With DATASET.PACK, take the pixels of samples from packs, which rank 0 makes.

    Args:
        config: the whole configuration.
        data: of `build_data` or `build_single_data`.
        group: process group.

    Raises:
        InputError: a pack cannot be made.
    """
    if not config.dataset.pack:
        return data
    with group.main_process_first_however_long("packing"):
        packed = {
            role: with_pack(config, image_set, role, dataset, make=group.is_main)
            for role, image_set, dataset in sets_with_packs(config, data)
        }
    validation = replace(data.validation, dataset=packed["validation"])
    test = validation if data.validation is data.test else data.test
    return replace(
        data, source=packed.get("source"), target=packed["training"], validation=validation, test=test
    )
