"""One training step of each of the nine modes, written as the method's text says it.

Slow and plain: losses in loops, proximity inside the loss, one backward pass for each model, torch's
own optimisers, weights by Python arithmetic, hypergradients by unrolled autodiff. Shares no code
with lib.ignoring. Written for float64.
"""

import copy
import math

import torch
from torch.func import functional_call

from tests.reference import unrolled


class PlainOnline:
    """weight = minmax(max(-G, 0)) over the whole batch, nothing remembered."""

    def current(self, losses, index, flipped, labelled):
        return torch.ones_like(losses)

    def weigh(self, gradients, losses, index, flipped, labelled, commit):
        values = [[max(-g, 0.0) for g in row] for row in gradients.tolist()]
        low, high = min(map(min, values)), max(map(max, values))
        if high == low:
            return torch.full_like(gradients, 0.0 if high == 0 else 1.0)
        return gradients.new_tensor([[(x - low) / (high - low) for x in row] for row in values])


class PlainPersistent:
    """One logit for every annotated keypoint, in a dictionary."""

    def __init__(self, lr, flip_indices):
        self.lr, self.flip_indices, self.logits = lr, flip_indices, {}

    def current(self, losses, index, flipped, labelled):
        return self.weigh(torch.zeros_like(losses), losses, index, flipped, labelled, commit=False)

    def weigh(self, gradients, losses, index, flipped, labelled, commit):
        rows, columns = gradients.shape
        known = [gradients[i, j].item() for i in range(rows) for j in range(columns) if labelled[i, j]]
        rms = math.sqrt(sum(g * g for g in known) / len(known)) if known else 0.0
        weights, stepped = torch.zeros_like(gradients), {}
        for i in range(rows):
            for j in range(columns):
                key = (int(index[i]), self.flip_indices[j] if flipped[i] else j)
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


class PlainLossAware:
    """logit = t (v + u) + b + w1 e + w2 mean(e), everything in dictionaries by annotation and joint.

    ``numbers`` names the constants: lr, floor, old, forget, linear_lr, betas, eps, kappa, level, pairs_decay.
    """

    def __init__(self, joints, flip_indices, numbers):
        self.joints, self.flip_indices, self.n = joints, flip_indices, numbers
        self.v, self.u, self.e = {}, {}, {}
        self.linear = [0.0] * (2 + joints)  # w1, w2, b of each joint
        self.first, self.second, self.steps = [0.0] * (2 + joints), [0.0] * (2 + joints), 0
        self.signs, self.pairs = {}, {"agree": 0.0, "positive": 0.0, "all": 0.0}
        self.mean, self.variance, self.batches = [0.0] * joints, [1.0] * joints, [0] * joints

    def current(self, losses, index, flipped, labelled):
        self._look(losses, index, flipped, labelled)
        return self._weights(losses, index, flipped)

    def weigh(self, gradients, losses, index, flipped, labelled, commit):
        kept = copy.deepcopy(self.__dict__)
        self._compare(gradients, index, flipped, labelled)
        self._look(losses, index, flipped, labelled)
        self._learn(gradients, losses, index, flipped, labelled)
        weights = self._weights(losses, index, flipped)
        if not commit:
            self.__dict__ = kept
        return weights

    def theta(self, annotation, joint):
        w1, w2, *b = self.linear
        e, mean_e = self._features(annotation, joint)
        own = self.v.get((annotation, joint), 0.0) + self.u.get(annotation, 0.0)
        theta = self.trust() * own + b[joint]
        return min(max(theta + w1 * e + w2 * mean_e, -6.0), 6.0)

    def trust(self):
        count = self.pairs["all"]
        if count == 0:
            return 1.0
        positive = self.pairs["positive"] / count
        chance = positive * positive + (1 - positive) * (1 - positive)
        kappa = 0.0 if chance == 1 else (self.pairs["agree"] / count - chance) / (1 - chance)
        return min(max(kappa / self.n["kappa"], 0.0), 1.0)

    def _compare(self, gradients, index, flipped, labelled):
        """Count the pairs of this sign and the last one of the same keypoint."""
        for name in self.pairs:
            self.pairs[name] *= self.n["pairs_decay"]
        for i, j, annotation, joint in self._keypoints(index, flipped, labelled):
            positive, zero = gradients[i, j].item() > 0, gradients[i, j].item() == 0
            before = self.signs.get((annotation, joint))
            if before is not None and not zero:
                self.pairs["all"] += 1
                self.pairs["positive"] += positive
                self.pairs["agree"] += positive == before
            if not zero:
                self.signs[annotation, joint] = positive

    def _features(self, annotation, joint):
        known = [self.e[annotation, j] for j in range(self.joints) if (annotation, j) in self.e]
        return self.e.get((annotation, joint), 0.0), sum(known) / len(known) if known else 0.0

    def _weights(self, losses, index, flipped):
        rows = []
        for i, annotation in enumerate(index.tolist()):
            row = [
                self.theta(annotation, self.flip_indices[j] if flipped[i] else j) for j in range(self.joints)
            ]
            rows.append([1 / (1 + math.exp(-theta)) for theta in row])
        return losses.new_tensor(rows)

    def _keypoints(self, index, flipped, labelled):
        """(row, column, annotation, joint as the annotation names it) of all that have a label."""
        for i, annotation in enumerate(index.tolist()):
            for j in range(self.joints):
                if labelled[i, j]:
                    yield i, j, annotation, self.flip_indices[j] if flipped[i] else j

    def _look(self, losses, index, flipped, labelled):
        logs = [
            (annotation, joint, math.log(losses[i, j].item() + self.n["floor"]))
            for i, j, annotation, joint in self._keypoints(index, flipped, labelled)
        ]
        for joint in range(self.joints):
            of_joint = [value for _, other, value in logs if other == joint]
            if of_joint:
                self.batches[joint] += 1
                share = max(1 / self.batches[joint], self.n["forget"])
                mean = sum(of_joint) / len(of_joint)
                variance = sum((value - mean) ** 2 for value in of_joint) / len(of_joint)
                self.mean[joint] = (1 - share) * self.mean[joint] + share * mean
                self.variance[joint] = (1 - share) * self.variance[joint] + share * variance
        for annotation, joint, value in logs:
            z = (value - self.mean[joint]) / (math.sqrt(self.variance[joint]) + 1e-3)
            z = min(max(z, -3.0), 3.0)
            before = self.e.get((annotation, joint))
            old = self.n["old"]
            self.e[annotation, joint] = z if before is None else old * before + (1 - old) * z

    def _learn(self, gradients, losses, index, flipped, labelled):
        known = list(self._keypoints(index, flipped, labelled))
        g = {
            (annotation, joint): -gradients[i, j].item() / math.sqrt(losses[i, j].item() + self.n["floor"])
            for i, j, annotation, joint in known
        }
        rms = math.sqrt(sum(value**2 for value in g.values()) / len(g)) if g else 0.0
        q, slope = {}, {}
        for key, value in g.items():
            a = 1 / (1 + math.exp(-self.theta(*key)))
            slope[key] = 4 * a * (1 - a)
            q[key] = (min(max(value / rms, -2.0), 2.0) if rms else 0.0) * slope[key]
        common = sum(q.values()) / sum(slope.values()) if slope else 0.0

        size = gradients.numel()
        slopes = [0.0] * (2 + self.joints)  # of -mean(q * theta) by w1, w2 and b
        for (annotation, joint), value in q.items():
            e, mean_e = self._features(annotation, joint)
            own = value - common * slope[annotation, joint]
            slopes[0] -= own * e / size
            slopes[1] -= own * mean_e / size
            slopes[2 + joint] -= value / size
        for key, value in q.items():
            self.v[key] = min(max(self.v.get(key, 0.0) + self.n["lr"] * value, -6.0), 6.0)
        for annotation in index.tolist():
            total = sum(value for (other, _), value in q.items() if other == annotation)
            step = min(max(total / math.sqrt(self.joints), -2.0), 2.0)
            u = self.u.get(annotation, 0.0) + self.n["person_lr"] * step
            self.u[annotation] = min(max(u, -6.0), 6.0)
        self._adam(slopes)
        self.linear[0] = min(self.linear[0], 0.0)
        highest = max(abs(b) for b in self.linear[2:])
        if highest > self.n["level"]:
            self.linear = [value * self.n["level"] / highest for value in self.linear]

    def _adam(self, slopes):
        self.steps += 1
        (b1, b2), lr, eps = self.n["betas"], self.n["linear_lr"], self.n["eps"]
        for k, slope in enumerate(slopes):
            self.first[k] = b1 * self.first[k] + (1 - b1) * slope
            self.second[k] = b2 * self.second[k] + (1 - b2) * slope**2
            m, v = self.first[k] / (1 - b1**self.steps), self.second[k] / (1 - b2**self.steps)
            self.linear[k] -= lr * m / (math.sqrt(v) + eps)


def plain_loss_aware(made, lr, floor):
    """The plain twin of the LossAwareWeights ``made``, whose constants are settings, not part of the method."""
    numbers = {
        "lr": lr,
        "person_lr": made.INSTANCE_LR * lr,
        "floor": floor,
        "old": made.AVERAGE_DECAY,
        "forget": made.STATISTICS_RATE,
        "linear_lr": made.LINEAR_LR * lr,
        "betas": made.BETAS,
        "kappa": 0.2,
        "level": 3.0,
        "pairs_decay": made.PAIRS_DECAY,
        "eps": made.EPS,
    }
    partner = made.flip_indices.tolist()
    return PlainLossAware(len(partner), partner, numbers)


def plain_step(
    name,
    lam,
    gamma,
    meta_loop,
    target,
    source,
    variables,
    batches,
    index,
    flipped,
    weighting="update",
    at_source=False,
    layers=(),
):
    """Step ``source`` and then ``target``, both (model, optimizer), and say what was seen.

    ``batches`` maps target, source and validation to (images, heatmaps, target_weight); ``variables``
    maps A and B to PlainOnline, PlainPersistent or PlainLossAware. ``weighting`` is learned, kept or one;
    ``at_source``: A serves the source model's own validation loss; ``layers``: see unrolled.py. Returns (means, weights): the
    mean losses and the proximity, and the weights [N, J] of the places that have variables.
    """
    in_loss, near = unrolled.TABLE[name]
    learned = [place for place, how in (("A", near), ("B", in_loss)) if how == "weighted"]
    of_place = {"A": source, "B": target}

    def gradients_at(eps):
        found = unrolled.hypergradient(
            name,
            lam,
            gamma,
            copy.deepcopy(target),
            copy.deepcopy(source),
            batches,
            eps["A"],
            eps["B"],
            layers,
        )
        found = dict(zip("AB", found))
        if at_source and "A" in learned:
            found["A"] = unrolled.hypergradient_at_source(copy.deepcopy(source), batches, eps["A"], layers)
        return found

    weights = _weights(
        learned, of_place, variables, batches, index, flipped, meta_loop, gradients_at, weighting
    )
    means = {}

    if near not in ("no", "fixed"):
        means["source_model"] = _step_source(source, weights["A"], batches)

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
    unrolled.descend(target, loss)
    return means, {place: weights[place] for place in learned}


def plain_source_step(meta_loop, source, variables, batches, index, flipped, weighting="update", layers=()):
    """Step ``source`` alone; where ``variables`` has A, weighted by what serves its own validation loss."""

    def gradients_at(eps):
        return {"A": unrolled.hypergradient_at_source(copy.deepcopy(source), batches, eps["A"], layers)}

    weights = _weights(
        list(variables), {"A": source}, variables, batches, index, flipped, meta_loop, gradients_at, weighting
    )
    means = {"source_model": _step_source(source, weights["A"], batches)}
    return means, {place: weights[place] for place in variables}


def _weights(learned, of_place, variables, batches, index, flipped, meta_loop, gradients_at, weighting):
    """{A, B: [N, J]}, one where nothing is learned. ``gradients_at``: hypergradients from {A, B: weights}."""
    labelled = batches["source"][2]
    weights = {place: torch.ones_like(labelled) for place in "AB"}
    if weighting == "uniform":
        return weights
    losses = {
        place: _losses_without_statistics(of_place[place][0], batches["source"]).detach() for place in learned
    }
    if weighting == "current":
        return weights | {
            place: variables[place].current(losses[place], index, flipped, labelled) for place in learned
        }
    eps = {place: torch.zeros_like(labelled) for place in "AB"}
    for loop in range(meta_loop if learned else 0):
        found = gradients_at(eps)
        for place in learned:
            eps[place] = variables[place].weigh(
                found[place], losses[place], index, flipped, labelled, commit=loop == meta_loop - 1
            )
    return weights | {place: eps[place] for place in learned}


def _step_source(source, weights, batches):
    loss = (weights * _losses(source[0], batches["source"])).mean()
    unrolled.descend(source, loss)
    return loss.item()


def _losses(model, batch):
    images, heatmaps, weight = batch
    return unrolled.keypoint_losses(model(images), heatmaps, weight)


def _losses_without_statistics(model, batch):
    """As ``_losses``, through the same parameters, but BatchNorm's running statistics go into a copy."""
    images, heatmaps, weight = batch
    copies = {name: buffer.clone() for name, buffer in model.named_buffers()}
    outputs = functional_call(model, {**dict(model.named_parameters()), **copies}, (images,))
    return unrolled.keypoint_losses(outputs, heatmaps, weight)
