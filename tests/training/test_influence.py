"""The table of what settings have influence on."""

import dataclasses

import pytest

from lib.config.data_settings import SingleDatasetConfig
from lib.config.schema import settings
from lib.ignoring.modes import MODES
from lib.training import influence
from lib.training.changed_settings import NEVER, NEVER_WITH_PHASES, NEVER_WITHIN_EPOCH, WELCOME
from lib.training.influence import Change, changes, names, unused_settings
from lib.training.source_checkpoint import BESIDE_SOURCE_MODEL
from pose_estimation.train import ALONE

TABLES = {
    name: getattr(influence, name) for name in ("COMPUTATION", "SCORING", "START", "TEST_SET")
} | {"NEVER": NEVER + NEVER_WITH_PHASES + NEVER_WITHIN_EPOCH, "WELCOME": WELCOME, "BESIDE": BESIDE_SOURCE_MODEL}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_every_entry_is_a_setting_or_a_section(table):
    for entry in TABLES[table]:
        assert entry in settings() or any(entry.endswith(".") and key.startswith(entry) for key in settings())


@pytest.mark.parametrize("mode", [*MODES.values(), ALONE], ids=lambda mode: mode.name)
def test_every_unused_entry_is_a_setting_or_a_section(mode):
    known = {field.name.upper() for field in dataclasses.fields(SingleDatasetConfig)}
    for entry in unused_settings(mode):
        if entry.startswith("DATASET.") and entry.removeprefix("DATASET.") not in known:
            continue  # of DATASET_TARGET alone
        assert entry.endswith(".") or entry in settings()


def test_how_images_are_read_is_used_by_every_mode():
    for mode in [*MODES.values(), ALONE]:
        for key in (
            "DATASET.COLOR_RGB",
            "DATASET.REDUCED_DECODE",
            "DATASET.ON_BAD_IMAGE",
            "MODEL.NUM_JOINTS",
        ):
            assert not names(unused_settings(mode), key)


@pytest.mark.parametrize(
    "entries, key, found",
    [(["TRAIN.LR"], "TRAIN.LR", True), (["TRAIN.LR"], "TRAIN.LR_STEP", False), (["TRAIN."], "TRAIN.LR", True),
     (["DATASET."], "DATASET_SRC.ROOT", False), ([], "SEED", False)],
)  # fmt: skip
def test_names(entries, key, found):
    assert names(entries, key) is found


def test_changes_are_those_of_common_keys():
    before, now = {"A": 1, "B": 2, "C": [1], "D": 0}, {"A": 1, "B": 3, "C": [2], "E": 0}
    assert changes(before, now) == [Change("B", 2, 3), Change("C", [1], [2])]
    assert changes(before, now, ["B"]) == [Change("C", [1], [2])]
    assert str(Change("B", 2, "x")) == "B 2 (here 'x')"
