"""Build the evaluation set that the configuration names."""

import numpy as np
from easydict import EasyDict

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
        report_annotations(people, group, image_set, role, report)
        return keypoint_dataset(people, None, config)

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
