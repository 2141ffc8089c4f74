"""Clothed figures: the body parts of a pose, each a few blobs, from back to front.

Front and back differ as in pictures of people: a face against hair; a collar and an open front against a plain
back or a rucksack; pockets at the back of the trousers; toes that point forward. From the side, the nearer
limbs hide the farther ones, which are darker.
"""

from collections.abc import Sequence

import numpy as np

from lib.synthetic.appearance import Look, draw_colour
from lib.synthetic.canvas import BAG, DARK, HAIR, OBJECT, SHOES, SKIN, TOP, TROUSERS, Blob, make_blob
from lib.synthetic.pose import Points, Pose, draw_pose

Colour = tuple[int, int, int]
YELLOW: Colour = (250, 215, 30)  # RGB of wristbands


def _upper_part(limb: Sequence[np.ndarray], share: float) -> list[np.ndarray]:
    """The points of the first ``share`` of a limb; limb: its three joints, taken as equally far apart."""
    a, b, c = limb
    if share <= 0.5:
        return [a, a + 2 * share * (b - a)]
    return [a, b, b + (2 * share - 1) * (c - b)]


def _limb(points: Sequence[np.ndarray], radii: np.ndarray, colour: Colour, fabric: int) -> list[Blob]:
    """One tapering blob for each segment between successive ``points``."""
    return [make_blob(points[i : i + 2], radii[i : i + 2], colour, fabric) for i in range(len(points) - 1)]


def _shaded(colour: Colour, factor: float) -> Colour:
    """A colour made darker or brighter."""
    red, green, blue = (int(min(255, round(factor * channel))) for channel in colour)
    return red, green, blue


class Figure:
    """A posed body with random clothes.

    at: {name: [3]}, points as the camera sees them: x, y in image pixels, and depth.
    size: stature in pixels.
    from_behind: the trunk shows its back.
    parts: blobs of each part of the body, from back to front.
    seat: blobs of what it sits on, none if it does not sit.
    below_seat: the number of parts that are farther than the seat.
    """

    def __init__(self, rng: np.random.Generator, look: Look, pose: Pose, size: float, shift: np.ndarray):
        """Draw colours, clothes and proportions, and build the parts.

        Args:
            rng: source of the random numbers.
            look: ranges of colours and girth.
            pose: the body in units of its stature.
            size: stature in pixels.
            shift: [3] pixels, where the pose's origin is put.
        """
        self.at: Points = {name: point * size + shift for name, point in pose.at.items()}
        self.size, self.pose = size, pose
        self.from_behind = bool(pose.trunk[2, 2] < 0)
        self.skin = draw_colour(rng, (0.05, 0.09), (0.25, 0.6), (0.6, 1.0))
        self.hair = draw_colour(rng, (0.02, 0.13), (0.3, 0.9), (0.05, 0.22))
        self.shoes = draw_colour(rng, (0.0, 0.07), (0.75, 1.0), (0.6, 0.95))
        # Most clothes have their own hues, so that a small network soon tells arms from legs, and front from back.
        self.top = draw_colour(rng, (0.78, 1.02), *look.clothes)
        self.bag = draw_colour(rng, (0.28, 0.42), *look.clothes)
        self.trousers = draw_colour(rng, (0.54, 0.7), look.clothes[0], (0.5, look.clothes[1][1]))
        self.trim = draw_colour(rng, (0, 1), (0, 0.15), (0.9, 1.0))
        self.seat_colour = draw_colour(rng, (0, 1), (0, 0.2), (0.35, 0.7))
        self.sleeve = rng.choice(
            (0.5, 0.95)
        )  # covered share of the arm: to the elbow, or all, with a patch there
        self.trouser_leg = rng.choice((0.5, 0.95))
        self.skirted, self.long_haired, self.bagged = rng.random(3) < (0.08, 0.35, 0.5)
        self.girth = rng.uniform(*look.girth) * size
        self.skull = np.linalg.norm(self.at["head_top"] - self.at["head_centre"])
        ordered = sorted(self._body(), key=lambda part: part[0])
        self.parts = [blobs for _, blobs in ordered]
        seat_depth, self.seat = self._seat(shift)
        self.below_seat = sum(depth < seat_depth for depth, _ in ordered)

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

    # Each part returns (depth, blobs). Small multiples of the size added to the depth decide which of two
    # touching parts is drawn over the other.

    def _body(self) -> list[tuple[float, list[Blob]]]:
        parts = [self._trunk(), self._head()]
        for side in ("left", "right"):
            parts += [self._arm(side), self._leg(side)]
        if self.bagged:
            parts.append(self._rucksack())
        if self.long_haired:
            parts.append(self._mane())
        return parts

    def _light(self, depth: float) -> float:
        """Factor of the brightness of a limb: the nearer, the brighter."""
        return float(np.clip(1 + 2.2 * (depth - self.depth("thorax", "pelvis")) / self.size, 0.55, 1.15))

    def _arm(self, side: str) -> tuple[float, list[Blob]]:
        shoulder, elbow, wrist, hand = self.limb(side, "shoulder", "elbow", "wrist", "hand")
        radii = self.girth * np.array([0.033, 0.028, 0.022])
        light = self._light(self.depth(f"{side}_shoulder", f"{side}_elbow"))
        skin = _shaded(self.skin, light)
        blobs = _limb([shoulder, elbow, wrist], radii, skin, SKIN)
        blobs += [make_blob([wrist, hand], [radii[2], 0.029 * self.girth], skin, SKIN)]
        covered = _upper_part([shoulder, elbow, wrist], self.sleeve)
        blobs += _limb(covered, radii + 0.006 * self.girth, _shaded(self.top, light), TOP)
        if self.sleeve > 0.5:
            blobs += [make_blob(elbow, 0.03 * self.girth, _shaded(self.top, 0.45 * light), TROUSERS)]
        band = [wrist, wrist + 0.12 * (elbow - wrist)]
        blobs += [make_blob(band, 0.026 * self.girth, _shaded(YELLOW, light), TROUSERS)]
        return self.depth(f"{side}_elbow", f"{side}_wrist") + 0.01 * self.size, blobs

    def _leg(self, side: str) -> tuple[float, list[Blob]]:
        hip, knee, ankle, toe = self.limb(side, "hip", "knee", "ankle", "toe")
        radii = self.girth * np.array([0.05, 0.038, 0.027])
        light = self._light(self.depth(f"{side}_hip", f"{side}_hip", f"{side}_knee"))
        blobs = _limb([hip, knee, ankle], radii, _shaded(self.skin, light), SKIN)
        shoe = [0.034 * self.girth, 0.027 * self.girth]
        blobs += [make_blob([ankle, toe], shoe, _shaded(self.shoes, light), SHOES)]
        covered = _upper_part([hip, knee, ankle], 0.3 if self.skirted else self.trouser_leg)
        blobs += _limb(covered, radii + 0.007 * self.girth, _shaded(self.trousers, light), TROUSERS)
        if not self.skirted and self.trouser_leg > 0.5:
            blobs += [make_blob(knee, 0.038 * self.girth, _shaded(self.trousers, 0.35 * light), TROUSERS)]
        return self.depth(f"{side}_knee", f"{side}_ankle") - 0.06 * self.size, blobs

    def _trunk(self) -> tuple[float, list[Blob]]:
        shoulders, waist, hips = self.both("shoulder"), self.both("waist"), self.both("hip")
        hem = list(np.add(hips, 0.5 * np.subtract(self.both("knee"), hips))) if self.skirted else hips
        blobs = [make_blob(waist + hem, 0.05 * self.girth, self.trousers, TROUSERS)]
        if self.pose.pelvis[2, 2] < -0.15:
            dark = _shaded(self.trousers, 0.6)
            blobs += [make_blob(pocket, 0.016 * self.size, dark, TROUSERS) for pocket in self.both("pocket")]
        blobs += [make_blob(self.xy("thorax", "upper_neck"), 0.03 * self.girth, self.skin, SKIN)]
        radii = self.girth * np.array([0.035, 0.035, 0.05, 0.05, 0.04, 0.04])
        blobs += [make_blob(shoulders + waist + self.xy("breast", "back"), radii, self.top, TOP)]
        return self.depth("thorax", "pelvis"), blobs + self.front()

    def front(self) -> list[Blob]:
        """An open front in another color, a collar, and the straps of a rucksack; none if it is not seen."""
        if self.pose.trunk[2, 2] <= 0.12:
            return []
        collar, (chest,) = self.both("collar"), self.xy("chest")
        blobs = [make_blob([chest, *self.both("front")], 0.013 * self.size, self.trim, TROUSERS)]
        blobs += [make_blob([*collar, chest], 0.01 * self.size, self.skin, SKIN)]
        if self.bagged:
            straps = zip(self.both("shoulder"), collar, self.both("waist"))
            blobs += [
                make_blob([0.6 * a + 0.4 * b, c], 0.011 * self.size, self.bag, BAG) for a, b, c in straps
            ]
        return blobs

    def _head(self) -> tuple[float, list[Blob]]:
        facing = self.pose.head[2, 2]
        hair = make_blob(self.xy("head_centre"), self.skull, self.hair, HAIR)
        face = [make_blob(self.xy("face"), 0.8 * self.skull, self.skin, SKIN)]
        face += [make_blob(self.xy("nose", "face"), 0.16 * self.skull, _shaded(self.skin, 0.9), SKIN)]
        blobs = [hair, *face] if facing > -0.25 else [*face, hair]
        for side in ("left", "right"):  # an eye is seen if its side of the face is
            if self.at[f"{side}_eye"][2] > self.at["head_centre"][2] + 0.1 * self.skull:
                blobs += [make_blob(self.xy(f"{side}_eye"), 0.14 * self.skull, DARK, SKIN)]
        if facing > 0.1:
            blobs += [make_blob(self.both("lip"), 0.08 * self.skull, (150, 50, 50), SKIN)]
        return self.depth("head_centre") + 0.03 * self.size, blobs

    def _mane(self) -> tuple[float, list[Blob]]:
        blob = make_blob(self.xy("head_centre", "nape"), [self.skull, 0.85 * self.skull], self.hair, HAIR)
        if self.pose.head[2, 2] < -0.25:
            return self.depth("head_centre") + 0.031 * self.size, [blob]
        behind = min(self.depth("thorax", "pelvis"), self.depth("head_centre") + 0.03 * self.size)
        return behind - 0.01 * self.size, [blob]

    def _rucksack(self) -> tuple[float, list[Blob]]:
        corners = self.both("bag_top") + self.both("bag_bottom")
        pocket = [0.75 * corner + 0.25 * np.mean(corners, axis=0) for corner in corners[2:]]
        blobs = [make_blob(corners, 0.03 * self.size, self.bag, BAG)]
        if self.from_behind:
            blobs += [make_blob(pocket, 0.02 * self.size, _shaded(self.bag, 0.6), BAG)]
        # Compared with the trunk at the same height, so that a bow does not bring it to the front.
        behind = self.depth("left_bag_top", "right_bag_bottom") - self.depth("breast", "back")
        return self.depth("thorax", "pelvis") + behind, blobs

    def _seat(self, shift: np.ndarray) -> tuple[float, list[Blob]]:
        if self.pose.seat is None:
            return -np.inf, []
        corners = self.pose.seat * self.size + shift
        radius = 0.008 * self.size
        blobs = [make_blob(corners[:, :2], radius, _shaded(self.seat_colour, 0.7), OBJECT)]
        if self.pose.pelvis[2, 1] < 0:  # seen from above
            blobs += [make_blob(corners[:4, :2], radius, self.seat_colour, OBJECT)]
        return float(corners[:, 2].mean()) - 0.05 * self.size, blobs


def draw_figure(rng: np.random.Generator, look: Look, x_share: float, width: int, height: int) -> Figure:
    """Draw a random figure of 70 to 110 pixels.

    Args:
        rng: source of the random numbers.
        look: ranges of colours and girth.
        x_share: where it stands, as a share of the image's width.
        width, height: of the image, in pixels.
    """
    pose = draw_pose(rng)
    # The size is that of the bounding box of all points, with a margin wider than any part's radius.
    points = np.stack(list(pose.at.values()))[:, :2]
    low, high = points.min(axis=0) - 0.05, points.max(axis=0) + 0.05
    size = rng.uniform(74, 114) / (high - low).max()
    # Keep it inside the image; some figures cross a border, which cuts off hands or feet.
    centre = np.array([width * x_share, height * rng.uniform(0.3, 0.7)]) + rng.normal(0, 5, 2)
    spill = rng.uniform(0, 0.25, 2) * size * (rng.random(2) < 0.3)
    nearest = np.minimum((high - low) * size / 2 - spill, np.array([width, height]) / 2)
    centre = np.clip(centre, nearest, (width, height) - nearest)
    return Figure(rng, look, pose, size, np.append(centre - size * (low + high) / 2, 0.0))
