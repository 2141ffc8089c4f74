"""Examinations of a small data set, and what they found."""

import json

from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.doctor.examine import examine
from lib.doctor.findings import Level
from lib.ignoring.modes import MODES
from lib.utils.log import captured_messages

CONFIG = "experiments/custom/excavator.yaml"


def examination_of(root, changed=None, mode="ours2", steps=0):
    values = {
        "DATASET_SRC.ROOT": str(root / "source"), "DATASET_TARGET.ROOT": str(root / "target"), "DATASET_SRC.JOINTS": {},
        "OUTPUT_DIR": str(root / "output"), "LOG_DIR": str(root / "log"), "LBI.INJECT_NOISE": "", "DEVICE": "cpu",
        "MODEL.EXTRA.WIDTH": 4, "MODEL.EXTRA.NUM_DECONV_FILTERS": [8, 8, 8], "THREADS": 1,
    }  # fmt: skip
    with captured_messages() as notes:
        config = load_config(CONFIG, values | (changed or {}))
    folders = RunPaths.for_run(config, CONFIG, "a_to_b", mode)
    return examine(config, MODES[mode], folders, notes, root / "doctor", steps)


def problems(examination):
    """[(level, subject, result and advice)] of all findings that are not ok."""
    return [
        (f.level.value, f.subject, f"{f.result} -> {f.advice}")
        for f in examination.findings
        if f.level is not Level.OK
    ]


def assert_only_problem(examination, level, subject, *parts):
    """Check the single finding that is not ok."""
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
