"""Forward pass and Jacobian-vector product together; only the outputs keep an autograd graph.

The tangent of every layer's output along a direction of the parameters is computed beside the output
itself (forward-mode differentiation), with one rule per kind of layer. torch's own forward mode gives the
same numbers, but keeps a graph of the tangents as well or needs a second forward pass.

A rule is called as ``rule(layer, *inputs, tangents)``: the module (None for a function), its inputs as
`Dual`, the tangents of the parameters. It returns the output as `Dual`. A parameter without a tangent does not
move; no tangent is computed before the first layer that moves.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from lib.ignoring.sync_batchnorm import SyncBatchNorm2d


class Dual(NamedTuple):
    """A value and its tangent, of equal shape.

    tangent: None stands for zeros, as for the images.
    shared: a later layer reads the tangent again, so it must not be overwritten.
    """

    value: Tensor
    tangent: Tensor | None
    shared: bool = False

    def writable_tangent(self) -> Tensor:
        """The tangent itself if no other layer needs it, else a copy."""
        return self.tangent.clone() if self.shared else self.tangent


# Tangents by the parameter's id, of those parameters that move.
ParameterTangents = dict[int, Tensor]
Rule = Callable[..., Dual]  # (layer, *inputs, tangents) -> output


class JVPPass:
    """The forward pass of a traced model, with tangents."""

    def __init__(self, model: nn.Module, graph: fx.Graph):
        self.output = next(node.args[0] for node in graph.nodes if node.op == "output")
        self.steps = [(node, *_rule_of(model, node)) for node in graph.nodes if node.op.startswith("call_")]
        (self.input,) = (node for node in graph.nodes if node.op == "placeholder")
        self.last_reader = {argument: node for node, *_ in self.steps for argument in node.args}

    def __call__(self, images: Tensor, tangents: ParameterTangents) -> Dual:
        """Run the model.

        Args:
            images: [N, 3, H, W].
            tangents: the direction; at least one parameter of the model moves.

        Returns:
            The outputs with their graph, and their tangent along the direction without one.
        """
        results = {self.input: Dual(images, None)}
        for node, rule, layer in self.steps:
            inputs = [results[read]._replace(shared=self._is_read_later(read, node)) for read in node.args]
            # Free what no later layer reads, before this layer allocates.
            for read in set(node.args):
                if not self._is_read_later(read, node):
                    del results[read]
            results[node] = rule(layer, *inputs, tangents)
            del inputs
        return results[self.output]

    def _is_read_later(self, read: fx.Node, node: fx.Node) -> bool:
        return self.last_reader[read] is not node or read is self.output


def jvp_pass(model: nn.Module) -> JVPPass | None:
    """Trace ``model``; None if it has a layer or an operation without a rule."""
    try:
        return JVPPass(model, _Tracer().trace(model))
    except Exception:  # _NoRule, or whatever a network's own code raises when it gets torch.fx's proxies
        return None


class _NoRule(Exception):
    pass


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in LAYERS or super().is_leaf_module(m, module_qualified_name)


def _rule_of(model: nn.Module, node: fx.Node) -> tuple[Rule, nn.Module | None]:
    """The rule that computes ``node``, and its layer."""
    if node.kwargs or not all(isinstance(argument, fx.Node) for argument in node.args):
        raise _NoRule
    if node.op == "call_module":
        layer = model.get_submodule(str(node.target))
        if type(layer) in LAYERS and not _is_altered(layer):
            return LAYERS[type(layer)], layer
    elif node.target in OPERATIONS:
        return OPERATIONS[node.target], None
    raise _NoRule


def _is_altered(layer: nn.Module) -> bool:
    """True for a layer with hooks or parametrized weights, which the rules would miss."""
    hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    return any(hooks) or any(True for _ in layer.children())


def _linear(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, x: Dual, tangents: ParameterTangents) -> Dual:
    """Layers linear in the input and in the weight: dy = f(x, dw) + db + f(dx, w)."""
    value, tangent = layer(x.value), None
    with torch.no_grad():
        if _moves(layer, tangents):
            own = {name: tangents.get(id(p), torch.zeros_like(p)) for name, p in layer.named_parameters()}
            tangent = functional_call(layer, own, x.value.detach())
        if x.tangent is not None:
            no_bias = {} if layer.bias is None else {"bias": torch.zeros_like(layer.bias)}
            from_input = functional_call(layer, no_bias, x.tangent)
            tangent = from_input if tangent is None else tangent.add_(from_input)
    return Dual(value, tangent)


def _moves(layer: nn.Module, tangents: ParameterTangents) -> bool:
    return any(id(parameter) in tangents for parameter in layer.parameters())


def _batch_norm(layer: _BatchNorm, x: Dual, tangents: ParameterTangents) -> Dual:
    """With n = (x - mean) / sd:  dy = dgamma n + dbeta + gamma / sd * (dx - mean(dx) - n mean(n dx)).

    The two means are over the batch, and absent if running statistics normalize. Written as
    dy = values * x + slopes * dx + constants with one number per channel each.
    """
    if x.tangent is None and not _moves(layer, tangents):
        return Dual(layer(x.value), None)
    value, mean, inverse_sd, sums = _normalize(layer, x.value)
    with torch.no_grad():
        values, tangent = x.value.detach(), x.tangent
        gamma, d_gamma, d_beta = 1.0, 0.0, 0.0
        if layer.affine:
            zeros = torch.zeros_like(mean)
            d_gamma, d_beta = (tangents.get(id(p), zeros) for p in (layer.weight, layer.bias))
            gamma = layer.weight
        slope = gamma * inverse_sd
        # The means over the batch act like a change of gamma and beta.
        if tangent is not None and sums is not None:
            products, total, count = sums(tangent)
            d_gamma = d_gamma - slope * products / count
            d_beta = d_beta - slope * total / count
        value_factor = d_gamma * inverse_sd
        constant = d_beta - value_factor * mean
        shape = (1, -1, *[1] * (values.dim() - 2))
        value_factor, constant, slope = (
            torch.as_tensor(t).view(shape) for t in (value_factor, constant, slope)
        )
        if tangent is None:
            tangent = values * value_factor
        else:
            # In mixed precision, compute in the statistics' dtype and round once, at the end.
            same = tangent.dtype == slope.dtype
            tangent = x.writable_tangent() if same else tangent.to(slope.dtype)
            tangent = tangent.mul_(slope).addcmul_(values.to(slope.dtype), value_factor)
        tangent += constant
    return Dual(value, tangent.to(value.dtype))


# dx [N, C, ...] -> sums of n dx and of dx over the batch, [C] each, and the number of elements per channel.
BatchSums = Callable[[Tensor], tuple[Tensor, Tensor, float | Tensor]]


def _normalize(layer: _BatchNorm, values: Tensor) -> tuple[Tensor, Tensor, Tensor, BatchSums | None]:
    """The layer's output, and the mean and 1 / sd [C] that it used; BatchSums if they are the batch's."""
    if not layer.training and layer.running_mean is not None:
        return layer(values), layer.running_mean, (layer.running_var + layer.eps).rsqrt(), None
    if isinstance(layer, SyncBatchNorm2d):
        statistics = layer.normalized(values)

        def sums_over_ranks(dx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return *layer.sums(dx, values.detach(), statistics), statistics.count

        return statistics.value, statistics.mean, statistics.inverse_sd, sums_over_ranks
    momentum = 0.0
    if layer.training and layer.track_running_stats:
        layer.num_batches_tracked += 1
        momentum = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
    output, mean, inverse_sd = torch.native_batch_norm(
        values, layer.weight, layer.bias, layer.running_mean, layer.running_var, True, momentum, layer.eps
    )

    def sums(dx: Tensor) -> tuple[Tensor, Tensor, float]:
        # BatchNorm's backward pass computes these sums for its weight and bias. On CUDA it allocates them
        # like the weight, which it does not read, and fails without one.
        weight = layer.weight if layer.affine else torch.ones_like(mean)
        _, products, total = torch.ops.aten.native_batch_norm_backward(
            dx, values.detach(), weight, None, None, mean, inverse_sd, True, layer.eps, [False, True, True]
        )
        return products, total, values.numel() / values.shape[1]

    return output, mean, inverse_sd, sums


def _relu(layer: nn.ReLU | None, x: Dual, tangents: ParameterTangents) -> Dual:
    """dy = dx where y > 0, else 0."""
    value = F.relu(x.value) if layer is None else layer(x.value)
    if x.tangent is None:
        return Dual(value, None)
    tangent = x.writable_tangent()
    torch.ops.aten.threshold_backward.grad_input(tangent, value.detach(), 0, grad_input=tangent)
    return Dual(value, tangent)


def _max_pool(layer: nn.MaxPool2d, x: Dual, tangents: ParameterTangents) -> Dual:
    """dy = dx at the position of the maximum."""
    value, positions = F.max_pool2d(
        x.value, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode, True
    )
    if x.tangent is None:
        return Dual(value, None)
    return Dual(value, x.tangent.flatten(-2).gather(-1, positions.flatten(-2)).view(value.shape))


def _add(_: None, x: Dual, y: Dual, tangents: ParameterTangents) -> Dual:
    """d(x + y) = dx + dy, in place of dx if no other layer needs it."""
    value = x.value + y.value
    if x.tangent is None or y.tangent is None:
        known = x if y.tangent is None else y
        return Dual(value, known.tangent if known.tangent is None else known.tangent.clone())
    if x.value.shape != y.value.shape or x.shared:
        return Dual(value, x.tangent + y.tangent)
    return Dual(value, x.tangent.add_(y.tangent))


# Exactly these classes: a subclass may compute something else.
LAYERS: dict[type[nn.Module], Rule] = {
    nn.Conv2d: _linear,
    nn.ConvTranspose2d: _linear,
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    SyncBatchNorm2d: _batch_norm,
    nn.ReLU: _relu,
    nn.MaxPool2d: _max_pool,
}
OPERATIONS: dict[Any, Rule] = {
    operator.add: _add,
    torch.add: _add,
    "add": _add,
    F.relu: _relu,
    torch.relu: _relu,
    "relu": _relu,
}
