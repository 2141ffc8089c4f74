"""Everything of a run that changes: models, optimisers, ignoring variables, position, best score."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lib.config.schema import Config
from lib.ignoring.learner import Compiled, TrainableModel
from lib.ignoring.modes import Mode, SourceUse
from lib.ignoring.sync_batchnorm import convert_sync_batchnorm
from lib.ignoring.variables import (
    IgnoringVariables,
    LossAwareWeights,
    OnlineWeights,
    PersistentWeights,
)
from lib.models.pose_resnet import build_pose_resnet
from lib.models.pretrained import imagenet_weights_path, load_weights, read_state_dict
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError, one_line, shown
from lib.utils.random_state import random_state, set_random_state

# Losses far below this share of the loss that an empty heatmap has are all alike to loss-aware weights.
EMPTY_SHARE = 1 / 80


@dataclass
class State:
    """``variables`` by the place they weight: A, the source model's loss; B, the target's own.

    ``step`` counts training steps done, ``epoch`` finished epochs, ``step_of_epoch`` steps done of the
    next. Data order and augmentation follow from the seed and the step, so torch's generators are the
    only other state.
    """

    mode: str
    target: TrainableModel
    source: TrainableModel | None
    variables: dict[str, IgnoringVariables]
    step: int = 0
    epoch: int = 0
    step_of_epoch: int = 0
    best_score: float = float("-inf")
    best_epoch: int = -1
    seconds: float = 0.0
    _roles: tuple[str, ...] = field(default=("target", "source"), repr=False)

    def learners(self) -> dict[str, TrainableModel]:
        return {role: made for role in self._roles if (made := getattr(self, role)) is not None}

    @property
    def learns(self) -> bool:
        """Some ignoring variables ask for hypergradients."""
        return any(variables.learned for variables in self.variables.values())

    @property
    def group(self) -> Group:
        """The processes that have this state together."""
        return self.target.group

    def agree(self, report) -> None:
        """Make the processes' states one: BatchNorm's running statistics their mean, as each saw its own samples.

        All else is equal already, unless the processes compute differently: then the first one's is taken,
        and ``report`` told.
        """
        if self.group.size == 1:
            return
        held = {f"{role} model": made.model for role, made in self.learners().items()}
        held |= {f"weights {place}": variables for place, variables in self.variables.items()}
        for made in self.learners().values():
            statistics = [buffer for buffer in made.model.buffers() if buffer.is_floating_point()]
            if statistics:
                torch._foreach_div_(self.group.all_reduce_(statistics), self.group.size)
        for name, module in held.items():
            tensors = [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]
            lengths = [float(tensor.double().norm()) for tensor in tensors if tensor.is_floating_point()]
            if any(other != lengths for other in self.group.all_gather_object(lengths)):
                report(f"{name}: not the same in all processes, the first one's is taken from here on")
                self.group.broadcast_(tensors)

    def state_dict(self) -> dict:
        state = {
            "mode": self.mode,
            "step": self.step,
            "epoch": self.epoch,
            "step_of_epoch": self.step_of_epoch,
            "best_score": self.best_score,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
            "variables": {place: v.state_dict() for place, v in self.variables.items()},
            "rng": random_state(),
        }
        for role, made in self.learners().items():
            state[f"{role}_model"] = made.model.state_dict()
            state[f"{role}_optimizer"] = made.optimizer.state_dict()
        return state

    def load_state_dict(self, state: dict, path: str) -> None:
        """Go on from ``state``; InputError where it belongs to another mode, network or data set."""
        if state.get("mode") != self.mode:
            raise InputError(
                f"{path}: a checkpoint of mode {shown(state.get('mode'))}, expected {self.mode!r}"
            )
        try:
            for role, made in self.learners().items():
                _load_model(made.model, state[f"{role}_model"])
                _load_optimizer(made.optimizer, state[f"{role}_optimizer"])
            for place, variables in self.variables.items():
                variables.load_state_dict(state["variables"][place])
                if not torch.isfinite(variables.all_weights()).all():
                    raise ValueError(f"weights {place} that are not finite")
            for name in ("step", "epoch", "step_of_epoch", "best_epoch", "best_score", "seconds"):
                if type(state[name]) is not type(getattr(self, name)):
                    raise ValueError(f"{name} is {shown(state[name])}")
                setattr(self, name, state[name])
            if min(self.step, self.epoch, self.step_of_epoch, self.best_epoch + 1) < 0 or not math.isfinite(
                self.seconds
            ):
                raise ValueError("a step, an epoch or a time that can't be")
            set_random_state(state["rng"])
        except Exception as error:  # what is not as it should be may raise anything
            raise InputError(f"{path}: does not fit this configuration ({_first_line(error)})") from None

    def load_models(self, state: dict, path: str) -> None:
        """Start the models, and nothing else, from a checkpoint of any mode.

        A source model that the checkpoint lacks starts from its target model.
        """
        try:
            for role, made in self.learners().items():
                _load_model(made.model, state.get(f"{role}_model", state["target_model"]))
        except Exception as error:
            raise InputError(f"{path}: does not fit this network ({_first_line(error)})") from None


def build_state(
    config: Config,
    mode: Mode,
    device: torch.device,
    people: int,
    flip_indices: tuple[int, ...],
    report,
    fixed: dict[str, IgnoringVariables] | None = None,
    group: Group = ALONE,
) -> State:
    """Fresh models, optimisers and ignoring variables of the source's ``people``, alike in all of ``group``.

    ``fixed`` {place: variables} takes the place of variables that learn.
    """
    torch.manual_seed(config.seed)
    target = _learner(config, device, report, group)
    source = None
    if mode.has_source_model:
        source = _learner(config, device, report, group)
        # Both models start alike, so that being near the source model means something from the start.
        source.model.load_state_dict(target.model.state_dict())
    places = {"A": mode.anchor, "B": mode.joint_loss}
    variables = {
        place: (fixed[place] if fixed else _variables(config, people, flip_indices)).to(device)
        for place, use in places.items()
        if use is SourceUse.WEIGHTED
    }
    return State(mode.name, target, source, variables)


def _learner(config: Config, device: torch.device, report, group: Group) -> TrainableModel:
    model = build_pose_resnet(config.model)
    if config.model.init_weights and config.model.pretrained:
        path = imagenet_weights_path(config.model.pretrained)
        for line in load_weights(model, read_state_dict(path)).summary().splitlines():
            report(f"{path}: {line}")
    train = config.train
    if train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    model = model.to(device).train()
    if train.sync_bn and group.size > 1:
        convert_sync_batchnorm(model, group)
    parameters = list(model.parameters())
    if train.optimizer == "adam":
        optimizer = torch.optim.Adam(parameters, lr=train.lr, weight_decay=train.wd, fused=_can_fuse(device))
    else:
        optimizer = torch.optim.SGD(
            parameters, lr=train.lr, momentum=train.momentum, weight_decay=train.wd, nesterov=train.nesterov
        )
    autocast = torch.bfloat16 if train.amp == "bf16" else None
    compiled = Compiled(model) if train.compile else None
    return TrainableModel(model, optimizer, parameters, autocast, compiled, train.clip_grad, group)


def _can_fuse(device: torch.device) -> bool:
    """Torch has Adam's step in one pass over memory there, in all the versions that are wanted here."""
    return device.type in ("cpu", "cuda")


def _variables(config: Config, people: int, flip_indices: tuple[int, ...]) -> IgnoringVariables:
    if config.lbi.variables == "persistent":
        return PersistentWeights(people, flip_indices, config.lbi.lr)
    if config.lbi.variables == "loss_aware":
        floor = EMPTY_SHARE * math.pi * config.model.extra.sigma**2 / 2  # of an empty heatmap's loss
        return LossAwareWeights(people, flip_indices, config.lbi.lr, floor)
    return OnlineWeights(people, flip_indices)


def _load_model(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """As torch does; and ValueError where numbers are not finite."""
    model.load_state_dict(tensors)
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds numbers that are not finite")


def _load_optimizer(optimizer: Optimizer, state: dict) -> None:
    """As torch does, which looks at neither kinds nor shapes; ValueError where those are others than its own."""
    kept = [dict(group) for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, before in zip(optimizer.param_groups, kept):
        for name, value in before.items():
            if isinstance(value, float | tuple) and type(group[name]) is not type(value):
                raise ValueError(f"the optimiser's {name} is {shown(group[name])}")
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            fits = isinstance(value, Tensor) and value.shape in (parameter.shape, ())
            if value is not None and (not fits or not torch.isfinite(value).all()):
                raise ValueError(f"the optimiser's {name} is not finite, or of another shape")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)[:160]}"
