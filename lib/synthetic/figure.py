"""Articulated figures: a random pose in 3-D, its projection into the image, and its clothed body parts.

The body's frame has x to its own left, y down and z forward; the unit is its stature. The pose is rotated,
projected by a parallel (orthographic) camera and drawn from back to front. Every part is a few blobs.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from lib.synthetic.appearance import Look, draw_colour
from lib.synthetic.canvas import BAG, DARK, HAIR, SHOES, SKIN, TOP, TROUSERS, Blob, make_blob

Points = dict[str, np.ndarray]  # {name of a joint or other point: [3]}

# Ranges in degrees. Arms: outward and forward angle of the upper arm, then what the elbow adds to each.
_ARMS = {
    "hanging": ((4, 28), (-20, 25), (-8, 8), (0, 45)),
    "bent": ((10, 40), (-30, 20), (-20, 10), (60, 110)),
    "on the hip": ((38, 60), (-25, 0), (-115, -85), (0, 20)),
    "sideways": ((60, 100), (-15, 15), (-25, 80), (0, 20)),
    "raised": ((110, 165), (-10, 20), (-45, 45), (-10, 20)),
}
_ARM_SHARES = (0.36, 0.08, 0.1, 0.24, 0.22)

# Legs: outward and forward angle of the thigh, then what the knee adds to the forward one; for both legs.
_LEGS = {
    "standing": (((2, 12), (-6, 8), (-12, 0)), ((2, 12), (-6, 8), (-12, 0))),
    "astride": (((14, 34), (-8, 8), (-12, 0)), ((14, 34), (-8, 8), (-12, 0))),
    "walking": (((0, 9), (15, 38), (-25, -4)), ((0, 9), (-30, -10), (-50, -10))),
    "knee up": (((5, 40), (45, 90), (-105, -60)), ((2, 8), (-6, 6), (-8, 0))),
    "crouching": (((12, 45), (50, 88), (-125, -85)), ((12, 45), (50, 88), (-125, -85))),
}
_LEG_SHARES = (0.28, 0.36, 0.2, 0.06, 0.1)

_BACK_VIEWS = 0.04  # share of the figures that show their back


def _choose(rng: np.random.Generator, names: Mapping, shares: Sequence[float]) -> str:
    """One of the ``names``, drawn with probabilities ``shares``."""
    return tuple(names)[rng.choice(len(shares), p=shares)]


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


def _draw_pose(rng: np.random.Generator) -> Points:
    """Joints and other points of a random pose in the body's frame, with the pelvis at the origin."""
    # Stance and trunk.
    stance = _choose(rng, _LEGS, _LEG_SHARES)
    bow = rng.uniform(10, 35) if stance == "crouching" else rng.uniform(-5, 14)
    trunk = _rotation(2, rng.normal(0, 9)) @ _rotation(0, bow)
    neck_turn = trunk @ _rotation(1, np.clip(rng.normal(0, 18), -35, 35)) @ _rotation(2, rng.normal(0, 8))
    torso, shoulder, hip, head = rng.uniform((0.27, 0.095, 0.055, 0.15), (0.32, 0.125, 0.075, 0.185))

    # Trunk and head.
    at = {"pelvis": np.zeros(3), "thorax": trunk @ [0, -torso, 0]}
    at["upper_neck"] = at["thorax"] + trunk @ [0, -0.035, 0.01]
    at["head_top"] = at["upper_neck"] + neck_turn @ [0, -head, 0]
    at["head_centre"] = at["upper_neck"] + neck_turn @ [0, -0.54 * head, 0]
    skull = 0.46 * head * neck_turn
    at["face"] = at["head_centre"] + skull @ [0, 0.2, 0.45]
    at["nose"] = at["head_centre"] + skull @ [0, 0.2, 0.98]
    at["mouth"] = at["head_centre"] + skull @ [0, 0.6, 0.75]
    at["chest"] = at["thorax"] + trunk @ [0, 0.09, 0.06]
    at["belly"] = at["thorax"] + trunk @ [0, torso * 0.85, 0.06]
    at["nape"] = at["thorax"] + trunk @ [0, -0.02, -0.05]
    # Eyes, shoulders, hips, arms and legs; a stance has different angles for its two legs.
    first_leg = rng.choice((-1, 1))
    for side, name in ((1, "left"), (-1, "right")):
        at[f"{name}_eye"] = at["head_centre"] + skull @ [0.4 * side, -0.05, 0.85]
        at[f"{name}_shoulder"] = at["thorax"] + trunk @ [side * shoulder, 0.015, 0]
        at[f"{name}_waist"] = trunk @ [side * (hip + 0.01), -0.2 * torso, 0]
        at[f"{name}_hip"] = np.array([side * hip, 0, 0])
        at[f"{name}_bag_top"] = at["thorax"] + trunk @ [side * 0.06, 0.02, -0.07]
        at[f"{name}_bag_bottom"] = at["thorax"] + trunk @ [side * 0.07, 0.19, -0.09]

        out, fwd, elbow_out, elbow_fwd = (rng.uniform(*r) for r in _ARMS[_choose(rng, _ARMS, _ARM_SHARES)])
        at[f"{name}_elbow"] = at[f"{name}_shoulder"] + 0.165 * (trunk @ _direction(out, fwd, side))
        forearm = trunk @ _direction(out + elbow_out, fwd + elbow_fwd, side)
        at[f"{name}_wrist"] = at[f"{name}_elbow"] + 0.15 * forearm
        at[f"{name}_hand"] = at[f"{name}_wrist"] + 0.025 * forearm

        out, fwd, knee = (rng.uniform(*r) for r in _LEGS[stance][0 if side == first_leg else 1])
        at[f"{name}_knee"] = at[f"{name}_hip"] + 0.24 * _direction(out, fwd, side)
        at[f"{name}_ankle"] = at[f"{name}_knee"] + 0.23 * _direction(0.3 * out, fwd + knee, side)
        at[f"{name}_toe"] = at[f"{name}_ankle"] + [side * 0.02, 0.02, 0.075]
    return at


def _project(rng: np.random.Generator, pose: Points) -> tuple[Points, bool]:
    """Rotate a pose into the frame of a camera slightly above it (x right, y down, z towards the camera).

    Returns:
        The points, and whether the camera sees the back.
    """
    from_behind = bool(rng.random() < _BACK_VIEWS)
    yaw = np.clip(rng.normal(0, 16), -36, 36) + 180 * from_behind
    camera = _rotation(2, rng.normal(0, 9)) @ _rotation(0, rng.uniform(6, 22)) @ _rotation(1, yaw)
    return {name: camera @ point for name, point in pose.items()}, from_behind


def _upper_part(limb: Sequence[np.ndarray], share: float) -> list[np.ndarray]:
    """The points of the first ``share`` of a limb; limb: its three joints, taken as equally far apart."""
    a, b, c = limb
    if share <= 0.5:
        return [a, a + 2 * share * (b - a)]
    return [a, b, b + (2 * share - 1) * (c - b)]


def _limb(
    points: Sequence[np.ndarray], radii: np.ndarray, colour: tuple[int, int, int], fabric: int
) -> list[Blob]:
    """One tapering blob for each segment between successive ``points``."""
    return [make_blob(points[i : i + 2], radii[i : i + 2], colour, fabric) for i in range(len(points) - 1)]


class Figure:
    """A posed body with random clothes.

    at: {name: [3]}, points as the camera sees them: x, y in image pixels, and depth.
    size: stature in pixels.
    from_behind: the figure shows its back.
    parts: blobs of each part, from back to front.
    """

    def __init__(self, rng: np.random.Generator, look: Look, at: Points, size: float, from_behind: bool):
        """Draw colours, clothes and proportions, and build the parts; see the class for the arguments."""
        self.at, self.size, self.from_behind = at, size, from_behind
        self.skin = draw_colour(rng, (0.05, 0.09), (0.25, 0.6), (0.5, 1.0))
        self.hair = draw_colour(rng, (0.02, 0.13), (0.3, 0.9), (0.06, 0.5))
        self.shoes = draw_colour(rng, (0, 1), (0, 0.6), (0.08, 0.5))
        self.top, self.trim, self.bag = (draw_colour(rng, (0, 1), *look.clothes) for _ in range(3))
        self.trousers = draw_colour(rng, (0, 1), look.clothes[0], (0.4, look.clothes[1][1]))
        self.sleeve = rng.choice((0.25, 0.5, 0.97))  # covered share of the arm
        self.trouser_leg = rng.choice((0.4, 0.7, 0.95), p=(0.3, 0.15, 0.55))
        shares = (0.2, 0.4, 0.75 if from_behind else 0.4)
        self.skirted, self.long_haired, self.bagged = rng.random(3) < shares
        self.girth = rng.uniform(*look.girth) * size
        self.skull = np.linalg.norm(at["head_top"] - at["head_centre"])
        self.parts = self._back_to_front()

    def xy(self, *names: str) -> list[np.ndarray]:
        """Positions [2] of the named points, in image pixels."""
        return [self.at[name][:2] for name in names]

    def depth(self, *names: str) -> float:
        """Mean depth of the named points; larger is nearer to the camera."""
        return float(np.mean([self.at[name][2] for name in names]))

    def limb(self, side: str, *joints: str) -> list[np.ndarray]:
        """Positions [2] of the joints of one side ("left", "right")."""
        return self.xy(*(f"{side}_{joint}" for joint in joints))

    def both(self, joint: str) -> list[np.ndarray]:
        """Positions [2] of the left and the right ``joint``."""
        return self.xy(f"left_{joint}", f"right_{joint}")

    def _back_to_front(self) -> list[list[Blob]]:
        """The blobs of all parts, the farthest part first (painter's algorithm)."""
        parts = [self._trunk(), self._head()]
        for side in ("left", "right"):
            parts += [self._arm(side), self._leg(side)]
        if self.bagged:
            parts.append(self._rucksack())
        if self.long_haired:
            parts.append(self._mane())
        return [blobs for _, blobs in sorted(parts, key=lambda part: part[0])]

    # Each part returns (depth, blobs). Small multiples of the size added to the depth decide which of two
    # touching parts is drawn over the other.

    def _arm(self, side: str) -> tuple[float, list[Blob]]:
        shoulder, elbow, wrist, hand = self.limb(side, "shoulder", "elbow", "wrist", "hand")
        radii = self.girth * np.array([0.033, 0.028, 0.022])
        blobs = _limb([shoulder, elbow, wrist], radii, self.skin, SKIN)
        blobs += [make_blob([wrist, hand], [radii[2], 0.029 * self.girth], self.skin, SKIN)]
        covered = _upper_part([shoulder, elbow, wrist], self.sleeve)
        blobs += _limb(covered, radii + 0.006 * self.girth, self.top, TOP)
        return self.depth(f"{side}_elbow", f"{side}_wrist") + 0.01 * self.size, blobs

    def _leg(self, side: str) -> tuple[float, list[Blob]]:
        hip, knee, ankle, toe = self.limb(side, "hip", "knee", "ankle", "toe")
        radii = self.girth * np.array([0.05, 0.038, 0.027])
        blobs = _limb([hip, knee, ankle], radii, self.skin, SKIN)
        blobs += [make_blob([ankle, toe], [0.034 * self.girth, 0.027 * self.girth], self.shoes, SHOES)]
        covered = _upper_part([hip, knee, ankle], 0.3 if self.skirted else self.trouser_leg)
        blobs += _limb(covered, radii + 0.007 * self.girth, self.trousers, TROUSERS)
        return self.depth(f"{side}_knee", f"{side}_ankle") - 0.06 * self.size, blobs

    def _trunk(self) -> tuple[float, list[Blob]]:
        thorax, chest, belly = self.xy("thorax", "chest", "belly")
        shoulders, waist, hips = self.both("shoulder"), self.both("waist"), self.both("hip")
        hem = list(np.add(hips, 0.65 * np.subtract(self.both("knee"), hips))) if self.skirted else hips
        blobs = [make_blob(waist + hem, 0.05 * self.girth, self.trousers, TROUSERS)]
        blobs += [make_blob(self.xy("thorax", "upper_neck"), 0.03 * self.girth, self.skin, SKIN)]
        blobs += [
            make_blob(shoulders + waist, self.girth * np.array([0.035, 0.035, 0.05, 0.05]), self.top, TOP)
        ]
        if not self.from_behind:  # collar and buttons tell front from back
            collar = [0.35 * shoulder + 0.65 * thorax for shoulder in shoulders] + [chest]
            blobs += [make_blob(collar, 0.01 * self.size, self.skin, SKIN)]
            blobs += [make_blob([chest, belly], 0.011 * self.size, self.trim, TROUSERS)]
        if self.bagged and not self.from_behind:
            straps = [[0.7 * shoulders[i] + 0.3 * thorax, waist[i]] for i in (0, 1)]
            blobs += [make_blob(strap, 0.011 * self.size, self.bag, BAG) for strap in straps]
        return self.depth("thorax", "pelvis"), blobs

    def _head(self) -> tuple[float, list[Blob]]:
        blobs = [make_blob(self.xy("head_centre"), self.skull, self.hair, HAIR)]
        if not self.from_behind:
            (mouth,) = self.xy("mouth")
            lips = [mouth - [0.2 * self.skull, 0], mouth + [0.2 * self.skull, 0]]
            blobs += [make_blob(self.xy("face"), 0.8 * self.skull, self.skin, SKIN)]
            blobs += [make_blob(eye, 0.12 * self.skull, DARK, SKIN) for eye in self.both("eye")]
            blobs += [make_blob(lips, 0.07 * self.skull, (150, 50, 50), SKIN)]
        return self.depth("head_centre") + 0.03 * self.size, blobs

    def _mane(self) -> tuple[float, list[Blob]]:
        blob = make_blob(self.xy("head_centre", "nape"), [self.skull, 0.85 * self.skull], self.hair, HAIR)
        if self.from_behind:
            return self.depth("head_centre") + 0.02 * self.size, [blob]
        return self.depth("thorax", "pelvis") - 0.01 * self.size, [blob]

    def _rucksack(self) -> tuple[float, list[Blob]]:
        corners = self.both("bag_top") + self.both("bag_bottom")
        pocket = [0.75 * corner + 0.25 * np.mean(corners, axis=0) for corner in corners[2:]]
        blobs = [make_blob(corners, 0.03 * self.size, self.bag, BAG)]
        blobs += [make_blob(pocket, 0.02 * self.size, self.trim, BAG)]
        return self.depth("left_bag_bottom", "right_bag_bottom"), blobs


def draw_figure(rng: np.random.Generator, look: Look, x_share: float, width: int, height: int) -> Figure:
    """Draw a random figure of 70 to 110 pixels.

    Args:
        rng: source of the random numbers.
        look: ranges of colours and girth.
        x_share: where it stands, as a share of the image's width.
        width, height: of the image, in pixels.
    """
    at, from_behind = _project(rng, _draw_pose(rng))
    # The size is that of the bounding box of all points, with a margin wider than any part's radius.
    points = np.stack(list(at.values()))[:, :2]
    low, high = points.min(axis=0) - 0.05, points.max(axis=0) + 0.05
    size = rng.uniform(74, 114) / (high - low).max()
    # Keep it inside the image; some figures may cross each border by a tenth, cutting off a hand or a foot.
    centre = np.array([width * x_share, height * rng.uniform(0.3, 0.7)]) + rng.normal(0, 5, 2)
    spill = 0.1 * size * (rng.random(2) < 0.25)
    nearest = np.minimum((high - low) * size / 2 - spill, np.array([width, height]) / 2)
    centre = np.clip(centre, nearest, (width, height) - nearest)
    shift = np.append(centre - size * (low + high) / 2, 0.0)
    return Figure(rng, look, {name: point * size + shift for name, point in at.items()}, size, from_behind)
