"""Build the evaluation set that the configuration names."""

import numpy as np

from lib.config.schema import Config, DatasetConfig
from lib.dataset.annotations import Annotations
from lib.dataset.build import Report, build_codec, keypoint_dataset, read_people, report_annotations
from lib.dataset.detections import read_detections
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.layouts import (
    FORMAT,
    annotation_files,
    category_of,
    mapping_of,
    sigmas_of,
)
from lib.evaluation.coco import ObjectKind
from lib.evaluation.evaluators import COCOSet, EvaluationSet, MPIISet, ObjectSet
from lib.utils.errors import InputError


def evaluation_set(
    dataset_config: DatasetConfig,
    image_set: str,
    config: Config,
    role: str,
    report: Report,
    validation: bool | None = None,
) -> EvaluationSet:
    """The people of ``image_set`` to be evaluated on: annotated ones, or (COCO) detected ones.

    ``validation``: see `read_people`.
    """
    codec, test = build_codec(config.model), config.test
    mapping = mapping_of(config, dataset_config, image_set)

    def dataset(people: Annotations) -> KeypointDataset:
        report_annotations(people, dataset_config, image_set, role, report)
        return keypoint_dataset(people, None, config)

    def annotated() -> Annotations:
        return read_people(dataset_config, image_set, config, codec, report, validation)

    if dataset_config.dataset == "mpii":
        return MPIISet(dataset(annotated()), test.pckh_legacy_01)
    (file,) = annotation_files(dataset_config, image_set)
    if dataset_config.dataset == FORMAT:
        if not test.use_gt_bbox:
            raise InputError(
                "TEST.USE_GT_BBOX false is for coco; coco_format is evaluated on annotated boxes"
            )
        sigmas = sigmas_of(dataset_config, mapping.names)
        report(f"{role}: OKS with the sigmas {', '.join(f'{s:g}' for s in dataset_config.sigmas)} (SIGMAS)")
        kind = ObjectKind(category_of(dataset_config, image_set).number, tuple(sigmas.tolist()))
        return ObjectSet(dataset(annotated()), file, kind, test.in_vis_thre, test.oks_thre)
    if test.use_gt_bbox:
        people = annotated()
        image_ids, scores = people.image_ids, np.ones(len(people))
    else:
        detected = read_detections(
            test.coco_bbox_file,
            dataset_config.root,
            image_set,
            mapping.names,
            codec.image_size[0] / codec.image_size[1],
            test.image_thre,
            test.bbox_thre,
            dataset_config.data_format,
        )
        people, scores = detected.annotations, detected.scores
        image_ids = people.image_ids
    return COCOSet(dataset(people), file, image_ids, scores, test.in_vis_thre, test.oks_thre)
