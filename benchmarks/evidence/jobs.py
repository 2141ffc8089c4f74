"""The work of the benchmark's processes: generate data, and run jobs."""

import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import cv2
import torch

from benchmarks.evidence.cases import Job, digest
from benchmarks.evidence.grounds import GROUNDS, People
from benchmarks.evidence.keeping import keep, run_folder
from benchmarks.evidence.methods import METHODS, settings_of
from benchmarks.evidence.outcome import Outcome
from benchmarks.evidence.trial import Trial
from benchmarks.timing import processor


def run_job(job: Job) -> list[dict]:
    """Run a job; the rows of its cases. The run's own files are removed, unless the job says where to keep them."""
    cv2.setNumThreads(1)  # as torch, see ONE_THREAD
    if job.kept is None:
        with tempfile.TemporaryDirectory(prefix="evidence") as folder:
            return _rows(job, _outcomes(job, Path(folder)))
    outcomes = _outcomes(job, run_folder(job))
    files = keep(job, outcomes)
    return [row | files[case.method] for row, case in zip(_rows(job, outcomes), job.cases)]


def _outcomes(job: Job, folder: Path) -> dict[str, Outcome]:
    """What each method of the job gives; runs write into ``folder``."""
    first = job.cases[0]
    method = METHODS[first.method]
    mode = method.mode.name if method.mode else ""
    kept = job.kept is not None
    trial = Trial(job.cfg, mode, first.people(job.data), first.injected, first.seed,
                  settings_of(first.variables), folder, kept, job.anew)  # fmt: skip
    return method.recipe(trial, {case.method: case.settings for case in job.cases})


def _rows(job: Job, outcomes: dict[str, Outcome]) -> list[dict]:
    rows = []
    for case in job.cases:
        own = METHODS[case.method].mode
        row = {"mode": own and own.name, **asdict(case), **outcomes[case.method].row()}
        rows.append(row | {"config": digest(job.cfg), "machine": machine()})
    return rows


def draw(people: People) -> None:
    """Generate a data set unless it exists."""
    GROUNDS[people.ground].draw(people)


def machine() -> str:
    """Processor, cores and torch version, which the seconds depend on."""
    return f"{processor()}, {os.cpu_count()} cores, torch {torch.__version__}"
