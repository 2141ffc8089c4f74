"""Spoilt checkpoints and weights: loaded to finite numbers, or one clear error; and nothing in them is run."""

import copy
import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import strategies as st

from lib.config.loader import load_config
from lib.ignoring.variables import PersistentWeights
from lib.models.pose_resnet import build_pose_resnet
from lib.models.pretrained import load_weights
from lib.models.weights_file import read_state_dict
from lib.training.state import State
from lib.utils.checkpoint import load_checkpoint
from lib.utils.errors import InputError
from tests.factories.setups import SmallPoseNet, learner
from tests.harness.mutations import (
    FEW_AND_MANY,
    PLACES,
    nasty_values,
    outcome,
    put,
    spoilt_bytes,
    spoilt_tree,
    try_many,
)

ROOT = Path(__file__).resolve().parents[2]


def state():
    return State("ours2", learner(dtype=torch.float32), learner(seed=1, dtype=torch.float32),
                 {"A": PersistentWeights(5, (1, 0, 2, 3), 0.7)}, step=3, epoch=1)  # fmt: skip


def saved(tree):
    file = io.BytesIO()
    torch.save(tree, file)
    return file.getvalue()


WHOLE = {**state().state_dict(), "config": "SEED: 0\n"}
ODD_TENSORS = st.sampled_from(
    [
        torch.tensor(float("nan")), torch.full((6,), float("inf")), torch.zeros(0), torch.zeros(6, dtype=torch.int8),
        torch.zeros(6, dtype=torch.complex64), torch.zeros(6, dtype=torch.bool), torch.zeros(1).expand(2**40),
        torch.full((6,), 1e300, dtype=torch.float64), torch.zeros(6).to_sparse(), torch.full((6, 3, 3, 3), float("nan")),
        torch.zeros(4, 6, 1, 1).expand(4, 6, 2**20, 2**20), torch.zeros(5056, dtype=torch.uint8), torch.zeros(6, device="meta"),
    ]
)  # fmt: skip


def spoilt():
    """Bytes of a checkpoint whose tree, or whose file, is spoilt."""
    trees = spoilt_tree(WHOLE, st.one_of(ODD_TENSORS, nasty_values()))
    return st.one_of(trees.map(saved), spoilt_bytes(saved(WHOLE)))


def placed():
    return st.tuples(spoilt(), st.one_of(st.just("file"), st.just("file"), st.sampled_from(PLACES)))


def assert_finite(model):
    assert all(
        torch.isfinite(tensor).all() for tensor in model.state_dict().values() if tensor.is_floating_point()
    )
    assert torch.isfinite(model.eval()(torch.zeros(1, 3, 16, 16))).all()


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_going_on(tmp_path, examples):
    path = tmp_path / "c.pth"

    def check(content_and_place):
        put(path, *content_and_place)
        loaded = outcome(load_checkpoint, path)
        if loaded is None:
            return
        with torch.random.fork_rng():
            whole, models = state(), state()
            outcome(whole.load_state_dict, loaded, str(path))
            if outcome(lambda: models.load_models(loaded, str(path)) or True):
                for made in models.models().values():
                    assert_finite(made.model)

    try_many(examples, placed(), check)


@pytest.mark.parametrize("mode", ["SEED: 0\n", ["ours2"], torch.zeros(2, 2), "x" * 10_000], ids=range(4))
def test_a_mode_that_is_none(mode):
    with pytest.raises(InputError, match="^c.pth: a checkpoint of mode .*, expected 'ours2'$") as caught:
        state().load_state_dict({**WHOLE, "mode": mode}, "c.pth")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_weights_of_others(tmp_path, examples):
    path = tmp_path / "w.pth"

    def check(content_and_place):
        put(path, *content_and_place)
        tensors = outcome(read_state_dict, path)
        model = SmallPoseNet()
        names = ("a", "b", "c", "d")
        if tensors and outcome(lambda: load_weights(model, tensors, source_joints=names, joints=names)):
            assert_finite(model)

    try_many(examples, placed(), check)


class Malicious:
    def __init__(self, made):
        self.made = str(made)

    def __reduce__(self):
        return (open, (self.made, "w"))


@pytest.mark.parametrize("form", ["zip", "pickle", "old", "inside"])
@pytest.mark.parametrize("read", [load_checkpoint, read_state_dict], ids=["checkpoint", "weights"])
def test_code_in_a_checkpoint_is_not_run(tmp_path, read, form):
    path, proof = tmp_path / "c.pth", tmp_path / "it ran"
    content = {"target_model": {"w": torch.zeros(2)}, "evil": Malicious(proof)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(content))
    elif form == "inside":  # the pickle of a good file exchanged
        torch.save({"target_model": {"w": torch.zeros(2)}}, path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, pickle.dumps(content) if name.endswith("data.pkl") else data)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(InputError, match="c.pth: "):
        read(path)
    assert not proof.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_weights_that_are_not_finite_are_refused(value):
    tensors = copy.deepcopy(SmallPoseNet().double().state_dict())
    tensors["bn2.running_var"][1] = value
    with pytest.raises(InputError, match="bn2.running_var.*not finite"):
        load_weights(SmallPoseNet(), tensors)


@pytest.mark.parametrize("read", [load_checkpoint, read_state_dict], ids=["checkpoint", "weights"])
def test_a_checkpoint_is_not_unpacked(tmp_path, read):
    """torch packs nothing: a member that is packed may be a bomb."""
    torch.save({"target_model": {"w": torch.zeros(2**16)}}, tmp_path / "c.pth")
    with zipfile.ZipFile(tmp_path / "c.pth") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "c.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert (tmp_path / "c.pth").stat().st_size < 2**14
    with pytest.raises(InputError, match="c.pth: .*compressed"):
        read(tmp_path / "c.pth")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole.update(step="3"),
        lambda whole: whole.update(step=-1),
        lambda whole: whole.update(epoch=1.5),
        lambda whole: whole.update(seconds=float("nan")),
        lambda whole: whole.update(rng=3),
        lambda whole: whole.update(variables=7),
        lambda whole: whole.update(target_model=[1]),
        lambda whole: whole.update(source_optimizer={"state": {}, "param_groups": "x"}),
        lambda whole: whole["target_optimizer"]["param_groups"][0].update(lr="fast"),
        lambda whole: whole["target_optimizer"]["state"].update({0: {"exp_avg": torch.zeros(2), "step": torch.tensor(1.0)}}),
        lambda whole: whole["target_model"]["bn1.running_var"].fill_(float("nan")),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_state_that_is_not_as_expected(spoil):
    whole = copy.deepcopy(WHOLE)
    state().load_state_dict(whole, "c.pth")
    spoil(whole)
    with torch.random.fork_rng(), pytest.raises(InputError, match="c.pth: does not fit this configuration"):
        state().load_state_dict(whole, "c.pth")


def test_a_view_of_one_number_is_not_written_out():
    """It can have any shape, and takes no room in a file."""
    enormous = {"final.weight": torch.zeros(1).expand(2**40), "bn1.weight": torch.ones(6)}
    assert load_weights(SmallPoseNet(), enormous).loaded == ("bn1.weight",)
    network = build_pose_resnet(load_config(ROOT / "experiments/demo/people.yaml").model)
    whole = network.state_dict() | {
        "final_layer.weight": torch.zeros(17, 1, 1, 1).expand(17, 2**20, 2**10, 2**10)
    }
    assert "final_layer.weight" in load_weights(network, whole).dropped
