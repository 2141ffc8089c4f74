"""Draws images of articulated figures with exactly known joints.

There are two looks, cartoon-flat and rough (textured, dark, noisy), so that two data sets of drawn people can
differ as real ones do.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.synthetic.appearance import Look, draw_colour
from lib.synthetic.canvas import FABRICS, OBJECT, SUPERSAMPLING, Blob, Canvas, make_blob
from lib.synthetic.figure import Figure, draw_figure

FIGURE_JOINTS = MPII_KEYPOINTS + ("nose",)


@dataclass(frozen=True)
class Person:
    """One annotated person. Coordinates are pixels, 0-based, with pixel centres at whole numbers.

    joints: [17, 2], in the order of FIGURE_JOINTS; they may lie outside the image.
    hidden: [17] bool, covered by another person, by what it sits on or by an object in front.
    box: left, top, width, height of the whole figure, clipped to the image.
    area: visible pixels of the figure.
    from_behind: the figure's trunk shows its back.
    stature: height of the figure if it stood, in pixels.
    """

    joints: np.ndarray
    hidden: np.ndarray
    box: tuple[float, float, float, float]
    area: float
    from_behind: bool
    stature: float


@dataclass(frozen=True)
class DrawnImage:
    """One image file with its annotated people.

    number: image id.
    file_name: name of the file in its folder.
    width, height: pixels.
    people: from back to front.
    """

    number: int
    file_name: str
    width: int
    height: int
    people: list[Person]

    def contains(self, points: np.ndarray) -> np.ndarray:
        """[K] bool, whether each of the points [K, 2] lies in the image."""
        return np.all((points >= 0) & (points <= (self.width - 1, self.height - 1)), axis=-1)


def people_of(images: list[DrawnImage]) -> list[tuple[DrawnImage, Person]]:
    """Every person of the images, in order, together with the image."""
    return [(image, person) for image in images for person in image.people]


def _draw_object(rng: np.random.Generator, look: Look, centre: np.ndarray, size: float) -> list[Blob]:
    """Blobs of an object of about ``size`` pixels: a ball, a board, a stick, or two sticks like a limb."""
    colour = draw_colour(rng, (0, 1), *look.clothes)
    angle = rng.uniform(0, np.pi)
    along = size / 2 * np.array([np.cos(angle), np.sin(angle)])
    across = rng.uniform(0.4, 0.9) * np.array([-along[1], along[0]])
    kind = rng.choice(("ball", "board", "stick", "limb"))
    if kind == "ball":
        return [make_blob(centre, size / 3, colour, OBJECT)]
    if kind == "board":
        corners = [centre + a * along + b * across for a in (-1, 1) for b in (-1, 1)]
        return [make_blob(corners, 1.0, colour, OBJECT)]
    end = centre + 2 * along
    sticks = [make_blob([centre, end], size * rng.uniform(0.08, 0.16), colour, OBJECT)]
    if kind == "limb":
        sticks.append(make_blob([end, end + 2 * across], size * 0.1, colour, OBJECT))
    return sticks


def _draw_background(rng: np.random.Generator, look: Look, width: int, height: int) -> Canvas:
    """A canvas with wall, floor and objects, but no figures."""
    canvas = Canvas(width, height)
    horizon = height * rng.uniform(0.5, 0.85)
    # The wall fills the image; seven images of ten have a floor in front of it.
    for top in [-50.0] + [horizon] * (rng.random() < 0.7):
        corners = [(-9, top), (width + 9, top + rng.normal(0, 4)), (width + 9, 999), (-9, 999)]
        canvas.draw([make_blob(corners, 0, draw_colour(rng, (0, 1), *look.scenery), 0)], 0)
    for _ in range(rng.integers(*look.objects)):
        centre = rng.uniform((0, 0), (width, height))
        canvas.draw(_draw_object(rng, look, centre, rng.uniform(12, 40)), 0, look.outline)
    return canvas


def _smooth_noise(rng: np.random.Generator, cells: int, width: int, height: int) -> np.ndarray:
    """Noise [height, width] of mean 0 and variance about 1, interpolated from ``cells`` x ``cells`` values."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _roughen(rng: np.random.Generator, pixels: np.ndarray, fabric: np.ndarray) -> np.ndarray:
    """Add textures, dim uneven light, pale colours, blur and grain.

    Args:
        rng: source of the random numbers.
        pixels: [H, W, 3] uint8.
        fabric: [H, W], selects the texture of each pixel.

    Returns:
        [H, W, 3] uint8.
    """
    height, width = fabric.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    # One texture per fabric: smooth noise, and stripes for some.
    textures = []
    for _ in range(FABRICS):
        texture = rng.uniform(0.03, 0.08) * _smooth_noise(rng, int(rng.integers(25, 70)), width, height)
        if rng.random() < 0.4:
            angle, frequency = rng.uniform(0, np.pi), 2 * np.pi / rng.uniform(3.5, 12)
            stripes = np.sin(x * (frequency * math.cos(angle)) + y * (frequency * math.sin(angle)))
            texture += rng.uniform(0.03, 0.09) * stripes
        textures.append(texture)
    texture = np.take_along_axis(np.stack(textures), fabric[None].astype(np.intp), axis=0)[0]
    # Light: slow variation over the image.
    light = 0.25 * _smooth_noise(rng, 3, width, height) + 0.08 * _smooth_noise(rng, 9, width, height)
    light = rng.uniform(0.85, 1.15) * np.clip(np.exp(light), 0.6, 1.5)
    image = pixels.astype(np.float32) * (np.clip(1 + texture, 0.3, 1.7) * light)[..., None]
    # Camera: less saturation, blur, grain.
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    image = grey + rng.uniform(0.6, 0.95) * (image - grey)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.8))
    image += rng.uniform(3, 6) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def draw_image(rng: np.random.Generator, look: Look, people: int) -> tuple[np.ndarray, list[Person]]:
    """Draw one image with sides of 128 to 160 pixels.

    Args:
        rng: source of the random numbers.
        look: FLAT or ROUGH.
        people: 1 or 2 people, of 70 to 110 pixels each.

    Returns:
        The image [H, W, 3] (uint8, RGB) and its annotated people, from back to front.
    """
    width, height = (int(side) for side in rng.integers(128, 161, 2))
    canvas = _draw_background(rng, look, width, height)
    x_shares = [rng.uniform(0.2, 0.8)] if people == 1 else rng.permutation([0.37, 0.63])
    figures = [draw_figure(rng, look, x_share, width, height) for x_share in x_shares]
    owners_of = [2 * number + 1 for number in range(people)]  # a figure's seat has the number after its own
    for owner, figure in zip(owners_of, figures):
        for part in figure.parts[: figure.below_seat]:
            canvas.draw(part, owner, look.outline)
        canvas.draw(figure.seat, owner + 1, look.outline)
        for part in figure.parts[figure.below_seat :]:
            canvas.draw(part, owner, look.outline)
    # An object in front of some; never on the head, which tells front from back.
    if rng.random() < 0.1:
        joint = rng.choice(("left", "right")) + rng.choice(("_elbow", "_wrist", "_hip", "_knee", "_ankle"))
        centre = figures[-1].xy(joint)[0] + rng.normal(0, 6, 2)
        canvas.draw(_draw_object(rng, look, centre, rng.uniform(14, 34)), 2 * people + 1, look.outline)

    pixels = cv2.resize(canvas.pixels, (width, height), interpolation=cv2.INTER_AREA)
    if look.rough:
        pixels = _roughen(rng, pixels, canvas.fabric[::SUPERSAMPLING, ::SUPERSAMPLING])
    owners = canvas.owner
    return pixels, [_annotate(figure, owner, owners) for owner, figure in zip(owners_of, figures)]


def _annotate(figure: Figure, owner: int, owners: np.ndarray) -> Person:
    """Annotation of a figure in a finished image; owners: the canvas's map of owners."""
    height, width = (side // SUPERSAMPLING for side in owners.shape)
    last = np.array([width - 1, height - 1])
    joints = np.stack(figure.xy(*FIGURE_JOINTS))
    column, row = np.clip(np.round(joints), 0, last).astype(int).T * SUPERSAMPLING
    # The box encloses all circles of the figure, hidden ones too.
    centres, radii = (np.concatenate([b[i] for part in figure.parts for b in part]) for i in (0, 1))
    low = np.clip((centres - radii[:, None]).min(axis=0), 0, last)
    high = np.clip((centres + radii[:, None]).max(axis=0), 0, last)
    left, top, box_width, box_height = (float(number) for number in (*low, *(high - low)))
    area = float((owners == owner).sum()) / SUPERSAMPLING**2
    hidden, box = owners[row, column] > owner, (left, top, box_width, box_height)
    return Person(joints, hidden, box, area, figure.from_behind, figure.size)
