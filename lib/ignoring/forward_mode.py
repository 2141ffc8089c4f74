"""A forward pass with its tangent beside it: the values keep their graph, the tangents have none.

The tangent of a network's outputs along a direction of its parameters is pushed through layer by layer
(forward-mode differentiation). ``jvp_pass`` does so for a network whose layers all have a rule here,
and says None of any other.
"""

import operator
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from lib.ignoring.sync_batchnorm import SyncBatchNorm2d


class Dual(NamedTuple):
    """A value and its tangent; None is a tangent of zeros. ``shared``: the tangent is read again later."""

    value: Tensor
    tangent: Tensor | None
    shared: bool = False

    def writable(self) -> Tensor:
        return self.tangent.clone() if self.shared else self.tangent


# Tangents of a network's parameters, by the parameters' id.
ParameterTangents = dict[int, Tensor]


class JVPPass:
    """The forward pass of ``model`` at its parameters, as ``graph`` tells it, with the tangent beside it."""

    def __init__(self, model: nn.Module, graph: fx.Graph):
        self.parameters = list(model.parameters())
        self.output = next(node.args[0] for node in graph.nodes if node.op == "output")
        self.steps = [(node, *_rule(model, node)) for node in graph.nodes if node.op.startswith("call_")]
        (self.input,) = (node for node in graph.nodes if node.op == "placeholder")
        self.last_reader = {read: node for node, *_ in self.steps for read in node.args}

    def __call__(self, images: Tensor, direction: list[Tensor]) -> Dual:
        """Outputs with a graph, and their tangent along ``direction`` (as the model's parameters) without."""
        along = {id(parameter): tangent for parameter, tangent in zip(self.parameters, direction)}
        found = {self.input: Dual(images, None)}
        for node, rule, layer in self.steps:
            inputs = [found[read]._replace(shared=self._read_later(read, node)) for read in node.args]
            for read in set(node.args):
                if self.last_reader[read] is node:
                    del found[read]
            found[node] = rule(layer, *inputs, along)
            del inputs
        return found[self.output]

    def _read_later(self, read: fx.Node, node: fx.Node) -> bool:
        return self.last_reader[read] is not node or read is self.output


def jvp_pass(model: nn.Module) -> JVPPass | None:
    """None for a network with a layer or an operation that has no rule here."""
    try:
        return JVPPass(model, _Tracer().trace(model))
    except Exception:  # _NoRule, or whatever a network's own code raises when it is given fx's proxies
        return None


class _NoRule(Exception):
    pass


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in LAYERS or super().is_leaf_module(m, module_qualified_name)


def _rule(model: nn.Module, node: fx.Node) -> tuple[Callable, nn.Module | None]:
    """What computes ``node``, and the layer that it is of."""
    if node.kwargs or not all(isinstance(read, fx.Node) for read in node.args):
        raise _NoRule
    if node.op == "call_module":
        layer = model.get_submodule(node.target)
        if type(layer) in LAYERS and not _is_special(layer):
            return LAYERS[type(layer)], layer
    elif node.target in OPERATIONS:
        return OPERATIONS[node.target], None
    raise _NoRule


def _is_special(layer: nn.Module) -> bool:
    """Hooks and parametrised weights would go unseen."""
    hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    return any(hooks) or any(True for _ in layer.children())


def _linear(layer: nn.Module, x: Dual, along: ParameterTangents) -> Dual:
    """Of layers linear in the input and in the weight: f(x, dw) + db + f(dx, w)."""
    value = layer(x.value)
    with torch.no_grad():
        tangents = {name: along[id(p)] for name, p in layer.named_parameters()}
        tangent = functional_call(layer, tangents, x.value.detach())
        if x.tangent is not None:
            without_bias = {} if layer.bias is None else {"bias": torch.zeros_like(layer.bias)}
            tangent += functional_call(layer, without_bias, x.tangent)
    return Dual(value, tangent)


def _batch_norm(layer: _BatchNorm, x: Dual, along: ParameterTangents) -> Dual:
    """With n = (x - mean) / sd:  dy = dgamma n + dbeta + gamma / sd * (dx - mean(dx) - n mean(n dx)).

    The two means are over the batch, and left out where running statistics normalise.
    """
    value, mean, scale, sums = _normalised(layer, x.value)
    with torch.no_grad():
        values, tangent = x.value.detach(), x.tangent
        weight, d_weight, d_bias = 1.0, 0.0, 0.0
        if layer.affine:
            weight, d_weight, d_bias = layer.weight, along[id(layer.weight)], along[id(layer.bias)]
        slope = weight * scale
        if tangent is not None and sums is not None:
            products, total, count = sums(tangent)
            d_weight = d_weight - slope * products / count
            d_bias = d_bias - slope * total / count
        of_value = d_weight * scale
        constant = d_bias - of_value * mean
        shape = (1, -1, *[1] * (values.dim() - 2))
        of_value, constant, slope = (torch.as_tensor(t).view(shape) for t in (of_value, constant, slope))
        if tangent is None:
            tangent = values * of_value
        else:
            # In fewer digits than the statistics have, it is rounded once, at the end.
            tangent = x.writable() if tangent.dtype == slope.dtype else tangent.to(slope.dtype)
            tangent = tangent.mul_(slope).addcmul_(values.to(slope.dtype), of_value)
        tangent += constant
    return Dual(value, tangent.to(value.dtype))


# (dx) -> the sums of n dx and of dx over the batch, [C] each, and of how many numbers each is.
Sums = Callable[[Tensor], tuple[Tensor, Tensor, float | Tensor]]


def _normalised(layer: _BatchNorm, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Sums | None]:
    """What ``layer`` does, with the mean and 1 / sd that it does it by; sums where these are the batch's."""
    if not layer.training and layer.running_mean is not None:
        return layer(values), layer.running_mean, (layer.running_var + layer.eps).rsqrt(), None
    if isinstance(layer, SyncBatchNorm2d):
        found = layer.normalised(values)
        return *found[:3], lambda tangent: (*layer.sums(tangent, values.detach(), found), found.count)
    momentum = 0.0
    if layer.training and layer.track_running_stats:
        layer.num_batches_tracked += 1
        momentum = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
    found = torch.native_batch_norm(
        values, layer.weight, layer.bias, layer.running_mean, layer.running_var, True, momentum, layer.eps
    )
    _, mean, scale = found

    def sums(tangent: Tensor) -> tuple[Tensor, Tensor, float]:
        # What BatchNorm's backward pass sums for its weight and bias. CUDA allocates both sums like the
        # weight, although it does not read it, and fails without one.
        weight = layer.weight if layer.affine else torch.ones_like(mean)
        _, products, total = torch.ops.aten.native_batch_norm_backward(
            tangent, values.detach(), weight, None, None, mean, scale, True, layer.eps, [False, True, True]
        )
        return products, total, values.numel() / values.shape[1]

    return *found, sums


def _relu(layer: nn.ReLU | None, x: Dual, along: ParameterTangents) -> Dual:
    value = F.relu(x.value) if layer is None else layer(x.value)
    if x.tangent is None:
        return Dual(value, None)
    tangent = x.writable()
    torch.ops.aten.threshold_backward.grad_input(tangent, value.detach(), 0, grad_input=tangent)
    return Dual(value, tangent)


def _max_pool(layer: nn.MaxPool2d, x: Dual, along: ParameterTangents) -> Dual:
    value, chosen = F.max_pool2d(
        x.value, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode, True
    )
    if x.tangent is None:
        return Dual(value, None)
    return Dual(value, x.tangent.flatten(-2).gather(-1, chosen.flatten(-2)).view(value.shape))


def _add(_: None, x: Dual, y: Dual, along: ParameterTangents) -> Dual:
    value = x.value + y.value
    if x.tangent is None or y.tangent is None:
        known = x if y.tangent is None else y
        return Dual(value, known.tangent if known.tangent is None else known.tangent.clone())
    if x.value.shape != y.value.shape or x.shared:
        return Dual(value, x.tangent + y.tangent)
    return Dual(value, x.tangent.add_(y.tangent))


# Exactly these classes: a subclass may do something else.
LAYERS = {
    nn.Conv2d: _linear,
    nn.ConvTranspose2d: _linear,
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    SyncBatchNorm2d: _batch_norm,
    nn.ReLU: _relu,
    nn.MaxPool2d: _max_pool,
}
OPERATIONS = {
    operator.add: _add,
    torch.add: _add,
    "add": _add,
    F.relu: _relu,
    torch.relu: _relu,
    "relu": _relu,
}
