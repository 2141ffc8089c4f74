"""The files of a benchmark that keeps its runs: a folder of each run, and each method's ranking as a table.

METHOD-SEED[-NOISE].csv         annotation_id, joint, score of every labelled keypoint of the source
injected-SEED-NOISE.csv         annotation_id, joint of the labels that were made wrong
runs/RUN-SEED[-NOISE]           output of the trainings; methods that share a run share its folder
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.csv_rows import SCORES, rows_of
from benchmarks.evidence.cases import Case, Job
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.outcome import Outcome, Ranking
from lib.training.checkpoints import BEST, LAST, PREVIOUS
from lib.utils.checkpoint import load_checkpoint, save_checkpoint
from lib.utils.errors import InputError
from lib.utils.files import write_text

LABELS = SCORES[:2]
Label = tuple[int, str]


def name_of(what: str, seed: int, noise: str) -> str:
    """WHAT-SEED, and -NOISE unless it is "none", as the name of a file or folder."""
    return f"{what}-{seed}" + ("" if noise == "none" else f"-{noise.replace(':', '_')}")


def injected_name(seed: int, noise: str) -> str:
    """The name of the file of the labels that were made wrong."""
    return f"{name_of('injected', seed, noise)}.csv"


def run_folder(job: Job) -> Path:
    """Where the trainings of a job write."""
    first = job.cases[0]
    return job.kept / "runs" / name_of(METHODS[first.method].run, first.seed, first.noise_text)


def keep(job: Job, outcomes: dict[str, Outcome]) -> dict[str, dict[str, str | None]]:
    """Write the rankings of a job, and leave of its trainings what is needed to judge labels again.

    Returns:
        For each method "scores", the file of its ranking, and "run", the folder of its training; None without one.
    """
    files: dict[str, dict[str, str | None]] = {}
    for case in job.cases:
        ranking, output = outcomes[case.method].ranking, outcomes[case.method].output
        name = f"{name_of(case.method, case.seed, case.noise_text)}.csv"
        if ranking is not None:
            write_scores(job.kept / name, ranking)
            if case.injected:
                write_injected(job.kept / injected_name(case.seed, case.noise_text), ranking)
        files[case.method] = {
            "scores": None if ranking is None else name,
            "run": None if output is None else str(output.relative_to(job.kept)),
        }
    for best in sorted(run_folder(job).rglob(BEST)):
        _slim(best)
    return files


def write_scores(path: Path, ranking: Ranking) -> None:
    """Write the scores of all labels, in the order of the annotations."""
    annotations = ranking.data.source.annotations
    labels = _labels(ranking, annotations.visible > 0)
    scores = np.asarray(ranking.scores, np.float64)[annotations.visible > 0].tolist()
    write_text(path, _table(SCORES, ((*label, score) for label, score in zip(labels, scores))))


def write_injected(path: Path, ranking: Ranking) -> None:
    """Write the labels that were made wrong on purpose."""
    truth, annotations = ranking.data.source_truth, ranking.data.source.annotations
    wrong = np.zeros(annotations.visible.shape, bool) if truth is None else truth.corrupted
    write_text(path, _table(LABELS, _labels(ranking, wrong & (annotations.visible > 0))))


def read_scores(path: Path) -> dict[Label, float]:
    """{(annotation id, joint): score} of a file of `write_scores`; InputError if it is not one."""
    try:
        return {_label_of(row): float(row["score"]) for _, row in rows_of(path, SCORES)}
    except ValueError as error:
        raise InputError(f"{path}: expected {', '.join(SCORES)} in every row ({error})") from None


def read_injected(path: Path) -> set[Label]:
    """The labels of a file of `write_injected`; InputError if it is not one."""
    try:
        return {_label_of(row) for _, row in rows_of(path, LABELS)}
    except ValueError as error:
        raise InputError(f"{path}: expected {', '.join(LABELS)} in every row ({error})") from None


def check_same_settings(path: Path, rows: list[dict], wanted: list[Case]) -> None:
    """Raise InputError if ``rows`` were made on another ground, or with other settings, than ``wanted`` has.

    Files are named after method, seed and noise alone.
    """
    of_method = {case.method: case for case in wanted}
    for row in rows:
        case = of_method.get(row["method"], wanted[0])
        if row["ground"] != case.ground:
            raise InputError(f"{path}: holds runs on {row['ground']}, not {case.ground}: give another --out")
        if row["method"] == case.method and row["settings"] != case.settings:
            was, now = (settings or "no settings" for settings in (row["settings"], case.settings))
            raise InputError(f"{path}: {case.method} was run with {was}, now with {now}: give another --out")


def _labels(ranking: Ranking, chosen: np.ndarray) -> Iterable[Label]:
    annotations = ranking.data.source.annotations
    people, joints = np.nonzero(chosen)
    names = annotations.mapping.names
    return [(number, names[j]) for number, j in zip(annotations.ids[people].tolist(), joints.tolist())]


def _label_of(row: dict[str, str]) -> Label:
    return int(row["annotation_id"]), row["joint"]


def _table(header: tuple[str, ...], rows: Iterable[tuple]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _slim(best: Path) -> None:
    """Leave of a finished training's checkpoints the best one, without its optimizers."""
    for name in (LAST, PREVIOUS):
        best.with_name(name).unlink(missing_ok=True)
    content = load_checkpoint(best)
    small = {key: value for key, value in content.items() if not key.endswith("_optimizer")}
    if len(small) < len(content):
        save_checkpoint(best, small)
