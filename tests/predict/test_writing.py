import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.dataset.skeleton import Skeleton
from lib.models.category import Category
from lib.predict.people import People
from lib.predict.poses import Poses
from lib.predict.sources import Frame, Source
from lib.predict.writing import are_numbered, drawn_names, open_predictions, open_video, write_image
from lib.utils.errors import InputError

PERSON = Category((1,), "person", Skeleton.of(("nose", "left_knee")))


def sources(*names):
    return [Source(Path(name)) for name in names]


def frame(source, number=None, size=(40, 30)):
    return Frame(source, np.full((size[1], size[0], 3), 200, np.uint8), number, 10.0)


def poses(count, score=0.9):
    """``count`` people with the nose at (5, 6) and the knee at (7.1234, 8)."""
    boxes = People.from_boxes([[1.234, 2, 20, 10]] * count, [0.5] * count)
    joints = np.tile([[5.0, 6.0], [7.1234, 8.0]], (count, 1, 1))
    return Poses(boxes, joints, np.full((count, 2), score), np.tile([20.0, 20.0], (count, 1)))


def write(folder, frames, draws=False):
    """Write one person for each of ``frames``; returns the objects of both JSON files."""
    with open_predictions(folder, [f.source for f in frames if not f.number], PERSON, draws) as writer:
        for f in frames:
            writer.add(f, poses(1))
    lines = (folder / "predictions.jsonl").read_text().splitlines()
    return json.loads((folder / "keypoints_results.json").read_text()), [json.loads(line) for line in lines]


def test_drawings_have_the_names_of_their_sources():
    files = sources("a/1.JPG", "a/2.webp", "a/3.txt", "clip.avi")
    assert [drawn_names(files)[source] for source in files] == ["1.JPG", "2.webp", "3.png", "clip.mp4"]
    with pytest.raises(InputError, match=r"a/1\.jpg and b/1\.jpg"):
        drawn_names(sources("a/1.jpg", "b/1.jpg"))
    with pytest.raises(InputError, match=r"c\.avi and c\.mp4"):
        drawn_names(sources("c.avi", "c.mp4"))


def test_limbs_and_category_of_the_network(tmp_path):
    """Joints whose names tell no limb, with and without a line between them in the checkpoint."""
    drawings = {}
    for lines in ((), (("a", "b"),)):
        fish = Category((7,), "fish", Skeleton(("a", "b"), (), lines))
        (found,) = frames = [frame(Source(tmp_path / "1.png"))]
        folder = tmp_path / f"out{len(lines)}"
        with open_predictions(folder, [found.source], fish, draws=True) as writer:
            far = poses(1)
            far.joints[:] = [[[5, 15], [35, 15]]]
            writer.add(frames[0], far)
        drawings[lines] = cv2.imread(str(folder / "drawn/1.png"))
        (result,) = json.loads((folder / "keypoints_results.json").read_text())
        assert result["category_id"] == 7
    without, drawn = drawings.values()
    assert (without[15, 20] == 200).all() and (drawn[15, 20] != 200).any()


@pytest.mark.parametrize(
    "names, expected",
    [
        (["000139.jpg", "2.png"], True),
        (["1.jpg", "001.png"], False),
        (["1.jpg", "a.jpg"], False),
        (["1.mp4"], False),
    ],
)
def test_image_ids_are_file_numbers_if_all_are_different(names, expected):
    assert are_numbered(sources(*names)) is expected


def test_the_json_files_of_numbered_images(tmp_path):
    results, lines = write(tmp_path, [frame(source) for source in sources("0007.jpg", "3.jpg")])
    assert [result["image_id"] for result in results] == [line["image_id"] for line in lines] == [7, 3]
    assert results[0]["keypoints"] == [5, 6, 0.9, 7.123, 8, 0.9] and results[0]["category_id"] == 1
    assert results[0]["score"] == pytest.approx(0.5 * 0.9)  # box score times mean joint score
    (person,) = lines[0]["people"]
    assert person == {"box": [1.23, 2, 20, 10], "score": 0.5,
                      "keypoints": {"nose": [5, 6, 0.9], "left_knee": [7.123, 8, 0.9]}}  # fmt: skip
    assert lines[1] | {"people": None} == {
        "file": "3.jpg",
        "image_id": 3,
        "width": 40,
        "height": 30,
        "people": None,
    }
    assert not (tmp_path / "drawn").exists()


def test_other_images_are_counted_from_one(tmp_path):
    _, lines = write(tmp_path, [frame(source) for source in sources("b.jpg", "3.jpg")])
    assert [line["image_id"] for line in lines] == [1, 2]


def test_an_image_without_people(tmp_path):
    with open_predictions(tmp_path, sources("1.jpg"), PERSON, draws=False) as writer:
        writer.add(frame(Source(Path("1.jpg"))), poses(0))
    assert json.loads((tmp_path / "keypoints_results.json").read_text()) == []
    assert json.loads((tmp_path / "predictions.jsonl").read_text())["people"] == []
    assert (writer.images, writer.people) == (1, 0)


def test_images_with_no_one_and_several_people_make_one_valid_list(tmp_path):
    with open_predictions(tmp_path, sources("1.jpg", "2.jpg", "3.jpg"), PERSON, draws=False) as writer:
        for number, count in enumerate((0, 2, 1), start=1):
            writer.add(frame(Source(Path(f"{number}.jpg"))), poses(count))
    results = json.loads((tmp_path / "keypoints_results.json").read_text())
    assert [result["image_id"] for result in results] == [2, 2, 3]  # equal poses are not suppressed


def test_an_error_leaves_no_json_files(tmp_path):
    with pytest.raises(KeyError), open_predictions(tmp_path, sources("1.jpg"), PERSON, draws=False) as writer:
        writer.add(frame(Source(Path("1.jpg"))), poses(1))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_videos_and_images_are_drawn(tmp_path):
    first, image, second = sources("a.avi", "b.png", "c.avi")
    frames = [frame(first, 0), frame(first, 1), frame(image), frame(second, 0), frame(second, 1)]
    _, lines = write(tmp_path, frames, draws=True)
    assert [line.get("frame") for line in lines] == [0, 1, None, 0, 1]
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["a.mp4", "b.png", "c.mp4"]
    drawn = cv2.imread(str(tmp_path / "drawn/b.png"))
    assert drawn.shape == (30, 40, 3) and drawn[25, 35].tolist() == [200, 200, 200]
    assert drawn[6, 5].tolist() != [200, 200, 200]  # the nose


def test_a_drawing_does_not_replace_its_source(tmp_path):
    with (
        pytest.raises(InputError, match="would replace"),
        open_predictions(tmp_path, [Source(tmp_path / "drawn" / "1.jpg")], PERSON, draws=True),
    ):
        raise AssertionError("the writer is opened")


def test_images_are_written_in_the_format_of_their_name(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    write_image(tmp_path / "a.png", image)
    write_image(tmp_path / "a.jpg", image)
    assert (cv2.imread(str(tmp_path / "a.png")) == image).all()
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_frames_of_other_sizes_are_scaled_to_the_videos(tmp_path):
    with open_video(tmp_path / "v.mp4", 8.0, (64, 48)) as add:
        for size in ((48, 64), (96, 128)):
            add(np.full((*size, 3), 90, np.uint8))
        assert not (tmp_path / "v.mp4").exists()
    video = cv2.VideoCapture(str(tmp_path / "v.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == 8 and video.get(cv2.CAP_PROP_FRAME_COUNT) == 2
    assert video.read()[1].shape == (48, 64, 3)
