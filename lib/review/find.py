"""Finding the wrong labels of an annotation file: by a training on it, or by another network's predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from lib.report.judged import write_judged_report
from lib.report.page import write_report
from lib.review.apply import Reviewed, read_reviewed
from lib.review.found import FoundLabels, LabelFile, write_found
from lib.review.inputs import TRAINING, record_inputs
from lib.review.label_text import warn_of_attributes
from lib.review.labels_run import USUAL, LabelledImages, LabelsRun
from lib.review.predictions_run import PredictedImages, PredictionsRun, table_of
from lib.review.preflight import check, plan
from lib.review.reviewed import KnownLabels, carry_over, decision_files, reviewed_labels
from lib.training.data import Data, build_data
from lib.training.run_spec import RunSpec
from lib.training.trainer import train
from lib.training.weight_tables import TABLE
from lib.utils.distributed import ALONE
from lib.utils.errors import InputError, StoppedError, short_repr
from lib.utils.log import LOG, open_terminal_unless_open
from lib.wrong_labels.estimate import Estimate

MODE = MODES["ours1"]
PLACE: Place = "B"  # of the weights in the target's own loss
TRIAL = Trial(steps=4, seconds=30)
GALLERY_ROWS = 4
REPORT = "report.html"


@dataclass(frozen=True)
class Found:
    """What was found, as it is also written into the folder.

    folder: for review.py and apply_corrections.py.
    labels: every label, the most suspect first.
    estimate: how many are wrong.
    summary: the same for people, a line each.
    report: the page to look at.
    """

    folder: Path
    labels: FoundLabels
    estimate: Estimate
    summary: tuple[str, ...]
    report: Path


def find_labels(
    doubtful: LabelledImages,
    trusted: LabelledImages,
    output: str | Path,
    effort: str = USUAL,
    settings: Mapping[str, Any] | None = None,
    reviewed: str | Path | Sequence[str | Path] = (),
) -> Found:
    """Train on doubtful labels together with some that are right, and write what was found into ``output``.

    What was interrupted goes on when it is called again with the same files. The log tells what is done.

    Args:
        doubtful, trusted: the labels, of the same joints.
        effort: a key of EFFORTS: training steps, relative to what is usual for as much data.
        settings: {name as in docs/settings.md: value}, which override what is chosen.
        reviewed: folders of earlier searches, the older first. What was reviewed there is known to be right, and not
            judged again.

    Raises:
        InputError: naming the file, annotation or setting that cannot be used; nothing was trained.
        StoppedError: by a signal, once a checkpoint is written.
    """
    open_terminal_unless_open()
    for name, value in (("doubtful", doubtful), ("trusted", trusted)):
        _check_type(name, value, LabelledImages)
    folder, earlier, given = _folder(output), read_earlier(reviewed), _given(settings)
    record_inputs(
        folder, {"--labels": doubtful.labels, "--trusted": trusted.labels} | decision_files(earlier)
    )
    config = LabelsRun(doubtful, trusted, effort, given).configuration()
    warn_of_attributes(Path(doubtful.labels))
    paths = RunPaths(folder / TRAINING, folder / "tensorboard")
    LOG.info(plan(config, MODE))
    check(Request(config, "main", MODE, paths, (), folder / "check", TRIAL))
    data = build_data(config, uses_source=True)
    annotations = data.source.annotations
    check_ids(annotations, data.source_record.file)
    file = label_file(config, annotations)
    if earlier:
        known = reviewed_labels(annotations, file, earlier)
        LOG.info(known.line())
        data = with_known(data, known)
    try:
        results = train(RunSpec(config, MODE, data, paths, ALONE))
    except StoppedError as stopped:
        raise StoppedError(
            stopped.signal, f"stopped and saved in {folder}; the same command goes on"
        ) from None
    table = read_weight_table((paths.output / TABLE).with_suffix(".npz"), annotations)
    labels = FoundLabels.of(annotations, table)
    carry_over(decision_files(earlier, file), folder)
    write_found(folder, file, labels)
    report = write_report([paths.output], folder / REPORT, GALLERY_ROWS)
    estimate = read_estimate(results, read_json(results)["weights"][PLACE])
    return Found(folder, labels, estimate, tuple(estimate.lines()), report)


def judge_labels(
    doubtful: PredictedImages,
    trusted: PredictedImages | None,
    output: str | Path,
    settings: Mapping[str, Any] | None = None,
    reviewed: str | Path | Sequence[str | Path] = (),
) -> Found:
    """Judge doubtful labels by another network's predictions, and write what was found into ``output``.

    Args:
        doubtful: the labels and the predictions on their images.
        trusted: labels that are right, with the same network's predictions; None: there are none.
        settings: {name as in docs/settings.md: value}.
        reviewed: folders of earlier searches, the older first, whose reviewed labels are not judged again.

    Raises:
        InputError: naming the file, annotation or setting that cannot be used.
    """
    open_terminal_unless_open()
    for name, value in (("doubtful", doubtful), ("trusted", trusted)):
        if value is not None or name == "doubtful":
            _check_type(name, value, PredictedImages)
            _check_type(f"{name}: labelled", value.labelled, LabelledImages)
    folder, earlier, given = _folder(output), read_earlier(reviewed), _given(settings)
    files = {"--labels": doubtful.labelled.labels, "--predictions": doubtful.results}
    if trusted is not None:
        files |= {"--trusted": trusted.labelled.labels, "--trusted-predictions": trusted.results}
    record_inputs(folder, files | decision_files(earlier))
    run = PredictionsRun.of(doubtful, trusted, given)
    warn_of_attributes(Path(doubtful.labelled.labels))
    annotations = run.source.annotations
    check_ids(annotations, Path(doubtful.labelled.labels))
    file, known = label_file(run.config, annotations), None
    if earlier:
        known = reviewed_labels(annotations, file, earlier)
        LOG.info(known.line())
    judged = run.judged(known)
    labels = FoundLabels.of(annotations, table_of(judged))
    carry_over(decision_files(earlier, file), folder)
    write_found(folder, file, labels)
    report = write_judged_report(judged, folder / REPORT, Path(doubtful.labelled.labels), GALLERY_ROWS)
    estimate = judged.found.estimate
    return Found(folder, labels, estimate, (*judged.matched.lines(), *estimate.lines()), report)


def _check_type(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise InputError(f"{name} is {short_repr(value)}, expected a {kind.__name__}")


def _folder(output: str | Path) -> Path:
    if not str(output):
        raise InputError("output is empty, expected the folder to write into")
    return Path(output)


def _given(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    if settings is not None and not isinstance(settings, Mapping):
        raise InputError(f"settings is {short_repr(settings)}, expected {{name: value}}")
    return dict(settings or {})


def read_earlier(folders: str | Path | Sequence[str | Path]) -> list[Reviewed]:
    """What was decided in earlier folders, or in one; InputError if it cannot be read, or has no decisions."""
    given = [folders] if isinstance(folders, (str, Path)) else folders
    earlier = [read_reviewed(folder) for folder in given]
    for folder in earlier:
        folder.check_decided()
    return earlier


def with_known(data: Data, known: KnownLabels) -> Data:
    """The data with the labels of the source that were reviewed corrected, and known to be right.

    They stay in the source: among the trusted instances, to which a network is fitted as they are, instances with a few
    labels would take the place of fully labelled ones (docs/review.md).
    """
    truth = data.source_truth
    if truth is not None:
        truth = replace(truth, corrupted=truth.corrupted & ~known.settled)
    source = data.source.with_annotations(known.annotations)
    return replace(data, source_truth=truth, source=source, known=known.settled)


def label_file(config: Config, annotations: Annotations) -> LabelFile:
    """The file of the labels in doubt, DATASET_SRC."""
    source = training_set(config.dataset_src)
    (path, *_), images = source.layout.annotation_files(source.name), source.layout.image_folder(source.name)
    return LabelFile.of(path, source.layout.name, images, annotations)
