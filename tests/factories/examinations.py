"""Examinations of a small data set, and what they found."""

import json
from typing import NamedTuple

from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.doctor.examine import examine
from lib.doctor.findings import Conclusion, Finding, Level
from lib.doctor.request import Request, Trial
from lib.evaluation.tested_set import SINGLE, ChosenSet
from lib.ignoring.modes import MODES, Mode, SourceUse
from lib.utils.log import captured_messages

CONFIG = "experiments/custom/excavator.yaml"


ROOTS = {"DATASET_SRC": "source", "DATASET_TARGET": "target", "DATASET": "target"}


class Examination(NamedTuple):
    """All that an examination yields, in order."""

    items: list

    @property
    def findings(self):
        return [item for item in self.items if isinstance(item, Finding)]

    @property
    def exit_code(self):
        return Conclusion(self.findings).exit_code

    def __str__(self):
        return "\n".join(map(str, [*self.items, Conclusion(self.findings)]))


def request_of(root, changed=None, mode="ours2", steps=0, **trial):
    """The examination of a run of main.py in ``mode``, or of "train" or "valid", on small data."""
    values = {f"{section}.ROOT": str(root / folder) for section, folder in ROOTS.items()} | {
        "DATASET_SRC.JOINTS": {}, "DATASET.DATASET": "coco_format", "DATASET.TRAIN_SET": "annotations/train.json", "DATASET.TEST_SET": "annotations/test.json",
        "OUTPUT_DIR": str(root / "output"), "LOG_DIR": str(root / "log"), "LBI.INJECT_NOISE": "", "LBI.SCHEDULE": "together", "LBI.META_DATA": "validation", "DEVICE": "cpu",
        "MODEL.EXTRA.WIDTH": 4, "MODEL.EXTRA.NUM_DECONV_FILTERS": [8, 8, 8], "THREADS": 1,
    }  # fmt: skip
    with captured_messages() as notes:
        config = load_config(CONFIG, values | (changed or {}))
    folders = RunPaths.for_run(config, CONFIG, "a_to_b", mode)
    program = "main" if mode in MODES else mode
    mode = MODES.get(mode) or Mode(mode, "", SourceUse.NONE, SourceUse.NONE)
    tested = ChosenSet(SINGLE, "a test") if program == "valid" else None
    return Request(
        config, program, mode, folders, tuple(notes), root / "doctor", Trial(steps, **trial), tested
    )


def examination_of(root, changed=None, mode="ours2", steps=0, **trial):
    return Examination(list(examine(request_of(root, changed, mode, steps, **trial))))


def problems(examination, least=Level.WARNING):
    """[(level, subject, result and advice)] of the findings that are as serious as ``least``, or more."""
    levels = list(Level)
    return [
        (f.level.value, f.subject, f"{f.result} -> {f.advice}")
        for f in examination.findings
        if levels.index(f.level) >= levels.index(least)
    ]


def assert_only_problem(examination, level, subject, *parts):
    """Check the single finding that is a warning or an error."""
    (problem,) = problems(examination)
    assert problem[:2] == (level, subject)
    for part in parts:
        assert part in problem[2]
    assert examination.exit_code == {"warning": 1, "error": 2}[level]


def change_file(root, file, change):
    """Let ``change(tree)`` change a file's annotations in place."""
    tree = json.loads((root / file).read_text())
    change(tree)
    (root / file).write_text(json.dumps(tree))
