"""A source model from another run's checkpoint: what it saves changes no number, and what does not fit is refused."""

import json

import pytest
import torch

from lib.ignoring.modes import MODES
from lib.training.source_checkpoint import joint_twin
from lib.training.trainer import Trainer, train
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.small_run import assert_same, make_data, write_config
from tests.factories.training import make_spec

SOURCE_FIRST = {"LBI__SCHEDULE": "source_first", "LBI__SOURCE_MODEL_ON": "both", "LBI__VARIABLES": "loss_aware",
                "TRAIN__STEPS_PER_EPOCH": 2, "TRAIN__END_EPOCH": 1, "LBI__HYPERGRAD_THROUGH": "sgd"}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source_checkpoint")
    make_data(folder)
    return folder


def spec_in(root, name, mode, **settings):
    """The RunSpec of a mode that writes to the folder ``name``."""
    folder = root / name
    folder.mkdir(exist_ok=True)
    return make_spec(write_config(folder, root / "people"), mode, **SOURCE_FIRST | settings)


def comparable(trainer):
    state = trainer.state.state_dict()
    del state["seconds"], state["source_optimizer"]  # a source model that is not trained leaves it fresh
    return state


@pytest.mark.parametrize(
    "mode, earlier", [("ours2", "ours1"), ("baseline3", "baseline2"), ("ours2", "ours2")]
)
def test_the_run_goes_on_as_if_it_had_trained_the_source_model(root, mode, earlier):
    first = spec_in(root, f"{mode}_first", earlier)
    train(first)
    whole, rest = (
        spec_in(root, f"{mode}_whole", mode),
        spec_in(root, f"{mode}_rest", mode, LBI__SOURCE_CKPT=str(first.paths.output / "last.pth")),
    )
    trainers = Trainer(whole), Trainer(rest)
    results = [json.loads(trainer.train().read_text()) for trainer in trainers]
    assert_same(*map(comparable, trainers))
    assert results[0]["test"] == results[1]["test"] and results[0]["weights"] == results[1]["weights"]
    assert [r["steps"] for r in results] == [4, 4]
    steps = [
        json.loads(line)["step"] for line in (rest.paths.output / "metrics.jsonl").read_text().splitlines()
    ]
    assert min(steps) >= 2  # of the second phase alone


def test_the_twin_of_a_mode_has_its_source_model_as_target_model():
    assert {name: joint_twin(MODES[name]) for name in ("baseline3", "ours2", "ours4", "ours3")} == {
        "baseline3": "baseline2", "ours2": "ours1", "ours4": "ours1", "ours3": "baseline2",
    }  # fmt: skip


@pytest.fixture(scope="module")
def ours1(root):
    """The last checkpoint of ours1."""
    spec = spec_in(root, "ours1", "ours1")
    train(spec)
    return spec.paths.output / "last.pth"


@pytest.mark.parametrize(
    "mode, settings, named",
    [("ours1", {}, "ours1"), ("ours2", {"LBI__SCHEDULE": "together"}, "together"),
     ("baseline3", {}, "baseline2"), ("ours2", {"LBI__SOURCE_MODEL_ON": "source"}, "'ours1'"),
     ("ours2", {"TRAIN__END_EPOCH": 2}, "TRAIN.END_EPOCH"), ("ours2", {"LBI__VARIABLES": "persistent"}, "does not fit"),
     ("ours2", {"MODEL__EXTRA__WIDTH": 8}, "does not fit")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(root, ours1, mode, settings, named):
    spec = spec_in(root, "refused", mode, LBI__SOURCE_CKPT=str(ours1), **settings)
    with pytest.raises(InputError, match=named) as error:
        train(spec)
    assert "last.pth" in str(error.value)


def test_other_settings_are_named(root, ours1):
    spec = spec_in(
        root,
        "other",
        "ours2",
        LBI__SOURCE_CKPT=str(ours1),
        LBI__GAMMA=0.5,
        LBI__LAM=0.1,
        TEST__FLIP_TEST=False,
        DATASET__COLOR_RGB=False,
        DATASET__CACHE=True,
    )
    with captured_messages() as messages:
        train(spec)
    (warning,) = (message for message in messages if "other settings" in message)
    assert "LBI.GAMMA 1.0 (here 0.5)" in warning and "LBI.LAM" not in warning and "FLIP_TEST" not in warning
    assert "DATASET.COLOR_RGB" in warning and "DATASET.CACHE" not in warning


def test_retraining_trains_the_source_model_again(root, ours1):
    spec = spec_in(root, "retrained", "ours2", LBI__SOURCE_CKPT=str(ours1), LBI__RETRAIN=0.5)
    results = json.loads(train(spec).read_text())
    assert results["retrained"]["steps"] == results["steps"] == 4
    again = torch.load(spec.paths.output / "retrained" / "last.pth", weights_only=True)
    first = torch.load(ours1, weights_only=True)
    name = "final_layer.weight"
    assert not torch.equal(again["source_model"][name], first["target_model"][name])
