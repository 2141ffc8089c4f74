"""Which settings a run may be resumed with, and what is said of those that differ."""

import copy
from dataclasses import replace

import pytest
import yaml

from lib.config.loader import dump_config, with_settings
from lib.ignoring.modes import MODES
from lib.training.changed_settings import check_changed_settings
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from pose_estimation.train import ALONE
from tests.factories.training import make_spec


@pytest.fixture
def spec(config):
    return make_spec(config)


def checkpoint_of(spec, **entries):
    """What a checkpoint of ``spec`` has that is compared."""
    return {
        "config": dump_config(spec.config),
        "joints": list(spec.data.joints),
        "step_of_epoch": 0,
    } | entries


def changed(spec, settings, mode=None):
    """``spec`` in ``mode`` with ``settings`` {key: value}; its data stay."""
    mode = ALONE if mode == "train" else MODES[mode] if mode else spec.mode
    return replace(spec, config=with_settings(spec.config, settings), mode=mode)


def said_of(before, now, **entries):
    with captured_messages() as messages:
        check_changed_settings(now, checkpoint_of(before, **entries), "last.pth")
    return messages


SPOILING = {
    "SEED": 7, "TRAIN.LR": 0.5, "TRAIN.WD": 0.1, "TRAIN.LR_STEP": [7], "TRAIN.STEPS_PER_EPOCH": 9, "TRAIN.BATCH_SIZE": 3,
    "TRAIN.SRC_BATCH_SIZE": 3, "TRAIN.AMP": "bf16", "DATASET_SRC.ROOT": "elsewhere", "DATASET_SRC.JOINTS": {"head": ""},
    "DATASET_TARGET.VAL_SET": "valid", "DATASET.COLOR_RGB": False, "MODEL.EXTRA.SIGMA": 3.0, "LBI.GAMMA": 0.5,
    "LBI.LR": 0.1, "LBI.HYPERGRAD_INTERVAL": 2, "LBI.VAL_BATCH_SIZE": 2, "LBI.INJECT_NOISE": "swap:0.1",
    "LOSS.USE_TARGET_WEIGHT": False, "TEST.FLIP_TEST": False,
}  # fmt: skip


@pytest.mark.parametrize("key", SPOILING)
def test_what_would_spoil_the_run_is_refused_unless_told_to(spec, key):
    now = changed(spec, {key: SPOILING[key]})
    with pytest.raises(InputError, match=rf"last\.pth: .*{key} .*\[{key}\]"):
        said_of(spec, now)
    told = changed(now, {"TRAIN.RESUME_CHANGED": [key]})
    (line,) = said_of(spec, told)
    assert key in line
    with pytest.raises(InputError, match="SEED"):
        said_of(spec, changed(told, {"SEED": 99, "TRAIN.RESUME_CHANGED": [k for k in (key,) if k != "SEED"]}))


def test_all_that_differ_are_told_at_once_with_both_values(spec):
    now = changed(spec, {"TRAIN.LR": 0.5, "SEED": 7, "TRAIN.END_EPOCH": 9, "WORKERS": 3})
    with pytest.raises(InputError) as error:
        said_of(spec, now)
    text = str(error.value)
    assert "TRAIN.LR 0.003 (here 0.5)" in text and "SEED 0 (here 7)" in text
    assert "END_EPOCH" not in text and "WORKERS" not in text
    (line,) = said_of(spec, changed(now, {"TRAIN.RESUME_CHANGED": ["SEED", "TRAIN.LR"]}))
    assert (
        "TRAIN.LR" in line
        and "SEED" in line
        and "TRAIN.END_EPOCH 2 (here 9)" in line
        and "WORKERS" not in line
    )


def test_welcome_changes_are_told(spec):
    welcome = {"TRAIN.END_EPOCH": 9, "TEST.EVAL_EPOCHS": 2, "DATASET.ON_BAD_IMAGE": "skip"}
    (line,) = said_of(spec, changed(spec, welcome))
    assert all(key in line for key in welcome)


def test_how_it_is_computed_and_written_is_not_told(spec):
    changes = {"DEVICE": "auto", "WORKERS": 2, "THREADS": 2, "PRINT_FREQ": 3, "OUTPUT_DIR": "x", "LOG_DIR": "y",
               "DATASET.CACHE": True, "TRAIN.RESUME": True, "TRAIN.SAVE_EVERY_MINUTES": 1, "DEBUG.DEBUG": True,
               "TRAIN.LOAD_CKPT": "a.pth", "MODEL.PRETRAINED": "b.pth"}  # fmt: skip
    assert said_of(spec, changed(spec, changes)) == []


@pytest.mark.parametrize(
    "mode, settings, refused",
    [
        ("ours2", {"LBI.LAM": 1}, True),
        ("ours1", {"LBI.LAM": 1, "LBI.SCHEDULE": "source_first"}, False),
        ("baseline2", {"LBI.LR": 1, "LBI.VARIABLES": "loss_aware", "LBI.WARMUP": 3}, False),
        ("baseline2", {"LBI.GAMMA": 3}, True),
        ("baseline1", {"LBI.GAMMA": 3, "DATASET_SRC.ROOT": "x", "TRAIN.SRC_BATCH_SIZE": 2}, False),
        ("baseline1", {"LBI.VAL_IN_TRAIN": True}, True),
        ("ours1", {"DATASET.ROOT": "x", "DATASET.TEST_SET": "train", "DATASET.FLIP": False}, False),
        ("train", {"DATASET_TARGET.ROOT": "x", "DATASET_SRC.ROOT": "y", "LBI.GAMMA": 2}, False),
        ("train", {"DATASET.ROOT": "x"}, True),
        ("train", {"DATASET.TEST_SET": "train"}, True),  # it chooses the best epoch
    ],
)
def test_only_what_the_mode_reads_counts(spec, mode, settings, refused):
    before, now = changed(spec, {}, mode), changed(spec, settings, mode)
    if refused:
        with pytest.raises(InputError, match="cannot resume"):
            said_of(before, now)
    else:
        assert said_of(before, now) == []


@pytest.mark.parametrize(
    "mode, settings, step_of_epoch, refused",
    [
        ("ours2", {"LBI.SCHEDULE": "source_first"}, 0, True),
        ("ours1", {"LBI.VARIABLES": "loss_aware"}, 0, True),
        ("ours1", {"LBI.VAL_IN_TRAIN": True}, 0, True),
        ("ours1", {"TRAIN.OPTIMIZER": "sgd"}, 0, True),
        ("ours1", {"MODEL.EXTRA.WIDTH": 32}, 0, True),
        ("baseline1", {"MODEL.EXTRA.FINAL_CONV_KERNEL": 3}, 0, True),
        ("ours1", {"TRAIN.STEPS_PER_EPOCH": 7}, 1, True),
        ("ours1", {"TRAIN.BATCH_SIZE": 5}, 1, True),
        ("ours1", {"TRAIN.STEPS_PER_EPOCH": 7}, 0, False),
    ],
)
def test_some_may_never_change(spec, mode, settings, step_of_epoch, refused):
    before = changed(spec, {}, mode)
    now = changed(before, settings | {"TRAIN.RESUME_CHANGED": list(settings)})
    if not refused:
        assert len(said_of(before, now, step_of_epoch=step_of_epoch)) == 1
        return
    (key,) = settings
    with pytest.raises(InputError, match=f"cannot resume: the checkpoint has {key} .*{settings[key]}"):
        said_of(before, now, step_of_epoch=step_of_epoch)


def test_two_phases_have_a_fixed_length(spec):
    before = changed(spec, {"LBI.SCHEDULE": "source_first"}, "baseline3")
    with pytest.raises(InputError, match=r"TRAIN\.END_EPOCH 2.* 5"):
        said_of(before, changed(before, {"TRAIN.END_EPOCH": 5, "TRAIN.RESUME_CHANGED": ["TRAIN.END_EPOCH"]}))


def test_other_joints_are_refused(spec):
    joints = list(spec.data.joints)
    joints[2], joints[3] = joints[3], joints[2]
    with pytest.raises(InputError, match=f"joint 2 of the checkpoint's 13 is '{joints[2]}'.*'{joints[3]}'"):
        said_of(spec, spec, joints=joints)
    with pytest.raises(InputError, match="joint 12 of the checkpoint's 12 is None"):
        said_of(spec, spec, joints=joints[:2] + list(spec.data.joints)[2:12])


def test_settings_of_other_versions_are_left_out(spec):
    tree = copy.deepcopy(yaml.safe_load(dump_config(spec.config)))
    del tree["TRAIN"]["WD"]
    tree["TRAIN"]["GONE"] = 3
    tree["DATASET_SRC"]["CATEGORY"] = ""  # once a text, now a list
    tree["LBI"]["EVERY"] = tree["LBI"].pop("HYPERGRAD_INTERVAL")  # its former name
    assert said_of(spec, spec, config=yaml.safe_dump(tree)) == []
    assert said_of(spec, spec, config="") == []


def test_an_unknown_key_to_allow_is_refused(spec):
    with pytest.raises(InputError, match="'TRAIN.LRR' is no setting"):
        said_of(spec, changed(spec, {"TRAIN.RESUME_CHANGED": ["TRAIN.LRR"]}))
