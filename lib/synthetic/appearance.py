"""The two looks of drawn images, and colours in their ranges."""

import colorsys
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """How an image is drawn; every pair is a range to draw from. Colours are HSV shares."""

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


def draw_colour(rng, hue, saturation, value) -> tuple[int, int, int]:
    """A random RGB colour, from ranges of hue, saturation and value in [0, 1]."""
    rgb = colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value))
    return tuple(int(round(255 * channel)) for channel in rgb)
