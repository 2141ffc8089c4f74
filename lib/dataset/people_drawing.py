"""Draws articulated people whose joints are known exactly: a picture and its true labels.

A figure is posed in 3-D (x to its own left, y down, z ahead of it; the unit is its stature), turned,
seen by a parallel camera, and drawn from back to front. Every body part, garment and piece of
furniture is one primitive: the convex hull of a few circles. There are two looks, cartoon-flat and
rough (textured, dark, noisy), so that two data sets of people can differ as real ones do.
"""

import colorsys
import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from lib.dataset.keypoints import MPII_KEYPOINTS

FIGURE_JOINTS = MPII_KEYPOINTS + ("nose",)

SUPERSAMPLING = 2
_FIXED_POINT_BITS = 4  # OpenCV's sub-pixel coordinates
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24, endpoint=False)),
                    np.sin(np.linspace(0, 2 * np.pi, 24, endpoint=False))], axis=1)  # fmt: skip
_DARK = (25, 22, 28)


@dataclass(frozen=True)
class Look:
    """How a picture is drawn; every pair is a range to draw from. Colours are HSV shares."""

    outline: float  # width of the dark line around each part, in pixels
    girth: tuple[float, float]  # thickness of the limbs
    clothes: tuple[tuple[float, float], tuple[float, float]]  # saturation, value
    scenery: tuple[tuple[float, float], tuple[float, float]]  # saturation, value
    things: tuple[int, int]  # how many things stand around; fewer than the second number
    rough: bool  # textures, uneven light, blur and noise


FLAT = Look(
    outline=0.8,
    girth=(1.1, 1.3),
    clothes=((0.55, 1.0), (0.6, 1.0)),
    scenery=((0.05, 0.45), (0.75, 1.0)),
    things=(0, 4),
    rough=False,
)
ROUGH = Look(
    outline=0.0,
    girth=(0.95, 1.15),
    clothes=((0.2, 0.8), (0.45, 0.95)),
    scenery=((0.0, 0.4), (0.1, 0.4)),
    things=(1, 4),
    rough=True,
)


@dataclass(frozen=True)
class Person:
    """One person in a picture; pixels, 0-based, pixel centres at whole numbers.

    joints: [17, 2], in the order of FIGURE_JOINTS; they may lie outside the picture.
    hidden: [17] bool, covered by somebody else or by a thing in front.
    box: left, top, width, height of the whole figure, cut at the picture's border.
    area: pixels of the figure that can be seen.
    from_behind: the figure shows its back.
    """

    joints: np.ndarray
    hidden: np.ndarray
    box: tuple[float, float, float, float]
    area: float
    from_behind: bool


class _Blob(NamedTuple):
    """The convex hull of circles, in one colour. ``fabric`` picks the texture of the rough look."""

    centres: np.ndarray
    radii: np.ndarray
    colour: tuple[int, int, int]
    fabric: int

    def outline(self, grow: float = 0.0) -> np.ndarray:
        """Corners of the hull, [K, 2]."""
        circles = self.centres[:, None] + (self.radii[:, None, None] + grow) * _CIRCLE
        return cv2.convexHull(circles.reshape(-1, 2).astype(np.float32)).reshape(-1, 2)


_SKIN, _TOP, _TROUSERS, _HAIR, _SHOES, _BAG, _THING = range(1, 8)
_FABRICS = 8


def _blob(centres, radii, colour, fabric) -> _Blob:
    centres = np.asarray(centres, dtype=float).reshape(-1, 2)
    return _Blob(centres, np.zeros(len(centres)) + radii, colour, fabric)


class _Canvas:
    """A picture in the making, with a map of whose fabric was drawn where."""

    def __init__(self, width: int, height: int):
        shape = (height * SUPERSAMPLING, width * SUPERSAMPLING)
        self.pixels = np.zeros(shape + (3,), dtype=np.uint8)
        self._labels = np.zeros(shape, dtype=np.uint8)  # owner and fabric in one number

    @property
    def owner(self) -> np.ndarray:
        """Who covers what: 0 the scene, 1 and up the people and things in front, rearmost first."""
        return self._labels // _FABRICS

    @property
    def fabric(self) -> np.ndarray:
        """What is seen where: 0 the scene, else _SKIN and so on."""
        return self._labels % _FABRICS

    def draw(self, blobs, owner: int, outline: float = 0.0):
        """Draw the blobs of one part, in order; their common dark line goes below all of them."""
        for blob in blobs:
            points, label = self._fixed_point(blob.outline(outline)), owner * _FABRICS + blob.fabric
            colour = _DARK if outline else blob.colour
            cv2.fillConvexPoly(self.pixels, points, colour, cv2.LINE_AA, _FIXED_POINT_BITS)
            cv2.fillConvexPoly(self._labels, points, label, cv2.LINE_8, _FIXED_POINT_BITS)
        for blob in blobs if outline else ():
            points = self._fixed_point(blob.outline())
            cv2.fillConvexPoly(self.pixels, points, blob.colour, cv2.LINE_AA, _FIXED_POINT_BITS)

    @staticmethod
    def _fixed_point(corners) -> np.ndarray:
        """Corners in pixels of the picture -> of the canvas, as OpenCV wants them."""
        corners = corners * SUPERSAMPLING + (SUPERSAMPLING - 1) / 2
        return np.round(corners * 2**_FIXED_POINT_BITS).astype(np.int32)


# --- the figure -----------------------------------------------------------------------------------

# Ranges in degrees. Arms: outward and forward angle of the upper arm, what the elbow adds to each.
_ARMS = {
    "hanging": ((4, 28), (-20, 25), (-8, 8), (0, 45)),
    "bent": ((10, 40), (-30, 20), (-20, 10), (60, 110)),
    "on the hip": ((38, 60), (-25, 0), (-115, -85), (0, 20)),
    "sideways": ((60, 100), (-15, 15), (-25, 80), (0, 20)),
    "raised": ((110, 165), (-10, 20), (-45, 45), (-10, 20)),
}
_ARM_SHARES = (0.36, 0.08, 0.1, 0.24, 0.22)

# Legs: outward and forward angle of the thigh, what the knee adds to the forward one; both legs.
_LEGS = {
    "standing": (((2, 12), (-6, 8), (-12, 0)), ((2, 12), (-6, 8), (-12, 0))),
    "astride": (((14, 34), (-8, 8), (-12, 0)), ((14, 34), (-8, 8), (-12, 0))),
    "walking": (((0, 9), (15, 38), (-25, -4)), ((0, 9), (-30, -10), (-50, -10))),
    "knee up": (((5, 40), (45, 90), (-105, -60)), ((2, 8), (-6, 6), (-8, 0))),
    "crouching": (((12, 45), (50, 88), (-125, -85)), ((12, 45), (50, 88), (-125, -85))),
}
_LEG_SHARES = (0.28, 0.36, 0.2, 0.06, 0.1)

_BACK_VIEWS = 0.04


def _pick(rng, names, shares) -> str:
    return tuple(names)[rng.choice(len(shares), p=shares)]


def _direction(outward: float, forward: float, side: int) -> np.ndarray:
    """Unit vector of a limb that hangs down, swung outward, then forward (degrees)."""
    o, f = np.radians([outward, forward])
    return np.array([side * np.sin(o), np.cos(o) * np.cos(f), np.cos(o) * np.sin(f)])


def _rotation(axis: int, degrees: float) -> np.ndarray:
    """3x3 matrix of a turn about one axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, s, -s, c
    return matrix


def _pose(rng) -> dict[str, np.ndarray]:
    """Joints and a few other points of a posed body in its own frame, the pelvis at the origin."""
    stance = _pick(rng, _LEGS, _LEG_SHARES)
    bow = rng.uniform(10, 35) if stance == "crouching" else rng.uniform(-5, 14)
    trunk = _rotation(2, rng.normal(0, 9)) @ _rotation(0, bow)
    neck_turn = trunk @ _rotation(1, np.clip(rng.normal(0, 18), -35, 35)) @ _rotation(2, rng.normal(0, 8))
    torso, shoulder, hip, head = rng.uniform((0.27, 0.095, 0.055, 0.15), (0.32, 0.125, 0.075, 0.185))

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
    first = rng.choice((-1, 1))
    for side, name in ((1, "left"), (-1, "right")):
        at[f"{name}_eye"] = at["head_centre"] + skull @ [0.4 * side, -0.05, 0.85]
        at[f"{name}_shoulder"] = at["thorax"] + trunk @ [side * shoulder, 0.015, 0]
        at[f"{name}_waist"] = trunk @ [side * (hip + 0.01), -0.2 * torso, 0]
        at[f"{name}_hip"] = np.array([side * hip, 0, 0])
        at[f"{name}_bag_top"] = at["thorax"] + trunk @ [side * 0.06, 0.02, -0.07]
        at[f"{name}_bag_bottom"] = at["thorax"] + trunk @ [side * 0.07, 0.19, -0.09]

        out, fwd, elbow_out, elbow_fwd = (rng.uniform(*r) for r in _ARMS[_pick(rng, _ARMS, _ARM_SHARES)])
        at[f"{name}_elbow"] = at[f"{name}_shoulder"] + 0.165 * (trunk @ _direction(out, fwd, side))
        forearm = trunk @ _direction(out + elbow_out, fwd + elbow_fwd, side)
        at[f"{name}_wrist"] = at[f"{name}_elbow"] + 0.15 * forearm
        at[f"{name}_hand"] = at[f"{name}_wrist"] + 0.025 * forearm

        out, fwd, knee = (rng.uniform(*r) for r in _LEGS[stance][0 if side == first else 1])
        at[f"{name}_knee"] = at[f"{name}_hip"] + 0.24 * _direction(out, fwd, side)
        at[f"{name}_ankle"] = at[f"{name}_knee"] + 0.23 * _direction(0.3 * out, fwd + knee, side)
        at[f"{name}_toe"] = at[f"{name}_ankle"] + [side * 0.02, 0.02, 0.075]
    return at


def _seen(rng, pose: dict) -> tuple[dict, bool]:
    """The pose as a camera a little above sees it (x right, y down, z towards it), and if from behind."""
    from_behind = bool(rng.random() < _BACK_VIEWS)
    yaw = np.clip(rng.normal(0, 16), -36, 36) + 180 * from_behind
    camera = _rotation(2, rng.normal(0, 9)) @ _rotation(0, rng.uniform(6, 22)) @ _rotation(1, yaw)
    return {name: camera @ point for name, point in pose.items()}, from_behind


def _part_of_way(path, share: float) -> list[np.ndarray]:
    """The first ``share`` of the way along a limb of two equal stretches: its points up to there."""
    a, b, c = path
    if share <= 0.5:
        return [a, a + 2 * share * (b - a)]
    return [a, b, b + (2 * share - 1) * (c - b)]


def _limb(points, radii, colour, fabric) -> list[_Blob]:
    """One tapering blob per stretch of a limb."""
    return [_blob(points[i : i + 2], radii[i : i + 2], colour, fabric) for i in range(len(points) - 1)]


def _hsv(rng, hue, saturation, value) -> tuple[int, int, int]:
    """A random RGB colour, from ranges of hue, saturation and value in [0, 1]."""
    rgb = colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value))
    return tuple(int(round(255 * channel)) for channel in rgb)


class _Figure:
    """A posed body in its clothes: what it wears is drawn at random once, its parts follow.

    at: points in pixels (x, y) and depth (z), as the camera sees them. size: pixels of the stature.
    parts: what to draw, from back to front.
    """

    def __init__(self, rng, look: Look, at: dict, size: float, from_behind: bool):
        self.at, self.size, self.from_behind = at, size, from_behind
        self.skin = _hsv(rng, (0.05, 0.09), (0.25, 0.6), (0.5, 1.0))
        self.hair = _hsv(rng, (0.02, 0.13), (0.3, 0.9), (0.06, 0.5))
        self.shoes = _hsv(rng, (0, 1), (0, 0.6), (0.08, 0.5))
        self.top, self.trim, self.bag = (_hsv(rng, (0, 1), *look.clothes) for _ in range(3))
        self.trousers = _hsv(rng, (0, 1), look.clothes[0], (0.4, look.clothes[1][1]))
        self.sleeve = rng.choice((0.25, 0.5, 0.97))  # share of the arm that is covered
        self.trouser_leg = rng.choice((0.4, 0.7, 0.95), p=(0.3, 0.15, 0.55))
        shares = (0.2, 0.4, 0.75 if from_behind else 0.4)
        self.skirted, self.long_haired, self.bagged = rng.random(3) < shares
        self.girth = rng.uniform(*look.girth) * size
        self.skull = np.linalg.norm(at["head_top"] - at["head_centre"])
        self.parts = self._back_to_front()

    def xy(self, *names: str) -> list[np.ndarray]:
        return [self.at[name][:2] for name in names]

    def depth(self, *names: str) -> float:
        return float(np.mean([self.at[name][2] for name in names]))

    def limb(self, side: str, *joints: str) -> list[np.ndarray]:
        return self.xy(*(f"{side}_{joint}" for joint in joints))

    def both(self, joint: str) -> list[np.ndarray]:
        return self.xy(f"left_{joint}", f"right_{joint}")

    def _back_to_front(self) -> list[list[_Blob]]:
        parts = [self._trunk(), self._head()]
        for side in ("left", "right"):
            parts += [self._arm(side), self._leg(side)]
        if self.bagged:
            parts.append(self._rucksack())
        if self.long_haired:
            parts.append(self._mane())
        return [blobs for _, blobs in sorted(parts, key=lambda part: part[0])]

    # Each part is its depth and its blobs; small shares of the size settle what lies on what.

    def _arm(self, side):
        shoulder, elbow, wrist, hand = self.limb(side, "shoulder", "elbow", "wrist", "hand")
        radii = self.girth * np.array([0.033, 0.028, 0.022])
        blobs = _limb([shoulder, elbow, wrist], radii, self.skin, _SKIN)
        blobs += [_blob([wrist, hand], [radii[2], 0.029 * self.girth], self.skin, _SKIN)]
        covered = _part_of_way([shoulder, elbow, wrist], self.sleeve)
        blobs += _limb(covered, radii + 0.006 * self.girth, self.top, _TOP)
        return self.depth(f"{side}_elbow", f"{side}_wrist") + 0.01 * self.size, blobs

    def _leg(self, side):
        hip, knee, ankle, toe = self.limb(side, "hip", "knee", "ankle", "toe")
        radii = self.girth * np.array([0.05, 0.038, 0.027])
        blobs = _limb([hip, knee, ankle], radii, self.skin, _SKIN)
        blobs += [_blob([ankle, toe], [0.034 * self.girth, 0.027 * self.girth], self.shoes, _SHOES)]
        covered = _part_of_way([hip, knee, ankle], 0.3 if self.skirted else self.trouser_leg)
        blobs += _limb(covered, radii + 0.007 * self.girth, self.trousers, _TROUSERS)
        return self.depth(f"{side}_knee", f"{side}_ankle") - 0.06 * self.size, blobs

    def _trunk(self):
        thorax, chest, belly = self.xy("thorax", "chest", "belly")
        shoulders, waist, hips = self.both("shoulder"), self.both("waist"), self.both("hip")
        hem = list(np.add(hips, 0.65 * np.subtract(self.both("knee"), hips))) if self.skirted else hips
        blobs = [_blob(waist + hem, 0.05 * self.girth, self.trousers, _TROUSERS)]
        blobs += [_blob(self.xy("thorax", "upper_neck"), 0.03 * self.girth, self.skin, _SKIN)]
        blobs += [_blob(shoulders + waist, self.girth * np.array([0.035, 0.035, 0.05, 0.05]), self.top, _TOP)]
        if not self.from_behind:  # an open collar and a line of buttons tell the front from the back
            collar = [0.35 * shoulder + 0.65 * thorax for shoulder in shoulders] + [chest]
            blobs += [_blob(collar, 0.01 * self.size, self.skin, _SKIN)]
            blobs += [_blob([chest, belly], 0.011 * self.size, self.trim, _TROUSERS)]
        if self.bagged and not self.from_behind:
            straps = [[0.7 * shoulders[i] + 0.3 * thorax, waist[i]] for i in (0, 1)]
            blobs += [_blob(strap, 0.011 * self.size, self.bag, _BAG) for strap in straps]
        return self.depth("thorax", "pelvis"), blobs

    def _head(self):
        blobs = [_blob(self.xy("head_centre"), self.skull, self.hair, _HAIR)]
        if not self.from_behind:
            (mouth,) = self.xy("mouth")
            lips = [mouth - [0.2 * self.skull, 0], mouth + [0.2 * self.skull, 0]]
            blobs += [_blob(self.xy("face"), 0.8 * self.skull, self.skin, _SKIN)]
            blobs += [_blob(eye, 0.12 * self.skull, _DARK, _SKIN) for eye in self.both("eye")]
            blobs += [_blob(lips, 0.07 * self.skull, (150, 50, 50), _SKIN)]
        return self.depth("head_centre") + 0.03 * self.size, blobs

    def _mane(self):
        blob = _blob(self.xy("head_centre", "nape"), [self.skull, 0.85 * self.skull], self.hair, _HAIR)
        if self.from_behind:
            return self.depth("head_centre") + 0.02 * self.size, [blob]
        return self.depth("thorax", "pelvis") - 0.01 * self.size, [blob]

    def _rucksack(self):
        corners = self.both("bag_top") + self.both("bag_bottom")
        pocket = [0.75 * corner + 0.25 * np.mean(corners, axis=0) for corner in corners[2:]]
        blobs = [_blob(corners, 0.03 * self.size, self.bag, _BAG)]
        blobs += [_blob(pocket, 0.02 * self.size, self.trim, _BAG)]
        return self.depth("left_bag_bottom", "right_bag_bottom"), blobs


# --- the picture ----------------------------------------------------------------------------------


def _thing(rng, look: Look, centre, size: float) -> list[_Blob]:
    """Some thing of about ``size`` pixels: a ball, a board, a stick, or two sticks like a limb."""
    colour = _hsv(rng, (0, 1), *look.clothes)
    angle = rng.uniform(0, np.pi)
    along = size / 2 * np.array([np.cos(angle), np.sin(angle)])
    across = rng.uniform(0.4, 0.9) * np.array([-along[1], along[0]])
    kind = rng.choice(("ball", "board", "stick", "limb"))
    if kind == "ball":
        return [_blob(centre, size / 3, colour, _THING)]
    if kind == "board":
        corners = [centre + a * along + b * across for a in (-1, 1) for b in (-1, 1)]
        return [_blob(corners, 1.0, colour, _THING)]
    end = centre + 2 * along
    sticks = [_blob([centre, end], size * rng.uniform(0.08, 0.16), colour, _THING)]
    if kind == "limb":
        sticks.append(_blob([end, end + 2 * across], size * 0.1, colour, _THING))
    return sticks


def _scenery(rng, look: Look, width: int, height: int) -> _Canvas:
    """An empty scene: wall, floor, and things that stand around."""
    canvas = _Canvas(width, height)
    horizon = height * rng.uniform(0.5, 0.85)
    for top in [-50.0] + [horizon] * (rng.random() < 0.7):  # the wall fills the picture
        corners = [(-9, top), (width + 9, top + rng.normal(0, 4)), (width + 9, 999), (-9, 999)]
        canvas.draw([_blob(corners, 0, _hsv(rng, (0, 1), *look.scenery), 0)], 0)
    for _ in range(rng.integers(*look.things)):
        centre = rng.uniform((0, 0), (width, height))
        canvas.draw(_thing(rng, look, centre, rng.uniform(12, 40)), 0, look.outline)
    return canvas


def _field(rng, cells: int, width: int, height: int) -> np.ndarray:
    """Smooth noise of mean 0 and variance of about 1, [height, width]."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _roughen(rng, pixels, fabric) -> np.ndarray:
    """Textures, dim uneven light, pale colours, blur and grain. pixels: [H, W, 3]; fabric: [H, W]."""
    height, width = fabric.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    textures = []
    for _ in range(_FABRICS):
        texture = rng.uniform(0.04, 0.12) * _field(rng, int(rng.integers(25, 70)), width, height)
        if rng.random() < 0.4:
            angle, frequency = rng.uniform(0, np.pi), 2 * np.pi / rng.uniform(3.5, 12)
            stripes = np.sin(x * (frequency * math.cos(angle)) + y * (frequency * math.sin(angle)))
            texture += rng.uniform(0.05, 0.14) * stripes
        textures.append(texture)
    texture = np.take_along_axis(np.stack(textures), fabric[None].astype(np.intp), axis=0)[0]
    light = 0.25 * _field(rng, 3, width, height) + 0.08 * _field(rng, 9, width, height)
    light = rng.uniform(0.75, 1.1) * np.clip(np.exp(light), 0.6, 1.5)
    image = pixels.astype(np.float32) * (np.clip(1 + texture, 0.3, 1.7) * light)[..., None]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    image = grey + rng.uniform(0.4, 0.9) * (image - grey)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.1))
    image += rng.uniform(3, 8) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def _figure(rng, look: Look, place: float, width: int, height: int) -> _Figure:
    """A figure of 70 to 110 pixels that stands at about ``place`` (share of the width)."""
    at, from_behind = _seen(rng, _pose(rng))
    points = np.stack(list(at.values()))[:, :2]
    low, high = points.min(axis=0) - 0.05, points.max(axis=0) + 0.05
    size = rng.uniform(74, 114) / (high - low).max()  # the margin is wider than the flesh
    centre = np.array([width * place, height * rng.uniform(0.3, 0.7)]) + rng.normal(0, 5, 2)
    spill = 0.1 * size * (rng.random(2) < 0.25)  # now and then a hand or a foot is cut off
    nearest = np.minimum((high - low) * size / 2 - spill, np.array([width, height]) / 2)
    centre = np.clip(centre, nearest, (width, height) - nearest)
    shift = np.append(centre - size * (low + high) / 2, 0.0)
    return _Figure(rng, look, {name: point * size + shift for name, point in at.items()}, size, from_behind)


def draw_picture(rng, look: Look, people: int) -> tuple[np.ndarray, list[Person]]:
    """Draw one picture of 128 to 160 pixels a side with one or two people of 70 to 110 pixels.

    Returns the picture [H, W, 3] (uint8, RGB) and its people, the rearmost first.
    """
    width, height = (int(side) for side in rng.integers(128, 161, 2))
    canvas = _scenery(rng, look, width, height)
    places = [rng.uniform(0.2, 0.8)] if people == 1 else rng.permutation([0.37, 0.63])
    figures = [_figure(rng, look, place, width, height) for place in places]
    for owner, figure in enumerate(figures, start=1):
        for part in figure.parts:
            canvas.draw(part, owner, look.outline)
    if rng.random() < 0.15:  # something in front; never on the head, which tells front from back
        joint = rng.choice(("left", "right")) + rng.choice(("_elbow", "_wrist", "_hip", "_knee", "_ankle"))
        centre = figures[-1].xy(joint)[0] + rng.normal(0, 6, 2)
        canvas.draw(_thing(rng, look, centre, rng.uniform(14, 34)), people + 1, look.outline)

    pixels = cv2.resize(canvas.pixels, (width, height), interpolation=cv2.INTER_AREA)
    if look.rough:
        pixels = _roughen(rng, pixels, canvas.fabric[::SUPERSAMPLING, ::SUPERSAMPLING])
    owners = canvas.owner
    return pixels, [_person(figure, owner, owners) for owner, figure in enumerate(figures, start=1)]


def _person(figure: _Figure, owner: int, owners: np.ndarray) -> Person:
    """What is known of a figure once everything is drawn. owners: who covers what, on the canvas."""
    height, width = (side // SUPERSAMPLING for side in owners.shape)
    last = np.array([width - 1, height - 1])
    joints = np.stack(figure.xy(*FIGURE_JOINTS))
    column, row = np.clip(np.round(joints), 0, last).astype(int).T * SUPERSAMPLING
    centres, radii = (np.concatenate([b[i] for part in figure.parts for b in part]) for i in (0, 1))
    low = np.clip((centres - radii[:, None]).min(axis=0), 0, last)
    high = np.clip((centres + radii[:, None]).max(axis=0), 0, last)
    box = tuple(float(number) for number in (*low, *(high - low)))
    area = float((owners == owner).sum()) / SUPERSAMPLING**2
    return Person(joints, owners[row, column] > owner, box, area, figure.from_behind)
