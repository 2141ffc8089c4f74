"""Finding the wrong labels of an annotation file: by a training on it, or by another network's predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.layouts import training_set
from lib.doctor.request import Request, Trial
from lib.ignoring.modes import MODES, Place
from lib.ignoring.weight_table import read_weight_table
from lib.label_noise.source_record import check_ids
from lib.report.estimates import read_estimate
from lib.report.page import write_report
from lib.review.found import FoundLabels, LabelFile, write_found
from lib.review.inputs import TRAINING, record_inputs
from lib.review.labels_run import USUAL, LabelledImages, LabelsRun
from lib.review.predictions_run import PredictedImages, judge_by_predictions, table_of
from lib.review.preflight import check, plan
from lib.training.data import build_data
from lib.training.run_spec import RunSpec
from lib.training.trainer import train
from lib.training.weight_tables import TABLE
from lib.utils.distributed import ALONE
from lib.utils.errors import StoppedError
from lib.utils.log import LOG, open_terminal_unless_open
from lib.wrong_labels.estimate import Estimate

MODE = MODES["ours1"]
PLACE: Place = "B"  # of the weights in the target's own loss
TRIAL = Trial(steps=4, seconds=30)
GALLERY_ROWS = 4


@dataclass(frozen=True)
class Found:
    """What was found, as it is also written into the folder.

    folder: for review.py and apply_corrections.py.
    labels: every label, the most suspect first.
    estimate: how many are wrong.
    summary: the same for people, a line each.
    report: the page to look at; None where there is none, with predictions.
    """

    folder: Path
    labels: FoundLabels
    estimate: Estimate
    summary: tuple[str, ...]
    report: Path | None


def find_labels(
    doubtful: LabelledImages,
    trusted: LabelledImages,
    output: str | Path,
    effort: str = USUAL,
    settings: Mapping[str, Any] | None = None,
) -> Found:
    """Train on doubtful labels together with some that are right, and write what was found into ``output``.

    What was interrupted goes on when it is called again with the same files. The log tells what is done.

    Args:
        doubtful, trusted: the labels, of the same joints.
        effort: a key of EFFORTS: training steps, relative to what is usual for as much data.
        settings: {name as in docs/settings.md: value}, which override what is chosen.

    Raises:
        InputError: naming the file, annotation or setting that cannot be used; nothing was trained.
        StoppedError: by a signal, once a checkpoint is written.
    """
    open_terminal_unless_open()
    folder = Path(output)
    record_inputs(folder, {"--labels": doubtful.labels, "--trusted": trusted.labels})
    config = LabelsRun(doubtful, trusted, effort, dict(settings or {})).configuration()
    paths = RunPaths(folder / TRAINING, folder / "tensorboard")
    LOG.info(plan(config, MODE))
    check(Request(config, "main", MODE, paths, (), folder / "check", TRIAL))
    data = build_data(config, uses_source=True)
    annotations = data.source.annotations
    check_ids(annotations, data.source_record.file)
    try:
        results = train(RunSpec(config, MODE, data, paths, ALONE))
    except StoppedError as stopped:
        raise StoppedError(
            stopped.signal, f"stopped and saved in {folder}; the same command goes on"
        ) from None
    table = read_weight_table((paths.output / TABLE).with_suffix(".npz"), annotations)
    labels = FoundLabels.of(annotations, table)
    write_found(folder, label_file(config, annotations), labels)
    report = write_report([paths.output], folder / "report.html", GALLERY_ROWS)
    estimate = read_estimate(results, read_json(results)["weights"][PLACE])
    return Found(folder, labels, estimate, tuple(estimate.lines()), report)


def judge_labels(
    doubtful: PredictedImages,
    trusted: PredictedImages | None,
    output: str | Path,
    settings: Mapping[str, Any] | None = None,
) -> Found:
    """Judge doubtful labels by another network's predictions, and write what was found into ``output``.

    Args:
        doubtful: the labels and the predictions on their images.
        trusted: labels that are right, with the same network's predictions; None: there are none.
        settings: {name as in docs/settings.md: value}.

    Raises:
        InputError: naming the file, annotation or setting that cannot be used.
    """
    open_terminal_unless_open()
    folder = Path(output)
    files = {"--labels": doubtful.labelled.labels, "--predictions": doubtful.results}
    if trusted is not None:
        files |= {"--trusted": trusted.labelled.labels, "--trusted-predictions": trusted.results}
    record_inputs(folder, files)
    config, judged = judge_by_predictions(doubtful, trusted, dict(settings or {}))
    annotations = judged.annotations
    check_ids(annotations, Path(doubtful.labelled.labels))
    labels = FoundLabels.of(annotations, table_of(judged))
    write_found(folder, label_file(config, annotations), labels)
    estimate = judged.found.estimate
    return Found(folder, labels, estimate, (*judged.matched.lines(), *estimate.lines()), None)


def label_file(config: Config, annotations: Annotations) -> LabelFile:
    """The file of the labels in doubt, DATASET_SRC."""
    source = training_set(config.dataset_src)
    (path, *_), images = source.layout.annotation_files(source.name), source.layout.image_folder(source.name)
    return LabelFile.of(path, source.layout.name, images, annotations)
