"""One training step of each of the nine modes, written as the method's text says it.

Slow and plain: losses in loops, proximity inside the loss, one backward pass for each model, torch's
own optimisers, weights by Python arithmetic, hypergradients by unrolled autodiff. Shares no code
with lib.ignoring. Written for float64.
"""

import copy
import math

import torch
from torch.func import functional_call

from tests.oracle import unrolled

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
}


class PlainOnline:
    """weight = minmax(max(-G, 0)) over the whole batch, nothing remembered."""

    def weigh(self, gradients, index, flipped, labelled, commit):
        values = [[max(-g, 0.0) for g in row] for row in gradients.tolist()]
        low, high = min(map(min, values)), max(map(max, values))
        if high == low:
            return torch.full_like(gradients, 0.0 if high == 0 else 1.0)
        return gradients.new_tensor([[(x - low) / (high - low) for x in row] for row in values])


class PlainPersistent:
    """One logit for every annotated keypoint, in a dictionary."""

    def __init__(self, lr, partner):
        self.lr, self.partner, self.logits = lr, partner, {}

    def weigh(self, gradients, index, flipped, labelled, commit):
        rows, columns = gradients.shape
        known = [gradients[i, j].item() for i in range(rows) for j in range(columns) if labelled[i, j]]
        rms = math.sqrt(sum(g * g for g in known) / len(known)) if known else 0.0
        weights, stepped = torch.zeros_like(gradients), {}
        for i in range(rows):
            for j in range(columns):
                key = (int(index[i]), self.partner[j] if flipped[i] else j)
                logit = self.logits.get(key, 0.0)
                if labelled[i, j] and rms > 0:
                    a = 1 / (1 + math.exp(-logit))
                    relative = min(max(gradients[i, j].item() / rms, -2.0), 2.0)
                    logit = min(max(logit - self.lr * relative * 4 * a * (1 - a), -6.0), 6.0)
                stepped[key] = logit
                weights[i, j] = 1 / (1 + math.exp(-logit))
        if commit:
            self.logits.update(stepped)
        return weights


def plain_step(
    name, lam, gamma, meta_loop, target, source, variables, batches, index, flipped, warm_up=False
):
    """Step ``source`` and then ``target``, both (model, optimizer), and say what was seen.

    ``batches`` maps target, source and validation to (images, heatmaps, target_weight); ``variables``
    maps A and B to PlainOnline or PlainPersistent. Returns (means, weights): the mean losses and the
    proximity, and the learned weights [N, J].
    """
    in_loss, near = TABLE[name]
    weights = {place: torch.ones_like(batches["source"][2]) for place in "AB"}
    learned = [place for place, how in (("A", near), ("B", in_loss)) if how == "weighted"]
    if learned and not warm_up:
        eps = {place: torch.zeros_like(weights[place]) for place in "AB"}
        for loop in range(meta_loop):
            found = unrolled.hypergradient(
                name, lam, gamma, copy.deepcopy(target), copy.deepcopy(source), batches, eps["A"], eps["B"]
            )
            gradients = dict(zip("AB", found))
            for place in learned:
                eps[place] = variables[place].weigh(
                    gradients[place], index, flipped, batches["source"][2], commit=loop == meta_loop - 1
                )
        weights |= {place: eps[place] for place in learned}
    means = {}

    if near != "no":
        loss = (weights["A"] * _losses(source[0], batches["source"])).mean()
        means["source_model"] = loss.item()
        _descend(source, loss)

    target_losses = _losses(target[0], batches["target"])
    means["target"] = target_losses.mean().item()
    parts = [target_losses.flatten()]
    if in_loss != "no":
        source_losses = weights["B"] * _losses_without_statistics(target[0], batches["source"])
        means["source"] = source_losses.mean().item()
        parts.append(gamma * source_losses.flatten())
    loss = torch.cat(parts).mean()
    if near != "no":
        pairs = zip(target[0].parameters(), source[0].parameters())
        proximity = lam * sum(((w - anchor.detach()) ** 2).sum() for w, anchor in pairs)
        means["proximity"] = proximity.item()
        loss = loss + proximity
    _descend(target, loss)
    return means, {place: weights[place] for place in learned}


def _losses(model, batch):
    images, heatmaps, weight = batch
    return unrolled.keypoint_losses(model(images), heatmaps, weight)


def _losses_without_statistics(model, batch):
    """As ``_losses``, through the same parameters, but BatchNorm's running statistics go into a copy."""
    images, heatmaps, weight = batch
    copies = {name: buffer.clone() for name, buffer in model.named_buffers()}
    outputs = functional_call(model, {**dict(model.named_parameters()), **copies}, (images,))
    return unrolled.keypoint_losses(outputs, heatmaps, weight)


def _descend(pair, loss):
    _, optimizer = pair
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
