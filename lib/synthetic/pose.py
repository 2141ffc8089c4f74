"""Random poses in 3-D, and the camera that sees them.

The body's frame has x to its own left, y down and z forward; the unit is its stature. The camera is parallel
(orthographic) with x right, y down and z towards it. People are seen from all around and a little from above
or below; they stand, walk, bend, kneel, climb and sit, and some lie, which turns the picture of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Points = dict[str, np.ndarray]  # {name of a joint or other point: [3]}
Range = tuple[float, float]
Leg = tuple[Range, Range, Range]


@dataclass(frozen=True)
class Stance:
    """What the legs and the trunk do. Ranges in degrees.

    share: of the people.
    legs: for both legs: outward and forward angle of the thigh, then what the knee adds to the forward one.
    bow: how far the trunk leans forward.
    """

    share: float
    legs: tuple[Leg, Leg]
    bow: Range = (-10, 20)


def _alike(outward: Range, forward: Range, knee: Range) -> tuple[Leg, Leg]:
    """The same ranges for both legs."""
    leg = outward, forward, knee
    return leg, leg


_STANCES = {
    "standing": Stance(0.15, _alike((0, 14), (-8, 12), (-18, 0))),
    "astride": Stance(0.14, _alike((14, 42), (-10, 15), (-25, 0))),
    "legs crossed": Stance(0.05, _alike((-14, -5), (-5, 10), (-12, 0))),
    "walking": Stance(0.12, (((0, 9), (15, 50), (-40, -4)), ((0, 9), (-35, -10), (-70, -10)))),
    "running": Stance(0.07, (((0, 9), (40, 80), (-110, -40)), ((0, 9), (-40, -5), (-110, -30))), (0, 35)),
    "knee up": Stance(0.04, (((5, 45), (45, 110), (-120, -50)), ((2, 12), (-8, 8), (-12, 0)))),
    "kneeling": Stance(0.04, (((0, 15), (60, 100), (-100, -80)), ((0, 12), (-15, 15), (-110, -75)))),
    "crouching": Stance(0.06, _alike((5, 50), (60, 110), (-140, -85)), (10, 50)),
    "bending": Stance(0.08, _alike((0, 22), (-15, 25), (-35, 0)), (45, 110)),
    "climbing": Stance(0.08, (((5, 50), (30, 110), (-120, -30)), ((5, 40), (-10, 45), (-60, 0)))),
    "sitting": Stance(0.17, _alike((-4, 28), (65, 105), (-120, -45)), (-25, 40)),
}

# Arms, in degrees: outward and forward angle of the upper arm, then what the elbow adds to each; and the share.
_ARMS = {
    "hanging": (((4, 28), (-25, 30), (-10, 8), (0, 60)), 0.22),
    "bent": (((10, 50), (-40, 30), (-30, 10), (60, 130)), 0.1),
    "on the hip": (((38, 65), (-35, 0), (-115, -80), (0, 20)), 0.08),
    "across": (((-8, 22), (10, 50), (-95, -55), (20, 70)), 0.1),
    "ahead": (((-10, 30), (40, 120), (-30, 10), (-5, 80)), 0.14),
    "sideways": (((55, 110), (-25, 40), (-30, 100), (-10, 40)), 0.2),
    "raised": (((110, 175), (-20, 40), (-70, 60), (-10, 40)), 0.16),
}

# Directions from which people are seen: ranges of the yaw in degrees, and the share.
_VIEWS = {
    "front": ((-50, 50), 0.48),
    "back": ((138, 222), 0.25),
    "facing right": ((50, 135), 0.135),
    "facing left": ((-135, -50), 0.135),
}

LYING = 0.14  # share of those who do not sit
SAME_ARMS = 0.4  # share of the people whose arms do the same


@dataclass(frozen=True)
class Pose:
    """A body as the camera sees it, in units of its stature.

    at: {name: [3]}, joints and other points.
    trunk, pelvis, head: [3, 3], whose columns are the part's directions left, down and forward.
    seat: the 8 corners [8, 3] of what it sits on, the upper four first; None if it does not sit.
    """

    at: Points
    trunk: np.ndarray
    pelvis: np.ndarray
    head: np.ndarray
    seat: np.ndarray | None


def _choose(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """One of the names, drawn with these probabilities."""
    return tuple(shares)[rng.choice(len(shares), p=list(shares.values()))]


def _direction(outward: float, forward: float, side: int) -> np.ndarray:
    """Unit vector [3] of a limb that hangs down, swung outward, then forward (degrees).

    side: 1 for the left, -1 for the right limb.
    """
    o, f = np.radians([outward, forward])
    return np.array([side * np.sin(o), np.cos(o) * np.cos(f), np.cos(o) * np.sin(f)])


def _rotation(axis: int, degrees: float) -> np.ndarray:
    """Rotation matrix [3, 3] about one axis (0, 1, 2)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, s, -s, c
    return matrix


def _clipped_normal(rng: np.random.Generator, mean: float, deviation: float, limit: float) -> float:
    """A normal number that differs from its mean by at most ``limit``."""
    return mean + float(np.clip(rng.normal(0, deviation), -limit, limit))


def _head(at: Points, turn: np.ndarray, height: float) -> None:
    """Add the points of the head; turn: its directions, height: from the upper neck to the top."""
    at["head_top"] = at["upper_neck"] + turn @ [0, -height, 0]
    at["head_centre"] = at["upper_neck"] + turn @ [0, -0.54 * height, 0]
    skull = 0.46 * height * turn
    at["face"] = at["head_centre"] + skull @ [0, 0.2, 0.45]
    at["nose"] = at["head_centre"] + skull @ [0, 0.2, 1.1]
    for side, name in ((1, "left"), (-1, "right")):
        at[f"{name}_lip"] = at["head_centre"] + skull @ [0.2 * side, 0.62, 0.8]
        at[f"{name}_eye"] = at["head_centre"] + skull @ [0.4 * side, -0.05, 0.9]


def _trunk(at: Points, trunk: np.ndarray, torso: float) -> None:
    """Add points of the chest, the back and what is worn there; trunk: its directions, torso: its length."""
    for name, x, y, z in (
        ("breast", 0, 0.08, 0.03),
        ("back", 0, 0.08, -0.025),
        ("chest", 0, 0.09, 0.065),
        ("nape", 0, 0.0, -0.05),
        ("left_collar", 0.045, 0.0, 0.03),
        ("right_collar", -0.045, 0.0, 0.03),
        ("left_front", 0.03, 0.85 * torso, 0.06),
        ("right_front", -0.03, 0.85 * torso, 0.06),
        ("left_bag_top", 0.06, 0.02, -0.075),
        ("right_bag_top", -0.06, 0.02, -0.075),
        ("left_bag_bottom", 0.07, 0.19, -0.095),
        ("right_bag_bottom", -0.07, 0.19, -0.095),
    ):
        at[name] = at["thorax"] + trunk @ [x, y, z]


def _arm(rng: np.random.Generator, at: Points, name: str, kind: str, frame: np.ndarray) -> None:
    """Add the joints of one arm; name: "left" or "right"."""
    side = 1 if name == "left" else -1
    out, fwd, elbow_out, elbow_fwd = (rng.uniform(*angles) for angles in _ARMS[kind][0])
    at[f"{name}_elbow"] = at[f"{name}_shoulder"] + 0.165 * (frame @ _direction(out, fwd, side))
    forearm = frame @ _direction(out + elbow_out, fwd + elbow_fwd, side)
    at[f"{name}_wrist"] = at[f"{name}_elbow"] + 0.15 * forearm
    at[f"{name}_hand"] = at[f"{name}_wrist"] + 0.025 * forearm


def _leg(rng: np.random.Generator, at: Points, name: str, angles: Leg) -> None:
    """Add the joints of one leg and its toe, which points forward from the shin; name: "left" or "right"."""
    side = 1 if name == "left" else -1
    out, fwd, knee = (rng.uniform(*a) for a in angles)
    at[f"{name}_knee"] = at[f"{name}_hip"] + 0.24 * _direction(out, fwd, side)
    at[f"{name}_ankle"] = at[f"{name}_knee"] + 0.23 * _direction(0.3 * out, fwd + knee, side)
    shin = np.radians(fwd + knee)
    at[f"{name}_toe"] = at[f"{name}_ankle"] + 0.08 * np.array([0.25 * side, 0.2 - np.sin(shin), np.cos(shin)])


def _seat(rng: np.random.Generator, at: Points) -> np.ndarray:
    """Corners [8, 3] of a box under the pelvis, about as high as the shins are long."""
    half, height, below = rng.uniform((0.11, 0.18, 0.045), (0.17, 0.27, 0.06))
    back, front = rng.uniform((-0.16, 0.05), (-0.09, 0.13))
    return np.array(
        [[x, y, z] for y in (below, below + height) for x in (-half, half) for z in (back, front)]
    )


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a random pose and the direction it is seen from."""
    # Stance, trunk and head.
    stance = _choose(rng, {name: stance.share for name, stance in _STANCES.items()})
    bow = rng.uniform(*_STANCES[stance].bow)
    trunk = _rotation(2, rng.normal(0, 11)) @ _rotation(1, rng.normal(0, 12)) @ _rotation(0, bow)
    nod = rng.normal(0, 14) - 0.3 * max(bow, 0)
    turn = trunk @ _rotation(1, _clipped_normal(rng, 0, 25, 60)) @ _rotation(0, nod)
    turn = turn @ _rotation(2, rng.normal(0, 9))
    torso, shoulder, hip, height = rng.uniform((0.26, 0.095, 0.055, 0.15), (0.32, 0.125, 0.075, 0.185))
    at = {"pelvis": np.zeros(3), "thorax": trunk @ [0, -torso, 0]}
    at["upper_neck"] = at["thorax"] + trunk @ [0, -0.035, 0.01]
    _head(at, turn, height)
    _trunk(at, trunk, torso)

    # Limbs. The arms of those who bend down hang down, and do not stay at the trunk.
    frame = trunk if bow < 35 else _rotation(0, bow * rng.uniform(0, 0.5))
    shares = {name: share for name, (_, share) in _ARMS.items()}
    kinds = {name: "raised" if stance == "climbing" else _choose(rng, shares) for name in ("left", "right")}
    if rng.random() < SAME_ARMS:
        kinds["right"] = kinds["left"]
    legs = _STANCES[stance].legs
    first = rng.choice(("left", "right"))
    for side, name in ((1, "left"), (-1, "right")):
        at[f"{name}_shoulder"] = at["thorax"] + trunk @ [side * shoulder, 0.015, 0]
        at[f"{name}_waist"] = trunk @ [side * (hip + 0.01), -0.2 * torso, 0]
        at[f"{name}_hip"] = np.array([side * hip, 0, 0])
        at[f"{name}_pocket"] = np.array([side * 0.6 * hip, 0.01, -0.055])
        _arm(rng, at, name, kinds[name], frame)
        _leg(rng, at, name, legs[0 if name == first else 1])
    seat = _seat(rng, at) if stance == "sitting" else None

    # The camera.
    view = _choose(rng, {name: share for name, (_, share) in _VIEWS.items()})
    yaw, pitch = rng.uniform(*_VIEWS[view][0]), _clipped_normal(rng, 12, 13, 30)
    lying = bool(rng.random() < LYING) and seat is None
    roll = rng.choice((-1, 1)) * rng.uniform(50, 180) if lying else rng.normal(0, 11)
    camera = _rotation(2, roll) @ _rotation(0, pitch) @ _rotation(1, yaw)
    return Pose(
        {name: camera @ point for name, point in at.items()},
        camera @ trunk,
        camera,
        camera @ turn,
        None if seat is None else seat @ camera.T,
    )
