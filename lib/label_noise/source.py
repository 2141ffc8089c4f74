"""The source's annotations as trained on: with injected label noise, and with the truth where it is known."""

from pathlib import Path

import numpy as np

from lib.config.loader import load_config
from lib.config.schema import Config, IgnoringConfig
from lib.dataset.annotations import Annotations
from lib.dataset.build import Report, read_annotations
from lib.dataset.layouts import layout_of, training_set
from lib.label_noise.injection import changed_labels, inject
from lib.label_noise.truth import Truth, read_truth_of, truth_beside, write_truth_of
from lib.utils.errors import InputError

INJECTED_TRUTH = "injected_truth.json"


def read_source(config: Config, report: Report = lambda line: None) -> tuple[Annotations, Truth | None]:
    """The source's people with the labels to train on, and which of those are wrong where that is known.

    With LBI.INJECT_NOISE the labels on disk are corrupted first. Raises InputError.
    """
    source, lbi = config.dataset_src, config.lbi
    layout = layout_of(source)
    on_disk = read_annotations(config, training_set(source), report)
    file = layout.annotation_files(source.train_set)[0]
    truth = truth_beside(file, on_disk) if layout.in_coco_format else None
    if not lbi.inject_noise:
        return on_disk, truth
    if not layout.in_coco_format:
        raise InputError(
            f"LBI.INJECT_NOISE needs a source in COCO's layout, but DATASET_SRC.DATASET is {layout.name}"
        )
    try:
        people, truth = inject(on_disk, lbi.inject_noise, lbi.inject_seed, truth)
    except InputError as error:
        raise InputError(f"LBI.INJECT_NOISE: {error}") from None
    labels = (on_disk.visible > 0) | (people.visible > 0)
    made_wrong = changed_labels(on_disk, people) & truth.wrong
    report(
        f"LBI.INJECT_NOISE {lbi.inject_noise}, seed {lbi.inject_seed}: "
        f"{made_wrong.sum()} of {labels.sum()} source labels made wrong"
    )
    return people, truth


def write_injected_truth(lbi: IgnoringConfig, source: Annotations, truth: Truth, folder: Path) -> None:
    """Write ``injected_truth.json`` (see truth.py) for a run whose source labels LBI.INJECT_NOISE changed."""
    write_truth_of(folder / INJECTED_TRUTH, lbi.inject_noise, lbi.inject_seed, source, truth)


def source_of_run(folder: Path) -> tuple[Config, Annotations, Truth | None]:
    """The settings, the source's people as trained on, and the truth, of the run that wrote ``folder``.

    Raises InputError where the folder is not a run's, or the same noise can't be made again.
    """
    config, _ = load_config(folder / "config.yaml")
    people, truth = read_source(config)
    if config.lbi.inject_noise:
        written = read_truth_of(folder / INJECTED_TRUTH, people)
        # Other annotations by now, or another NumPy's random numbers: these are not the run's labels.
        if not np.array_equal(written.wrong, truth.wrong):
            raise InputError(
                f"{folder / INJECTED_TRUTH}: not the labels that LBI.INJECT_NOISE {config.lbi.inject_noise} "
                f"makes wrong in {config.dataset_src.root} now"
            )
        truth = written
    return config, people, truth
