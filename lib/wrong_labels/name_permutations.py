"""The ways in which whole joints may have been named wrongly: permutations of the joints' names."""

import itertools

import numpy as np

from lib.dataset.skeleton import Skeleton

MAX_EXCHANGES = 8  # all their products are tried, 2^8 at most
LIMB = 3  # joints of a chain that can be told to be an arm or a leg


def name_permutations(skeleton: Skeleton) -> np.ndarray:
    """The identity, and all products of exchanges of names that annotators make.

    Exchanged are the two outer joints of a limb (wrist and elbow, ankle and knee), left and right of a pair of
    limbs (arms, legs), and left and right of the whole instance. People have 64 permutations. A skeleton without
    limbs has those of its pairs; without pairs, those of its limbs.

    Returns:
        int [P, J], the identity first: if the names are permuted by row p, the label of joint j is the one that
        the annotation calls joint p[j].
    """
    exchanges = _exchanges(skeleton)[:MAX_EXCHANGES]
    found = []
    for chosen in itertools.product((False, True), repeat=len(exchanges)):
        permutation = np.arange(len(skeleton.names))
        for exchange in itertools.compress(exchanges, chosen):
            permutation = permutation[exchange]
        found.append(tuple(permutation.tolist()))
    return np.array(list(dict.fromkeys(found)))


def limbs_of(skeleton: Skeleton) -> dict[int, np.ndarray]:
    """{joint: exchange of left and right of its pair of limbs, such as both arms, as a permutation [J]}.

    Joints of no limb have none; neither have those of several (where the fingers of a hand meet), as it is not clear
    which of them is meant.
    """
    exchanges = np.array(_halves(skeleton, _chains(skeleton))).reshape(-1, len(skeleton.names))
    concerned = exchanges != np.arange(len(skeleton.names))
    return {int(j): exchanges[concerned[:, j]][0] for j in np.flatnonzero(concerned.sum(axis=0) == 1)}


def _exchanges(skeleton: Skeleton) -> list[np.ndarray]:
    """The exchanges that are not products of others, each as a permutation [J]."""
    flip, chains = np.array(skeleton.flip_indices), _chains(skeleton)
    whole = _exchange(flip, range(len(flip)))
    halves = _halves(skeleton, chains)
    product = np.arange(len(flip))
    for sides in halves:
        product = product[sides]
    outer = [
        _exchange_two(len(flip), chain[0], chain[1])
        for chain in chains
        if len(chain) >= LIMB and (not skeleton.pairs or flip[chain[0]] != chain[0])
    ]
    return ([whole] if (whole != product).any() else []) + halves + outer


def _halves(skeleton: Skeleton, chains: list[list[int]]) -> list[np.ndarray]:
    """The exchanges of left and right of each pair of limbs, once."""
    flip = np.array(skeleton.flip_indices)
    halves: list[np.ndarray] = []
    for chain in chains:
        sides = _exchange(flip, {*chain, *flip[chain].tolist()})
        if (sides != np.arange(len(flip))).any() and not any((sides == other).all() for other in halves):
            halves.append(sides)
    return halves


def _exchange(flip: np.ndarray, joints) -> np.ndarray:
    result, joints = np.arange(len(flip)), list(joints)
    result[joints] = flip[joints]
    return result


def _exchange_two(count: int, a: int, b: int) -> np.ndarray:
    result = np.arange(count)
    result[[a, b]] = b, a
    return result


def _chains(skeleton: Skeleton) -> list[list[int]]:
    """From each end of the drawing inwards, up to and with the first joint where it branches or changes side."""
    neighbors: dict[int, set[int]] = {}
    for a, b in skeleton.limbs:
        if a != b:
            neighbors.setdefault(a, set()).add(b)
            neighbors.setdefault(b, set()).add(a)
    chains = []
    for end in sorted(joint for joint, others in neighbors.items() if len(others) == 1):
        chain = [end]
        while True:
            onward = neighbors[chain[-1]] - set(chain)
            if len(onward) != 1 or (len(chain) > 1 and len(neighbors[chain[-1]]) > 2):
                break
            following = onward.pop()
            if skeleton.sides[following] != skeleton.sides[end]:
                break
            chain.append(following)
        chains.append(chain)
    return chains
