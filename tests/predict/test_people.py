import json
from pathlib import Path

import numpy as np
import pytest

from lib.dataset.skeleton import Skeleton
from lib.models.category import Category
from lib.predict.people import BoxesFile, GivenBoxes, People, parse_box, whole_images
from lib.predict.sources import Frame, Source
from lib.utils.errors import InputError
from lib.utils.log import captured_messages


def frame(name, number=None, size=(40, 30)):
    return Frame(Source(Path(name)), np.zeros((size[1], size[0], 3), np.uint8), number)


PERSON = Category((1,), "person", Skeleton.of(("a",)))
ANIMALS = Category((5, 7), "cat, fish", Skeleton.of(("a",)))
UNKNOWN = Category((), "", Skeleton.of(("a",)))


def boxes_file(
    tmp_path, content, sources=("000000000007.jpg", "b.jpg"), min_score=0.5, max_overlap=0.7, category=PERSON
):
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    sources = [Source(Path(name)) for name in sources]
    return BoxesFile(tmp_path / "boxes.json", sources, category, min_score, max_overlap)


def detection(image_id, box, score=0.9, category=1):
    return {"image_id": image_id, "category_id": category, "bbox": box, "score": score}


def boxes(people):
    return people.boxes.tolist()


def test_whole_images_and_given_boxes():
    assert [boxes(p) for p in whole_images([frame("a.jpg"), frame("b.jpg", size=(5, 6))])] == [
        [[0, 0, 40, 30]],
        [[0, 0, 5, 6]],
    ]
    given = GivenBoxes(People.from_boxes([parse_box("1,2,3,4"), parse_box("-1,0.5,3,4")]))
    assert [boxes(p) for p in given([frame("a.jpg")])] == [[[1, 2, 3, 4], [-1, 0.5, 3, 4]]]


def test_detections_of_the_networks_categories(tmp_path):
    content = [detection(7, [i, 0, 10, 10], category=number) for i, number in enumerate((7, 1, 5, 1))]
    with captured_messages() as messages:
        (people,) = boxes_file(tmp_path, content, category=ANIMALS, max_overlap=1)([frame("7.jpg")])
    assert people.boxes[:, 0].tolist() == [0, 2] and people.categories.tolist() == [7, 5]
    assert any("2 detections" in message and "category 1 (2)" in message for message in messages)
    (people,) = boxes_file(tmp_path, content, category=UNKNOWN, max_overlap=1)([frame("7.jpg")])
    assert people.categories.tolist() == [7, 1, 5, 1]
    with pytest.raises(InputError, match=r"person \(category 1\); found category 5 \(1\)"):
        boxes_file(tmp_path, [detection(7, [0, 0, 10, 10], category=5)])


def test_categories_stay_with_their_boxes():
    people = People.from_boxes([[0, 0, 9, 9], [1, 0, 9, 9], [30, 30, 9, 9]], [0.1, 0.9, 0.8], [1, 2, 3])
    kept = people.filtered(0.5, 0.7)
    assert kept.categories.tolist() == [2, 3] and kept.scores.tolist() == [0.9, 0.8]
    assert People.from_boxes([[0, 0, 9, 9]]).categories.tolist() == [-1]


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,x", "1,2,-3,4", "1,2,nan,4"])
def test_bad_box(text):
    with pytest.raises(InputError, match="--box"):
        parse_box(text)


def test_a_score_at_the_limit_is_enough():
    people = People.from_boxes([[0, 0, 10, 10], [20, 0, 10, 10]], [0.5, 0.499])
    assert boxes(people.filtered(0.5, 0.7)) == [[0, 0, 10, 10]]


def test_detections_by_number_of_the_file_chosen_by_score_and_overlap(tmp_path):
    find = boxes_file(tmp_path, [
        detection(7, [0, 0, 10, 10], 0.6), detection(7, [0, 0, 10, 9], 0.9), detection(7, [20, 0, 10, 10], 0.7),
        detection(7, [40, 0, 10, 10], 0.4), detection(7, [0, 50, 10, 10], 0.9, category=3), detection(8, [1, 2, 3, 4]),
    ])  # fmt: skip
    people, nobody = find([frame("000000000007.jpg"), frame("b.jpg")])
    assert boxes(people) == [[0, 0, 10, 9], [20, 0, 10, 10]] and people.scores.tolist() == [0.9, 0.7]
    assert nobody.boxes.shape == (0, 4)


def test_boxes_by_name_are_all_used_and_those_of_one_video_image_go_first(tmp_path):
    content = {"b.jpg": [[0, 0, 9, 9], [0, 0, 9, 9]], "c.mp4": [[1, 1, 1, 1]], "c.mp4#2": [[2, 2, 2, 2]]}
    find = boxes_file(tmp_path, content, ["b.jpg", "c.mp4"])
    people = find([frame("b.jpg"), frame("c.mp4", 1), frame("c.mp4", 2)])
    assert [boxes(p) for p in people] == [[[0, 0, 9, 9]] * 2, [[1, 1, 1, 1]], [[2, 2, 2, 2]]]


@pytest.mark.parametrize(
    "content, expected",
    [
        (
            {"z.jpg": [[0, 0, 1, 1]]},
            r"'z\.jpg'; expected .*'000000000007\.jpg', '000000000007', 7, '7' for 000000000007\.jpg$",
        ),
        ([detection(9, [0, 0, 1, 1])], "those of 9; expected"),
        ({}, "no boxes;"),
        ({"b.jpg": [0, 0, 1, 1]}, "b.jpg, box 0"),
        ({"b.jpg": 3}, "list of boxes"),
        ({"b.jpg": [[0, 0, -1, 1]]}, "negative"),
        ([{"bbox": [0, 0, 1, 1]}], "detection 0 needs"),
        ([detection("8", [0, 0, 1, 1])], "those of '8'; expected"),
        ([detection([7], [0, 0, 1, 1])], "whole number"),
        (3, "list of detections"),
    ],
)
def test_bad_boxes_file(content, expected, tmp_path):
    with pytest.raises(InputError, match=expected) as error:
        boxes_file(tmp_path, content)
    assert "boxes.json" in str(error.value)


def test_a_number_may_be_a_text(tmp_path):
    find = boxes_file(tmp_path, [detection("7", [0, 0, 3, 2])])
    assert [boxes(p) for p in find([frame("000000000007.jpg")])] == [[[0, 0, 3, 2]]]


def test_detections_may_name_the_image(tmp_path):
    find = boxes_file(
        tmp_path,
        [detection("frame_7", [0, 0, 10, 10]), detection("b.jpg", [1, 0, 10, 10])],
        ("frame_7.jpg", "b.jpg"),
    )
    assert [boxes(people) for people in find([frame("frame_7.jpg"), frame("b.jpg"), frame("c.jpg")])] == [
        [[0, 0, 10, 10]], [[1, 0, 10, 10]], [],
    ]  # fmt: skip
