"""What the processes of the benchmark do: draw data, and run jobs into rows."""

import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import cv2
import torch

from benchmarks.evidence.cases import Job, People, digest
from benchmarks.evidence.methods import METHODS, settings_of
from benchmarks.evidence.trial import Trial
from benchmarks.timing import processor
from lib.synthetic.generate import PeopleConfig, make_people


def run_job(job: Job) -> list[dict]:
    """The rows of a job's cases; what the runs themselves write is removed."""
    cv2.setNumThreads(1)  # as torch, see QUIET
    first = job.cases[0]
    method = METHODS[first.method]
    with tempfile.TemporaryDirectory(prefix="evidence") as folder:
        trial = Trial(job.cfg, method.mode.name, first.people(job.data).folder, first.injected, first.seed,
                      settings_of(first.variables), Path(folder))  # fmt: skip
        outcomes = method.recipe(trial, {case.method: case.settings for case in job.cases})
    rows = []
    for case in job.cases:
        numbers = outcomes[case.method]._asdict()
        row = {"mode": METHODS[case.method].mode.name, **asdict(case), **numbers}
        rows.append(row | {"config": digest(job.cfg), "machine": machine()})
    return rows


def draw(people: People) -> None:
    """Draw the people unless they are there."""
    make_people(people.folder, PeopleConfig(seed=people.seed, noise=people.noise))


def machine() -> str:
    """Processor, cores and torch, for the seconds to mean something."""
    return f"{processor()}, {os.cpu_count()} cores, torch {torch.__version__}"
