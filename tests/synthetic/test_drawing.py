"""Drawn images: sizes, sides of the body, hidden joints, boxes, looks."""

import numpy as np
import pytest

from lib.synthetic.appearance import FLAT, ROUGH
from lib.synthetic.canvas import Canvas
from lib.synthetic.drawing import FIGURE_JOINTS, DrawnImage, Person, draw_image, people_of


@pytest.mark.parametrize("look", [FLAT, ROUGH], ids=["flat", "rough"])
@pytest.mark.parametrize("people", [1, 2])
def test_an_image_of_people_of_the_documented_sizes(look, people):
    for seed in range(20):
        pixels, persons = draw_image(np.random.default_rng(seed), look, people)
        height, width, channels = pixels.shape
        assert 128 <= height <= 160 and 128 <= width <= 160 and channels == 3 and pixels.dtype == np.uint8
        assert len(persons) == people
        for person in persons:
            left, top, w, h = person.box
            assert left >= 0 and top >= 0 and left + w <= width - 1 and top + h <= height - 1
            assert 55 <= max(w, h) <= 115 and 0 < person.area < (w + 2) * (h + 2)
            inside = ((person.joints >= 0) & (person.joints <= [width - 1, height - 1])).all(axis=1)
            box = np.array([[left, top], [left + w, top + h]])
            assert (person.joints[inside] >= box[0] - 0.1).all() and (
                person.joints[inside] <= box[1] + 0.1
            ).all()


def test_the_same_generator_draws_the_same_image():
    (a, people_a), (b, people_b), (c, _) = (draw_image(np.random.default_rng(s), ROUGH, 1) for s in (5, 5, 6))
    assert np.array_equal(a, b) and np.array_equal(people_a[0].joints, people_b[0].joints)
    assert a.shape != c.shape or not np.array_equal(a, c)


def test_points_on_the_border_pixels_are_in_the_image():
    image = DrawnImage(1, "1.jpg", 10, 5, [])
    points = np.array([[0, 0], [9, 4], [9.1, 4], [9, 4.1], [-0.1, 0], [0, -0.1]])
    assert image.contains(points).tolist() == [True, True, False, False, False, False]


def test_people_are_listed_image_by_image():
    a, b, c = (
        Person(np.zeros((17, 2)), np.zeros(17, bool), (0, 0, 1, 1), area, False, 9.0) for area in (1, 2, 3)
    )
    first, second = DrawnImage(1, "1.jpg", 9, 9, [a, b]), DrawnImage(2, "2.jpg", 9, 9, [c])
    assert [(image.number, person.area) for image, person in people_of([first, second])] == [
        (1, 1),
        (1, 2),
        (2, 3),
    ]


def test_left_and_right_are_the_figures_own():
    """From the pelvis up, a person's right is at the viewer's left if seen from the front, else at the right."""
    k = {name: FIGURE_JOINTS.index(name) for name in ("left_hip", "right_hip", "pelvis", "thorax")}
    agree, seen = [], set()
    for i in range(120):
        _, (person,) = draw_image(np.random.default_rng(i), FLAT, 1)
        up = person.joints[k["thorax"]] - person.joints[k["pelvis"]]
        across = person.joints[k["right_hip"]] - person.joints[k["left_hip"]]
        if np.linalg.norm(across) > 0.09 * max(
            person.box[2:]
        ):  # neither from the side nor bent to the camera
            clockwise = up[0] * across[1] - up[1] * across[0] > 0
            agree.append(clockwise == person.from_behind)
            seen.add(person.from_behind)
    assert np.mean(agree) > 0.9 and seen == {True, False}


def test_joints_of_the_rear_figure_are_hidden_where_it_is_covered(monkeypatch):
    """Compared with the same image without the figure and the object in front."""

    def draw_all():
        return [draw_image(np.random.default_rng([1, i]), FLAT, 2) for i in range(100)]

    everything, draw = draw_all(), Canvas.draw
    monkeypatch.setattr(
        Canvas,
        "draw",
        lambda canvas, blobs, owner, *rest: draw(canvas, blobs, owner, *rest) if owner < 2 else None,
    )
    hidden, covered = [], []
    for (pixels, (rear, _)), (without, _) in zip(everything, draw_all()):
        column, row = rear.joints.round().astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < pixels.shape[1]) & (row < pixels.shape[0])
        hidden += rear.hidden[inside].tolist()
        covered += (pixels != without).any(2)[row[inside], column[inside]].tolist()
    hidden, covered = np.array(hidden), np.array(covered)
    assert hidden.sum() > 40 and not (hidden & ~covered).any()
    assert (covered & ~hidden).sum() < 0.2 * hidden.sum()  # pixels on an edge are covered in part


def test_the_two_looks_differ():
    def brightness_and_grain(look):
        images = [draw_image(np.random.default_rng(i), look, 1)[0].astype(float) for i in range(20)]
        grain = [np.median(abs(np.diff(image, axis=1))) for image in images]
        return np.median([image.mean() for image in images]), np.median(grain)

    (flat, smooth), (rough, grainy) = brightness_and_grain(FLAT), brightness_and_grain(ROUGH)
    assert flat > 1.5 * rough and grainy > smooth + 2
