"""The hypergradient by brute force: differentiable optimisers, unrolled, with second-order graphs.

Slow and plain, written from the formulas of the papers and of torch's documentation; shares no
code with lib.ignoring.
"""

import torch
from torch.func import functional_call

# name: (source in the target's loss, target held near a source model)
TABLE = {
    "baseline1": ("no", "no"),
    "baseline2": ("plain", "no"),
    "baseline3": ("no", "plain"),
    "baseline4": ("plain", "plain"),
    "ours1": ("weighted", "no"),
    "ours2": ("no", "weighted"),
    "ours3": ("weighted", "plain"),
    "ours4": ("plain", "weighted"),
    "ours5": ("weighted", "weighted"),
    "no, near a fixed model": ("no", "fixed"),
    "plain, near a fixed model": ("plain", "fixed"),
    "weighted, near a fixed model": ("weighted", "fixed"),
}


def adam(weights, gradients, moments, step, lr, betas, eps, decay):
    """One Adam step as a differentiable function of ``gradients``; moments [(m, v)] or None."""
    b1, b2 = betas
    out = []
    for i, (w, g) in enumerate(zip(weights, gradients)):
        g = g + decay * w
        m, v = moments[i] if moments else (torch.zeros_like(w), torch.zeros_like(w))
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_hat = m / (1 - b1**step)
        v_hat = v / (1 - b2**step)
        # d sqrt(x) / dx is infinite at 0, where the step is 0: give autograd a branch it can take
        root = torch.where(v_hat > 0, torch.where(v_hat > 0, v_hat, 1.0).sqrt(), 0.0)
        out.append(w - lr * m_hat / (root + eps))
    return out


def sgd(weights, gradients, buffers, lr, momentum, dampening, nesterov, decay):
    """One SGD step as a differentiable function of ``gradients``; buffers [b] or None."""
    out = []
    for i, (w, g) in enumerate(zip(weights, gradients)):
        g = g + decay * w
        if momentum:
            b = momentum * buffers[i] + (1 - dampening) * g if buffers else g
            g = g + momentum * b if nesterov else b
        out.append(w - lr * g)
    return out


def optimizer_step(optimizer, weights, gradients):
    """The step that torch's ``optimizer`` would take, differentiable by ``gradients``."""
    (group,) = optimizer.param_groups
    states = [optimizer.state.get(p, {}) for p in group["params"]]
    if isinstance(optimizer, torch.optim.Adam):
        moments = [(s["exp_avg"], s["exp_avg_sq"]) for s in states] if states[0] else None
        step = 1 + (int(states[0]["step"]) if states[0] else 0)
        return adam(
            weights,
            gradients,
            moments,
            step,
            group["lr"],
            group["betas"],
            group["eps"],
            group["weight_decay"],
        )
    buffers = [s["momentum_buffer"] for s in states] if states[0].get("momentum_buffer") is not None else None
    return sgd(
        weights, gradients, buffers, group["lr"], group["momentum"], group["dampening"], group["nesterov"], group["weight_decay"]
    )  # fmt: skip


def keypoint_losses(outputs, heatmaps, target_weight):
    """The loss as a loop over samples and joints."""
    rows = []
    for predicted, wanted, weight in zip(outputs, heatmaps, target_weight):
        rows.append(
            torch.stack([0.5 * ((w * (p - h)) ** 2).sum() for p, h, w in zip(predicted, wanted, weight)])
        )
    return torch.stack(rows)


def hypergradient(mode, lam, gamma, target, source, batches, eps_a=None, eps_b=None, layers=()):
    """(dL_V/d eps_a, dL_V/d eps_b) at the given eps [N, J]; None where the mode has none.

    ``target`` and ``source`` are (model, optimizer); ``batches`` maps target, source, validation
    to (images, heatmaps, target_weight). ``mode`` is one of TABLE. Of the validation loss, only what acts
    through the parameters of ``layers`` counts; all if there are none. Buffers of the models do change:
    give copies.
    """
    in_loss, near = TABLE[mode]

    def losses(model, parameters, name):
        return _losses(model, parameters, batches[name])

    ones = torch.ones_like(batches["source"][2])
    eps_a = eps_a.detach().clone().requires_grad_() if near == "weighted" else ones
    eps_b = eps_b.detach().clone().requires_grad_() if in_loss == "weighted" else ones

    anchor = None
    if near == "fixed":
        anchor = [p.detach() for p in source[0].parameters()]
    elif near != "no":
        anchor = _stepped(source, lambda p: (eps_a * losses(source[0], p, "source")).mean())

    def target_loss(parameters):
        parts = [losses(target[0], parameters, "target").flatten()]
        if in_loss != "no":
            parts.append((gamma * eps_b * losses(target[0], parameters, "source")).flatten())
        total = torch.cat(parts).mean()
        if anchor is not None:
            total = total + lam * sum(((p - q) ** 2).sum() for p, q in zip(parameters.values(), anchor))
        return total

    moved = _restricted(target[0], _stepped(target, target_loss), layers)
    validation = losses(target[0], moved, "validation").mean()
    wanted = [e for e in (eps_a, eps_b) if e.requires_grad]
    found = dict(zip([id(e) for e in wanted], torch.autograd.grad(validation, wanted)))
    return found.get(id(eps_a)), found.get(id(eps_b))


def hypergradient_at_source(source, batches, eps, layers=()):
    """d L_V(w_s') / d eps [N, J]: of the source model's own validation loss after its own next step."""
    eps = eps.detach().clone().requires_grad_()
    model, _ = source
    moved = _stepped(source, lambda p: (eps * _losses(model, p, batches["source"])).mean())
    validation = _losses(model, _restricted(model, moved, layers), batches["validation"]).mean()
    return torch.autograd.grad(validation, eps)[0]


def _restricted(model, moved, layers):
    """{name: parameter} of ``moved``; constant outside of ``layers``, if there are any."""
    named = dict(zip((name for name, _ in model.named_parameters()), moved))
    if not layers:
        return named
    return {name: p if name.split(".")[0] in layers else p.detach() for name, p in named.items()}


def _losses(model, parameters, batch):
    images, heatmaps, weight = batch
    return keypoint_losses(functional_call(model, parameters, (images,)), heatmaps, weight)


def _stepped(pair, loss_of):
    """The parameters after a step of (model, optimizer) on a loss of {name: parameter}, differentiable."""
    model, optimizer = pair
    weights = [p.detach().clone().requires_grad_() for p in model.parameters()]
    total = loss_of(dict(zip((n for n, _ in model.named_parameters()), weights)))
    gradients = torch.autograd.grad(total, weights, create_graph=True)
    return optimizer_step(optimizer, weights, gradients)


def online_step(mode, lam, gamma, target, source, batches):
    """One step of the original's: second-order graphs, weights minmax(max(-G, 0)), then the real steps.

    As in the original, BatchNorm's running statistics follow every pass. Returns {A and B that ``mode``
    has: weights [N, J]}.
    """
    weights = {place: torch.zeros_like(batches["source"][2]) for place in "AB"}
    found = hypergradient(mode, lam, gamma, target, source, batches, weights["A"], weights["B"])
    learned = {place: online_weights(g) for place, g in zip("AB", found) if g is not None}
    real_steps(mode, lam, gamma, target, source, batches, learned)
    return learned


def real_steps(mode, lam, gamma, target, source, batches, weights):
    """The steps that are taken, given ``weights`` {A or B: [N, J]}; without, all are one.

    One graph of a model's whole loss and one backward pass, as such training is usually written.
    """
    in_loss, near = TABLE[mode]
    weights = {place: torch.ones_like(batches["source"][2]) for place in "AB"} | weights

    def losses(pair, name):
        return _losses(pair[0], dict(pair[0].named_parameters()), batches[name])

    if near not in ("no", "fixed"):
        descend(source, (weights["A"] * losses(source, "source")).mean())
    parts = [losses(target, "target").flatten()]
    if in_loss != "no":
        parts.append((gamma * weights["B"] * losses(target, "source")).flatten())
    loss = torch.cat(parts).mean()
    if near != "no":
        pairs = zip(target[0].parameters(), source[0].parameters())
        loss = loss + lam * sum(((w - anchor.detach()) ** 2).sum() for w, anchor in pairs)
    descend(target, loss)


def online_weights(gradient):
    positive = torch.where(gradient < 0, -gradient, 0.0)
    low, high = positive.min(), positive.max()
    if low == high:
        return torch.ones_like(positive) if high > 0 else torch.zeros_like(positive)
    return (positive - low) / (high - low)


def descend(pair, loss):
    """A step of (model, optimizer) down ``loss``."""
    _, optimizer = pair
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
