"""The two looks of drawn images, and random colours."""

import colorsys
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Look:
    """How an image is drawn. Pairs are ranges to draw from; saturation and value are in [0, 1] (HSV).

    outline: width of the dark line around each part, in pixels.
    girth: thickness of the limbs, relative to the figure's own.
    clothes: saturation and value of clothes and objects.
    scenery: saturation and value of wall and floor.
    objects: number of objects in the background; the upper end is excluded.
    rough: textures, uneven light, blur and noise.
    """

    outline: float
    girth: tuple[float, float]
    clothes: tuple[tuple[float, float], tuple[float, float]]
    scenery: tuple[tuple[float, float], tuple[float, float]]
    objects: tuple[int, int]
    rough: bool


FLAT = Look(
    outline=0.8,
    girth=(1.1, 1.3),
    clothes=((0.55, 1.0), (0.6, 1.0)),
    scenery=((0.0, 0.25), (0.75, 1.0)),
    objects=(0, 3),
    rough=False,
)
ROUGH = Look(
    outline=0.0,
    girth=(1.05, 1.25),
    clothes=((0.45, 0.95), (0.55, 1.0)),
    scenery=((0.0, 0.25), (0.22, 0.42)),
    objects=(0, 3),
    rough=True,
)


def draw_colour(
    rng: np.random.Generator,
    hue: tuple[float, float],
    saturation: tuple[float, float],
    value: tuple[float, float],
) -> tuple[int, int, int]:
    """Draw a random colour from ranges in HSV (hue in turns, the others in [0, 1]); returns RGB in 0..255."""
    rgb = colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value))
    red, green, blue = (int(round(255 * channel)) for channel in rgb)
    return red, green, blue
