"""The state of a run, built from the configuration, checkpointed as a whole."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lib.config.schema import Config, IgnoringConfig, TrainConfig
from lib.dataset.annotations import Annotations
from lib.ignoring.loss_aware import LossAwareWeights
from lib.ignoring.modes import ANCHOR, Mode, Place
from lib.ignoring.rank_history import RankHistory
from lib.ignoring.sync_batchnorm import convert_sync_batchnorm
from lib.ignoring.trainable_model import Compiled, TrainableModel
from lib.ignoring.variables import IgnoringVariables, OnlineWeights, PersistentWeights
from lib.models.pose_resnet import HYPERGRADIENT_LAYERS, build_pose_resnet
from lib.models.pretrained import imagenet_weights_path, load_weights
from lib.models.weights_file import read_state_dict
from lib.training.run_spec import RunSpec
from lib.utils.device import pick_device, set_up_backends
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError, NonFiniteError, one_line, short_repr
from lib.utils.log import LOG
from lib.utils.random_state import random_state, set_random_state

# Floor of the loss-aware variables' log loss, as a fraction of the loss of an all-zero prediction.
FLOOR_SHARE = 1 / 80


@dataclass(frozen=True)
class Placement:
    """Where a run computes: this rank's device, and the ranks that train together."""

    device: torch.device
    group: Group = ALONE


@dataclass(frozen=True)
class TableShape:
    """Shape of the ignoring variables' tables: the number of source annotations, and their joints' flip permutation."""

    count: int
    flip_indices: tuple[int, ...]

    @classmethod
    def of(cls, annotations: Annotations) -> "TableShape":
        """The shape for the given source annotations."""
        return cls(len(annotations), annotations.mapping.flip_indices)


@dataclass
class State:
    """Everything of a run that changes: models, optimizers, ignoring variables, position, best score.

    Data order and augmentation follow from the seed and the step, so torch's generators are the only other
    state; `state_dict` holds them, too.

    variables: ignoring variables by the place they weight (A: the source model's loss, B: the target's).
    step: training steps taken.   epoch: finished epochs.   step_of_epoch: steps taken of the next epoch.
    best_score: on V, of the epoch ``best_epoch`` (-1: none yet).   seconds: of all training steps.
    rankings: by place, how the ranking by variables that learn has changed from epoch to epoch.
    """

    mode: str
    target: TrainableModel
    source: TrainableModel | None
    variables: dict[Place, IgnoringVariables]
    step: int = 0
    epoch: int = 0
    step_of_epoch: int = 0
    best_score: float = float("-inf")
    best_epoch: int = -1
    seconds: float = 0.0
    rankings: dict[Place, RankHistory] = field(init=False)

    def __post_init__(self) -> None:
        self.rankings = {place: RankHistory() for place, v in self.variables.items() if v.learned}

    def models(self) -> dict[str, TrainableModel]:
        """{"target": ..., "source": ...}, without a source model if the mode has none."""
        models = {"target": self.target, "source": self.source}
        return {role: model for role, model in models.items() if model is not None}

    @property
    def learns(self) -> bool:
        """True if some ignoring variables need hypergradients."""
        return any(variables.learned for variables in self.variables.values())

    @property
    def group(self) -> Group:
        """The ranks that share this state."""
        return self.target.group

    @property
    def device(self) -> torch.device:
        """The device of the models."""
        return self.target.parameters[0].device

    def synchronize(self) -> None:
        """Make the ranks equal: average BatchNorm's running statistics, broadcast anything else that differs.

        Nothing else differs unless the ranks compute differently; that is logged as a warning.
        """
        if self.group.size == 1:
            return
        for model in self.models().values():
            statistics = [buffer for buffer in model.model.buffers() if buffer.is_floating_point()]
            if statistics:
                torch._foreach_div_(self.group.all_reduce_(statistics), self.group.size)
        modules = {f"{role} model": model.model for role, model in self.models().items()}
        modules |= {f"weights {place}": variables for place, variables in self.variables.items()}
        for name, module in modules.items():
            tensors = [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]
            norms = [float(tensor.double().norm()) for tensor in tensors if tensor.is_floating_point()]
            if any(other != norms for other in self.group.all_gather_object(norms)):
                LOG.warning(f"{name}: differs between ranks; using rank 0's copy")
                self.group.broadcast_(tensors)

    def rank_labels(self) -> None:
        """At the end of an epoch, compare the rankings of the source labels with those an epoch before."""
        for place, ranking in self.rankings.items():
            ranking.add(self.variables[place])

    def raise_if_nonfinite(self) -> None:
        """Raise NonFiniteError if any parameter or buffer is NaN or infinite.

        Called before every checkpoint, so that a diverged model does not replace the last good one.
        """
        for role, model in self.models().items():
            if not all(torch.isfinite(tensor).all() for tensor in model.model.state_dict().values()):
                raise NonFiniteError(f"the {role} model's weights are not finite at step {self.step}")

    def state_dict(self) -> dict:
        """The state as plain values and tensors, for a checkpoint."""
        state = {
            "mode": self.mode,
            "step": self.step,
            "epoch": self.epoch,
            "step_of_epoch": self.step_of_epoch,
            "best_score": self.best_score,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
            "variables": {place: v.state_dict() for place, v in self.variables.items()},
            "rankings": {place: ranking.state_dict() for place, ranking in self.rankings.items()},
            "rng": random_state(),
        }
        for role, model in self.models().items():
            state[f"{role}_model"] = model.model.state_dict()
            state[f"{role}_optimizer"] = model.optimizer.state_dict()
        return state

    def load_state_dict(self, state: dict, path: str) -> None:
        """Continue from a checkpoint's ``state``; ``path`` is named in errors.

        Raises:
            InputError: if it belongs to another mode, network or data set, or is damaged.
        """
        if state.get("mode") != self.mode:
            raise InputError(
                f"{path}: a checkpoint of mode {short_repr(state.get('mode'))}, expected {self.mode!r}"
            )
        try:
            for role, model in self.models().items():
                _load_model(model.model, state[f"{role}_model"])
                _load_optimizer(model.optimizer, state[f"{role}_optimizer"])
            for place, variables in self.variables.items():
                variables.load_state_dict(state["variables"][place])
                if not torch.isfinite(variables.all_weights()).all():
                    raise ValueError(f"weights {place} that are not finite")
                self._load_ranking(state, place, place)
            for name in ("step", "epoch", "step_of_epoch", "best_epoch", "best_score", "seconds"):
                if type(state[name]) is not type(getattr(self, name)):
                    raise ValueError(f"{name} is {short_repr(state[name])}")
                setattr(self, name, state[name])
            if min(self.step, self.epoch, self.step_of_epoch, self.best_epoch + 1) < 0 or not math.isfinite(
                self.seconds
            ):
                raise ValueError("negative step or epoch, or non-finite time")
            set_random_state(state["rng"])
        except Exception as error:  # a damaged checkpoint may raise anything
            raise InputError(f"{path}: does not fit this configuration ({_first_line(error)})") from None

    def load_models(self, state: dict, path: str) -> None:
        """Load the models, and nothing else, from a checkpoint of any mode.

        A source model that the checkpoint lacks gets its target model's weights.
        """
        try:
            for role, model in self.models().items():
                _load_model(model.model, state.get(f"{role}_model", state["target_model"]))
        except Exception as error:
            raise InputError(f"{path}: does not fit this network ({_first_line(error)})") from None

    def load_source_model(self, state: dict, path: str, role: str, place: Place) -> None:
        """Take the source model and its weights A from another run's checkpoint.

        Args:
            role: the checkpoint's model to take, "source" or "target".
            place: the checkpoint's weights to take as A, if this mode has them.

        Raises:
            InputError: if it belongs to another network or data set, or is damaged; ``path`` is named.
        """
        try:
            _load_model(self.source.model, state[f"{role}_model"])
            if ANCHOR in self.variables:
                self.variables[ANCHOR].load_state_dict(state["variables"][place])
                self._load_ranking(state, ANCHOR, place)
        except Exception as error:  # a damaged checkpoint may raise anything
            raise InputError(f"{path}: does not fit this configuration ({_first_line(error)})") from None

    def _load_ranking(self, state: dict, own: Place, saved: Place) -> None:
        """The ranking of ``own`` goes on from that of ``saved``, which checkpoints of earlier versions lack."""
        if own in self.rankings:
            shape = self.variables[own].seen.shape
            self.rankings[own].load_state_dict(state.get("rankings", {}).get(saved, {}), shape)


def initial_state(spec: RunSpec, fixed: Mapping[Place, IgnoringVariables] | None = None) -> State:
    """Set up this rank's device and build the state of the run on it; the log tells the mode and the device.

    Args:
        fixed: as in `build_state`.

    Raises:
        InputError: for a device that does not exist, or pretrained weights that cannot be used.
    """
    config, group = spec.config, spec.group
    set_up_backends(config.threads, config.cudnn)
    device, description = pick_device(config.device, config.gpus, group.local_rank, group.local_size)
    LOG.info(f"mode {spec.mode.name}: {spec.mode.meaning}")
    LOG.info(description)
    if group.size > 1:
        LOG.info(f"{group.size} processes train together, each on its part of every batch")
    tables = TableShape.of((spec.data.source or spec.data.target).annotations)
    state = build_state(config, spec.mode, tables, Placement(device, group), fixed)
    if spec.data.known is not None:
        for variables in state.variables.values():
            variables.trust(torch.from_numpy(spec.data.known))
    return state


def build_state(
    config: Config,
    mode: Mode,
    tables: TableShape,
    placement: Placement,
    fixed: Mapping[Place, IgnoringVariables] | None = None,
) -> State:
    """Build models, optimizers and ignoring variables, equal on all ranks; seeds torch with SEED.

    Args:
        tables: shape of the ignoring variables' tables.
        fixed: ignoring variables by place, in place of ones that learn.
    """
    torch.manual_seed(config.seed)
    target = _build_model(config, placement)
    source = None
    if mode.has_source_model:
        source = _build_model(config, placement)
        # Both models start equal: otherwise their distance would mean nothing at the start.
        source.model.load_state_dict(target.model.state_dict())
    variables = {
        place: (fixed[place] if fixed else _build_variables(config.lbi, config.model.extra.sigma, tables)).to(
            placement.device
        )
        for place in mode.weighted_places
    }
    return State(mode.name, target, source, variables)


def _build_model(config: Config, placement: Placement) -> TrainableModel:
    model = build_pose_resnet(config.model)
    if config.model.init_weights and config.model.pretrained:
        path = imagenet_weights_path(config.model.pretrained)
        for line in load_weights(model, read_state_dict(path)).summary().splitlines():
            LOG.info(f"{path}: {line}")
    train, device, group = config.train, placement.device, placement.group
    if train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    model = model.to(device).train()
    if train.sync_bn and group.size > 1:
        convert_sync_batchnorm(model, group)
    parameters: list[Tensor] = list(model.parameters())
    return TrainableModel(
        model,
        _build_optimizer(train, parameters),
        parameters,
        autocast=torch.bfloat16 if train.amp == "bf16" else None,
        compiled=Compiled(model) if train.compile else None,
        clip=train.clip_grad,
        group=group,
        hypergradient_layers=_hypergradient_layers(config, model),
    )


def _hypergradient_layers(config: Config, model: nn.Module) -> tuple[str, ...]:
    """The modules of LBI.HYPERGRAD_LAYERS that this network has; a head may have no transposed convolutions."""
    layers = HYPERGRADIENT_LAYERS[config.lbi.hypergrad_layers]
    return tuple(layer for layer in layers if any(True for _ in model.get_submodule(layer).parameters()))


def _build_optimizer(train: TrainConfig, parameters: list[Tensor]) -> Optimizer:
    if train.optimizer == "adam":
        # torch has a fused Adam, one pass over memory, for these devices in all supported versions.
        fused = parameters[0].device.type in ("cpu", "cuda")
        return torch.optim.Adam(parameters, lr=train.lr, weight_decay=train.wd, fused=fused)
    return torch.optim.SGD(
        parameters, lr=train.lr, momentum=train.momentum, weight_decay=train.wd, nesterov=train.nesterov
    )


def _build_variables(lbi: IgnoringConfig, sigma: float, tables: TableShape) -> IgnoringVariables:
    """Fresh ignoring variables; ``sigma``: of the heatmaps' Gaussian, heatmap pixels."""
    if lbi.variables == "persistent":
        return PersistentWeights(tables.count, tables.flip_indices, lbi.lr)
    if lbi.variables == "loss_aware":
        # pi sigma^2 / 2 is half the sum of squares of a Gaussian heatmap: the loss of an all-zero prediction.
        floor = FLOOR_SHARE * math.pi * sigma**2 / 2
        return LossAwareWeights(tables.count, tables.flip_indices, lbi.lr, floor)
    return OnlineWeights(tables.count, tables.flip_indices)


def _load_model(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load as torch does; ValueError if a number is not finite."""
    model.load_state_dict(tensors)
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds numbers that are not finite")


def _load_optimizer(optimizer: Optimizer, state: dict) -> None:
    """Load the moments, not the settings; ValueError if types or shapes differ, which torch does not check."""
    groups_before = [dict(group) for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, before in zip(optimizer.param_groups, groups_before):
        for name, value in before.items():
            if isinstance(value, float | tuple) and type(group[name]) is not type(value):
                raise ValueError(f"the optimizer's {name} is {short_repr(group[name])}")
        group |= {name: value for name, value in before.items() if name != "params"}
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            fits = isinstance(value, Tensor) and value.shape in (parameter.shape, ())
            if value is not None and (not fits or not torch.isfinite(value).all()):
                raise ValueError(f"the optimizer's {name} is not finite, or of another shape")
            # Fused optimizers on CUDA need moments in the parameter's memory format (channels last or not),
            # which TRAIN.CHANNELS_LAST may have changed since the checkpoint.
            if fits and value.dim() and value.stride() != parameter.stride():
                moments[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)[:160]}"
