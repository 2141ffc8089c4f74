"""The source annotations that are trained on, with injected label noise if any, and their truth if known."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lib.config.loader import load_config
from lib.config.schema import Config, IgnoringConfig
from lib.dataset.annotations import Annotations
from lib.dataset.build import read_annotations
from lib.dataset.layouts import ObjectFileLayout, layout_of, training_set
from lib.label_noise.injection import changed_labels, inject
from lib.label_noise.source_record import SourceRecord, check_ids, check_source_of_folder
from lib.label_noise.truth import Truth, read_truth_of, truth_beside, write_truth_of
from lib.utils.errors import InputError
from lib.utils.log import LOG

INJECTED_TRUTH = "injected_truth.json"


class Source(NamedTuple):
    """The source's annotations.

    annotations: as trained on.
    truth: what is known about their labels: from the file beside the annotations or, after noise, relative to
        the labels on disk; None if nothing is known.
    record: what identifies the annotations on disk.
    """

    annotations: Annotations
    truth: Truth | None
    record: SourceRecord


def read_source(config: Config) -> tuple[Annotations, Truth | None]:
    """`read_recorded_source` without the record."""
    on_disk = _read_from_disk(config)
    return _with_noise(config, on_disk)


def read_recorded_source(config: Config) -> Source:
    """Read the source's annotations, and corrupt their labels with LBI.INJECT_NOISE if it is set.

    Raises:
        InputError: if the data cannot be read or the noise cannot be injected.
    """
    on_disk = _read_from_disk(config)
    record = SourceRecord.of(source_file(config), on_disk)
    return Source(*_with_noise(config, on_disk), record)


def source_file(config: Config) -> Path:
    """The source's annotation file."""
    return layout_of(config.dataset_src).annotation_files(config.dataset_src.train_set)[0]


def _read_from_disk(config: Config) -> Annotations:
    return read_annotations(config, training_set(config.dataset_src))


def _with_noise(config: Config, on_disk: Annotations) -> tuple[Annotations, Truth | None]:
    """The annotations as trained on, and their truth."""
    source, lbi = config.dataset_src, config.lbi
    layout = layout_of(source)
    truth = truth_beside(source_file(config), on_disk) if isinstance(layout, ObjectFileLayout) else None
    if not lbi.inject_noise:
        return on_disk, truth
    if not isinstance(layout, ObjectFileLayout):
        raise InputError(
            f"LBI.INJECT_NOISE needs a source in COCO's layout, but DATASET_SRC.DATASET is {layout.name}"
        )
    try:
        annotations, truth = inject(on_disk, lbi.inject_noise, lbi.inject_seed, truth)
    except InputError as error:
        raise InputError(f"LBI.INJECT_NOISE: {error}") from None
    labels = (on_disk.visible > 0) | (annotations.visible > 0)
    injected = changed_labels(on_disk, annotations) & truth.corrupted
    LOG.info(
        f"LBI.INJECT_NOISE {lbi.inject_noise}, seed {lbi.inject_seed}: "
        f"{injected.sum()} of {labels.sum()} source labels corrupted"
    )
    return annotations, truth


def write_injected_truth(lbi: IgnoringConfig, source: Annotations, truth: Truth, folder: Path) -> None:
    """Write ``injected_truth.json`` (see truth.py) for a run with LBI.INJECT_NOISE.

    Args:
        lbi: the section LBI of the configuration.
        source: the annotations after injection.
        truth: their truth.
        folder: the run's output folder.
    """
    write_truth_of(folder / INJECTED_TRUTH, lbi.inject_noise, lbi.inject_seed, source, truth)


def source_of_run(folder: Path) -> tuple[Config, Annotations, Truth | None]:
    """Read back what a run was trained on; injected noise is drawn again and compared with the run's record.

    Args:
        folder: the run's output folder.

    Returns:
        The configuration, the source's annotations as trained on, and their truth (None if unknown).

    Raises:
        InputError: if the folder is not a run's, the annotations are not those that it was trained on, an id is
            given twice, or the noise drawn now corrupts other labels.
    """
    config = load_config(folder / "config.yaml")
    annotations, truth, record = read_recorded_source(config)
    check_source_of_folder(folder, record)
    check_ids(annotations, record.file)
    if config.lbi.inject_noise:
        written = read_truth_of(folder / INJECTED_TRUTH, annotations)
        # They differ if the annotation files have changed, or NumPy's random number streams.
        if not np.array_equal(written.corrupted, truth.corrupted):
            raise InputError(
                f"{folder / INJECTED_TRUTH}: does not match the labels that LBI.INJECT_NOISE "
                f"{config.lbi.inject_noise} corrupts in {config.dataset_src.root} now"
            )
        truth = written
    return config, annotations, truth
