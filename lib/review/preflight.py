"""What is said and checked before the training that finds wrong labels."""

import logging

from lib.config.schema import Config
from lib.doctor.examine import examine
from lib.doctor.findings import Finding, Level
from lib.doctor.request import Request
from lib.ignoring.modes import Mode
from lib.utils.errors import InputError
from lib.utils.log import LOG

SHOWN = {Level.WARNING: logging.WARNING, Level.ERROR: logging.ERROR}  # and how they are logged
TIME = "the whole run"  # subject of the finding that is shown although all is well
# T, V and the test set are all of the trusted labels on purpose; nothing is claimed about the network's accuracy.
OVERLAPS = ("validation V and target T", "test and target T", "test and validation V")


def plan(config: Config, mode: Mode) -> str:
    """What was chosen, in words."""
    model, train_config = config.model, config.train
    steps = train_config.end_epoch * train_config.steps_per_epoch
    width, height = model.image_size
    return (
        f"{mode.name}: ResNet-{model.extra.num_layers} of width {model.extra.width}, images of {width} x {height} pixels, "
        f"{model.num_joints} joints, batches of {train_config.batch_size} trusted and {train_config.src_batch_size} "
        f"other instances, {steps:,} steps (--effort, KEY VALUE change it)"
    )


def check(request: Request) -> None:
    """What doctor.py checks; only what may be wrong, and the time, is logged.

    Raises:
        InputError: the run would stop or be worthless.
    """
    findings = [item for item in examine(request) if isinstance(item, Finding)]
    for finding in findings:
        if finding.subject == TIME or (finding.level in SHOWN and finding.subject not in OVERLAPS):
            LOG.log(SHOWN.get(finding.level, logging.INFO), str(finding))
    if errors := sum(finding.level is Level.ERROR for finding in findings):
        raise InputError(f"{errors} of the checks above must be mended first; nothing was trained")
