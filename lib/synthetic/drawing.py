"""Draws articulated people whose joints are known exactly: an image and its true labels.

There are two looks, cartoon-flat and rough (textured, dark, noisy), so that two data sets of people can
differ as real ones do.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.synthetic.appearance import Look, draw_colour
from lib.synthetic.canvas import FABRICS, SUPERSAMPLING, THING, Blob, Canvas, blob_of
from lib.synthetic.figure import Figure, draw_figure

FIGURE_JOINTS = MPII_KEYPOINTS + ("nose",)


@dataclass(frozen=True)
class Person:
    """One person in an image; pixels, 0-based, pixel centres at whole numbers.

    joints: [17, 2], in the order of FIGURE_JOINTS; they may lie outside the image.
    hidden: [17] bool, covered by somebody else or by a thing in front.
    box: left, top, width, height of the whole figure, cut at the image's border.
    area: pixels of the figure that can be seen.
    from_behind: the figure shows its back.
    """

    joints: np.ndarray
    hidden: np.ndarray
    box: tuple[float, float, float, float]
    area: float
    from_behind: bool


def _thing(rng, look: Look, centre, size: float) -> list[Blob]:
    """Some thing of about ``size`` pixels: a ball, a board, a stick, or two sticks like a limb."""
    colour = draw_colour(rng, (0, 1), *look.clothes)
    angle = rng.uniform(0, np.pi)
    along = size / 2 * np.array([np.cos(angle), np.sin(angle)])
    across = rng.uniform(0.4, 0.9) * np.array([-along[1], along[0]])
    kind = rng.choice(("ball", "board", "stick", "limb"))
    if kind == "ball":
        return [blob_of(centre, size / 3, colour, THING)]
    if kind == "board":
        corners = [centre + a * along + b * across for a in (-1, 1) for b in (-1, 1)]
        return [blob_of(corners, 1.0, colour, THING)]
    end = centre + 2 * along
    sticks = [blob_of([centre, end], size * rng.uniform(0.08, 0.16), colour, THING)]
    if kind == "limb":
        sticks.append(blob_of([end, end + 2 * across], size * 0.1, colour, THING))
    return sticks


def _scenery(rng, look: Look, width: int, height: int) -> Canvas:
    """An empty scene: wall, floor, and things that stand around."""
    canvas = Canvas(width, height)
    horizon = height * rng.uniform(0.5, 0.85)
    for top in [-50.0] + [horizon] * (rng.random() < 0.7):  # the wall fills the image
        corners = [(-9, top), (width + 9, top + rng.normal(0, 4)), (width + 9, 999), (-9, 999)]
        canvas.draw([blob_of(corners, 0, draw_colour(rng, (0, 1), *look.scenery), 0)], 0)
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
    for _ in range(FABRICS):
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


def draw_image(rng, look: Look, people: int) -> tuple[np.ndarray, list[Person]]:
    """Draw one image of 128 to 160 pixels a side with one or two people of 70 to 110 pixels.

    Returns the image [H, W, 3] (uint8, RGB) and its people, the rearmost first.
    """
    width, height = (int(side) for side in rng.integers(128, 161, 2))
    canvas = _scenery(rng, look, width, height)
    places = [rng.uniform(0.2, 0.8)] if people == 1 else rng.permutation([0.37, 0.63])
    figures = [draw_figure(rng, look, place, width, height) for place in places]
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


def _person(figure: Figure, owner: int, owners: np.ndarray) -> Person:
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
