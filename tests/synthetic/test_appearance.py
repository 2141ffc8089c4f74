import colorsys

import numpy as np

from lib.synthetic.appearance import FLAT, ROUGH, draw_colour


def test_colours_lie_in_their_ranges():
    rng = np.random.default_rng(0)
    colours = [draw_colour(rng, (0.9, 1.1), (0.5, 0.8), (0.6, 0.9)) for _ in range(200)]
    assert all(isinstance(channel, int) for colour in colours for channel in colour)
    hue, saturation, value = np.array(
        [colorsys.rgb_to_hsv(*(c / 255 for c in colour)) for colour in colours]
    ).T
    assert ((hue > 0.89) | (hue < 0.11)).all()  # hue wraps around at red
    assert saturation.min() > 0.49 and saturation.max() < 0.81
    assert value.min() > 0.59 and value.max() < 0.91 and np.ptp(value) > 0.25


def test_a_colour_without_range_is_exact():
    assert draw_colour(np.random.default_rng(0), (0, 0), (1, 1), (1, 1)) == (255, 0, 0)
    assert draw_colour(np.random.default_rng(0), (0.5, 0.5), (0, 0), (0.2, 0.2)) == (51, 51, 51)


def test_the_rough_look_is_the_darker_one_without_outlines():
    assert ROUGH.rough and not FLAT.rough
    assert ROUGH.outline == 0 < FLAT.outline
    assert ROUGH.scenery[1][1] < FLAT.scenery[1][0]
