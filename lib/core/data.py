"""The data sets of a run, as the configuration names them."""

from collections.abc import Callable
from dataclasses import dataclass

from easydict import EasyDict

from lib.core.errors import InputError
from lib.core.heatmap import HeatmapCodec
from lib.dataset.annotations import Annotations
from lib.dataset.coco import read_coco
from lib.dataset.joints import Augmentation, KeypointDataset
from lib.dataset.keypoints import network_joints
from lib.dataset.mpii import read_mpii


@dataclass(frozen=True)
class Data:
    """source: to train on (None where the mode needs none).   target: T.   validation: V, without
    augmentation.   test: never used to choose anything."""

    source: KeypointDataset | None
    target: KeypointDataset
    validation: KeypointDataset
    test: KeypointDataset

    @property
    def joints(self) -> tuple[str, ...]:
        return self.target.annotations.mapping.names


def build_data(config: EasyDict, uses_source: bool, report: Callable[[str], None]) -> Data:
    """Read all annotations and check them; InputError for whatever cannot be used."""
    codec = build_codec(config.MODEL)
    if config.DATASET_TARGET.DATASET != "mpii":
        raise InputError("DATASET_TARGET.DATASET: the target is evaluated with PCKh, so it must be mpii")

    def dataset(group: EasyDict, image_set: str, role: str, train: bool) -> KeypointDataset:
        annotations = read_people(group, image_set, config, codec)
        report(
            f"{role}: {len(annotations)} people in {len(set(annotations.picture))} pictures"
            f" ({group.DATASET} {image_set}, {group.ROOT})"
        )
        augmentation = Augmentation(group.FLIP, group.ROT_FACTOR, group.SCALE_FACTOR) if train else None
        return KeypointDataset(annotations, codec, augmentation, config.DATASET.COLOR_RGB, config.SEED)

    target = config.DATASET_TARGET
    source = config.DATASET_SRC
    data = Data(
        source=dataset(source, source.TRAIN_SET, "source", True) if uses_source else None,
        target=dataset(target, target.TRAIN_SET, "target T", True),
        validation=dataset(target, target.VAL_SET, "validation V", False),
        test=dataset(target, target.TEST_SET, "test", False),
    )
    _report_label_shift(data, report)
    return data


def read_people(group: EasyDict, image_set: str, config: EasyDict, codec: HeatmapCodec) -> Annotations:
    """The people of ``image_set`` of a data set that ``group`` (DATASET_SRC, ...) describes."""
    names = network_joints(config.MODEL.NUM_JOINTS)
    aspect = codec.image_size[0] / codec.image_size[1]
    try:
        if group.DATASET == "coco":
            return read_coco(group.ROOT, image_set, names, aspect)
        return read_mpii(group.ROOT, image_set, names, aspect, config.DATASET_TARGET.SPLIT)
    except KeyError as joint:
        raise InputError(
            f"MODEL.NUM_JOINTS is {len(names)}, but {group.DATASET} has no label for {joint}"
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


def _report_label_shift(data: Data, report: Callable[[str], None]) -> None:
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
