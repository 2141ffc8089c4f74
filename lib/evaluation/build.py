"""Build the evaluation set of an image set, with the measure that its layout is evaluated by."""

from collections.abc import Callable, Sequence

import numpy as np

from lib.config.data_settings import SingleDatasetConfig, TargetDatasetConfig
from lib.config.schema import Config
from lib.dataset.annotations import Annotations
from lib.dataset.build import keypoint_dataset, log_annotations, read_annotations, read_options
from lib.dataset.detections import read_detections
from lib.dataset.frames import settled
from lib.dataset.joints import mapping_of
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.dataset.layouts import (
    COCOFormatLayout,
    COCOLayout,
    DatasetLayout,
    ImageSet,
    MPIILayout,
    ObjectFileLayout,
)
from lib.evaluation.coco import PoseNMS
from lib.evaluation.evaluators import COCOSet, EvaluationSet, MPIISet, ObjectSet
from lib.nms.nms import COCO_SIGMAS
from lib.utils.errors import InputError
from lib.utils.log import LOG


def evaluation_set(config: Config, image_set: ImageSet, role: str) -> EvaluationSet:
    """Build the set that a network is evaluated on: annotated instances, or (COCO) detected people.

    Args:
        config: the whole configuration.
        image_set: what is evaluated on.
        role: what log lines call it, e.g. "validation V".

    Raises:
        InputError: naming the file, setting or annotation that cannot be used.
    """
    return EVALUATION_SETS[type(image_set.layout)](config, image_set, role)


def _mpii_set(config: Config, image_set: ImageSet, role: str) -> MPIISet:
    """PCKh on annotated people."""
    annotations = read_annotations(config, image_set)
    dataset = _logged_dataset(config, annotations, image_set, role)
    return MPIISet(dataset, config.test.pckh_legacy_01)


def _object_set(config: Config, image_set: ImageSet, role: str) -> ObjectSet:
    """PCK and OKS-AP on annotated objects of a coco_format set."""
    test, layout = config.test, image_set.layout
    names = mapping_of(config, image_set).names
    if not test.use_gt_bbox:
        raise InputError("TEST.USE_GT_BBOX false is for coco; coco_format is evaluated on annotated boxes")
    assert isinstance(image_set.dataset_config, SingleDatasetConfig | TargetDatasetConfig)  # not the source
    given = image_set.dataset_config.sigmas
    sigmas = oks_sigmas(given, names)
    LOG.info(f"{role}: OKS with the sigmas {', '.join(f'{s:g}' for s in given)} (SIGMAS)")
    annotations = read_annotations(config, image_set)
    dataset = _logged_dataset(config, annotations, image_set, role)
    assert isinstance(layout, ObjectFileLayout)
    file = layout.object_file(image_set.name)
    return ObjectSet(dataset, file, tuple(sigmas.tolist()), PoseNMS(test.in_vis_thre, test.oks_thre))


def _coco_set(config: Config, image_set: ImageSet, role: str) -> COCOSet:
    """AP on annotated people or, with TEST.USE_GT_BBOX false, on the boxes of TEST.COCO_BBOX_FILE."""
    test, layout = config.test, image_set.layout
    count = config.model.num_joints
    if count != len(COCO_KEYPOINTS):
        raise InputError(
            f"MODEL.NUM_JOINTS is {count}; expected {len(COCO_KEYPOINTS)}, as COCO's AP needs for {role}"
        )
    if test.use_gt_bbox:
        annotations = read_annotations(config, image_set)
        scores = np.ones(len(annotations))
    else:
        detected = read_detections(
            test.coco_bbox_file,
            layout,
            image_set.name,
            mapping_of(config, image_set),
            read_options(config),
            test.image_thre,
            test.bbox_thre,
        )
        file = layout.annotation_files(image_set.name)[0]
        annotations, scores = settled(detected.annotations, file, config.dataset), detected.scores
    dataset = _logged_dataset(config, annotations, image_set, role)
    nms = PoseNMS(test.in_vis_thre, test.oks_thre)
    assert isinstance(layout, ObjectFileLayout)
    built = COCOSet(dataset, layout.object_file(image_set.name), COCO_SIGMAS, nms, scores)
    if (
        not test.use_gt_bbox and not built.truth.is_labelled
    ):  # its annotations are read now: before hours are spent
        LOG.info(f"{role}: {built.file.path} has no annotations, so there will be results but no AP")
    return built


EVALUATION_SETS: dict[type[DatasetLayout], Callable[..., EvaluationSet]] = {
    MPIILayout: _mpii_set,
    COCOLayout: _coco_set,
    COCOFormatLayout: _object_set,
}


def _logged_dataset(
    config: Config, annotations: Annotations, image_set: ImageSet, role: str
) -> KeypointDataset:
    """Samples of ``annotations`` without augmentation; their number is logged."""
    log_annotations(annotations, image_set, role)
    return keypoint_dataset(config, annotations, None)


def oks_sigmas(sigmas: Sequence[float], names: tuple[str, ...]) -> np.ndarray:
    """OKS sigmas float64 [J] of the joints ``names``, from the setting SIGMAS.

    Raises:
        InputError: there is neither one number for all joints nor one for each.
    """
    if len(sigmas) not in (1, len(names)):
        raise InputError(
            f"SIGMAS has {len(sigmas)} numbers, expected one for all joints or {len(names)}: {', '.join(names)}"
        )
    return np.broadcast_to(np.array(sigmas, np.float64), len(names))
