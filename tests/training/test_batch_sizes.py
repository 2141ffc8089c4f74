"""Batches too small for BatchNorm are refused before training; torch itself tells which ones those are."""

from types import SimpleNamespace

import pytest
import torch

from lib.config.loader import with_settings
from lib.config.schema import Config
from lib.models.pose_resnet import build_pose_resnet
from lib.training.batch_sizes import BatchSize, batch_sizes, can_normalize, check_batch_sizes
from lib.training.batches import StepSamples, raise_if_not_normalizable
from lib.training.trainer import Trainer
from lib.utils.distributed import Group
from lib.utils.errors import InputError
from pose_estimation import doctor, train
from tests.factories.small_run import run
from tests.factories.training import make_spec

SMALLEST = {"MODEL.IMAGE_SIZE": [32, 32], "MODEL.EXTRA.HEATMAP_SIZE": [8, 8]}
SMALLEST_WORDS = ["MODEL.IMAGE_SIZE", "[32, 32]", "MODEL.EXTRA.HEATMAP_SIZE", "[8, 8]"]


def smallest(**settings):
    return with_settings(Config(), SMALLEST | {key.replace("__", "."): v for key, v in settings.items()})


@pytest.mark.parametrize("size", [(32, 32), (32, 64), (64, 32)])
@pytest.mark.parametrize("images", [1, 2])
def test_what_can_be_normalized_is_what_torch_takes(size, images):
    network = {
        "NUM_LAYERS": 10,
        "WIDTH": 2,
        "NUM_DECONV_FILTERS": [4] * 3,
        "HEATMAP_SIZE": [s // 4 for s in size],
    }
    config = with_settings(
        Config(), {"MODEL.IMAGE_SIZE": list(size)} | {f"MODEL.EXTRA.{key}": v for key, v in network.items()}
    )
    model = build_pose_resnet(config.model).train()
    try:
        model(torch.zeros(images, 3, size[1], size[0]))
        taken = True
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)
        taken = False
    assert can_normalize(config, images) is taken


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("size", range(1, 7))
def test_every_process_gets_enough(size, processes, sync):
    parts = [Group(rank, processes).shard(size) for rank in range(processes)]
    held = [part.stop - part.start for part in parts]
    fits = min(held) >= 1 and (min(held) >= 2 or (sync and processes > 1))
    batch = BatchSize("target", size, "TRAIN.BATCH_SIZE", 100)
    try:
        check_batch_sizes(smallest(TRAIN__SYNC_BN=sync), [batch], processes)
        assert fits
    except InputError as error:
        assert not fits and "TRAIN.BATCH_SIZE" in str(error)


@pytest.mark.parametrize(
    "mode, settings, named",
    [
        ("baseline1", {"TRAIN.BATCH_SIZE": 1}, "TRAIN.BATCH_SIZE gives a target"),
        ("ours1", {"TRAIN.SRC_BATCH_SIZE": 1}, "TRAIN.SRC_BATCH_SIZE gives a source"),
        ("ours1", {"LBI.VAL_BATCH_SIZE": 1}, "LBI.VAL_BATCH_SIZE gives a validation"),
        ("ours2", {"TRAIN.BATCH_SIZE": 1, "TRAIN.SRC_BATCH_SIZE": 4, "LBI.VAL_BATCH_SIZE": 4,
                   "LBI.SCHEDULE": "source_first"}, "TRAIN.BATCH_SIZE gives a target"),
        ("baseline1", {"LBI.VAL_BATCH_SIZE": 1, "TRAIN.SRC_BATCH_SIZE": 1}, None),
        ("baseline2", {"LBI.VAL_BATCH_SIZE": 1}, None),
        ("ours1", {"TRAIN.BATCH_SIZE": 1, "MODEL.IMAGE_SIZE": [64, 32], "MODEL.EXTRA.HEATMAP_SIZE": [16, 8]}, None),
    ],
)  # fmt: skip
def test_the_settings_are_named_before_training(config, mode, settings, named):
    spec = make_spec(config, mode, **{k.replace(".", "__"): v for k, v in (SMALLEST | settings).items()})
    if named is None:
        assert Trainer(spec).state.step == 0
        return
    with pytest.raises(InputError, match=rf"{named} batch of 1 image: .*MODEL\.IMAGE_SIZE 32 x 32"):
        Trainer(spec)


def test_sizes_are_at_most_what_there_is(config):
    many = {"TRAIN__BATCH_SIZE": 1000, "LBI__META_DATA": "target"}
    spec = make_spec(config, "ours1", **many)
    own, validation = len(spec.data.target), len(spec.data.validation.dataset)
    sizes = {name: batch.size for name, batch in batch_sizes(spec, spec.phases[0], True).items()}
    assert sizes == {"target": own, "source": len(spec.data.source), "validation": own + validation}
    both = make_spec(config, "ours1", LBI__VAL_IN_TRAIN=True, **many)
    assert batch_sizes(both, both.phases[0], True)["validation"].size == own + validation
    assert "validation" not in batch_sizes(spec, spec.phases[0], False)


@pytest.mark.parametrize(
    "on_ranks, sync, fits",
    [((1,), False, False), ((2,), False, True), ((1, 2), False, False), ((1, 2), True, True), ((0, 2), False, True),
     ((0, 1), True, False)],
)  # fmt: skip
def test_images_left_out_may_leave_too_few(on_ranks, sync, fits):
    counts = ((), on_ranks if len(on_ranks) > 1 else (), ())
    samples = StepSamples(None, SimpleNamespace(index=range(on_ranks[0])), None, counts)
    config = smallest(TRAIN__SYNC_BN=sync)
    if fits:
        raise_if_not_normalizable(config, samples, ["a.jpg: broken"])
        return
    with pytest.raises(InputError, match=r"a\.jpg: broken.*MODEL\.IMAGE_SIZE 32 x 32"):
        raise_if_not_normalizable(config, samples, ["a.jpg: broken"])


def test_every_command_says_it_in_one_line(config, data, capsys):
    words = [*SMALLEST_WORDS, "TRAIN.BATCH_SIZE", "1"]
    assert run(config, "--ours1", *words) == 2
    assert run(config, "--ours1", "--profile", "1", *words) == 2
    single = ["DATASET.ROOT", f"{data}/mpii", "MODEL.NUM_JOINTS", "16"]
    assert train.main(["--cfg", str(config), *single, *words]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert all(line.startswith("error: ") and "TRAIN.BATCH_SIZE" in line for line in errors)
    assert doctor.main(["--cfg", str(config), "--ours1", *words]) == 2
    assert "TRAIN.BATCH_SIZE gives a target batch" in capsys.readouterr().out
