"""What sleap-io exports in COCO's format, from its own labels and from DeepLabCut's tables."""

import json

import numpy as np
import pytest

from tests.factories.birds import (
    BIRDS,
    HEIGHT,
    IMAGES,
    JOINTS,
    LIMBS,
    WIDTH,
    assert_birds,
    assert_evaluated,
    assert_joints_inside_crops,
    counts,
    draw_images,
    points,
    read,
)

sio = pytest.importorskip("sleap_io", reason="sleap-io (requirements-interop.txt) is not installed")

pytestmark = pytest.mark.interop


def labels(folder, skeleton):
    """The birds in the pictures of ``folder``, as one video of two frames."""
    video = sio.Video.from_filename([str(folder / name) for name in IMAGES])
    frames = []
    for index, name in enumerate(IMAGES):
        seen = [
            sio.Instance.from_numpy(np.array(bird.joints, float), skeleton=skeleton)
            for bird in BIRDS
            if bird.image == name
        ]
        frames.append(sio.LabeledFrame(video=video, frame_idx=index, instances=seen))
    return sio.Labels(frames)


@pytest.fixture
def skeleton():
    return sio.Skeleton(list(JOINTS), edges=[(JOINTS[a], JOINTS[b]) for a, b in LIMBS], name="bird")


@pytest.mark.parametrize("encoding", ["ternary", "binary"])
def test_all_objects_are_read(tmp_path, skeleton, encoding):
    """One joint and a line of joints have area 0; a joint is marked with 2 or, binary, with 1."""
    draw_images(tmp_path / "images")
    sio.save_coco(
        labels(tmp_path / "images", skeleton), tmp_path / "birds.json", visibility_encoding=encoding
    )
    annotations = read(tmp_path, "birds.json")
    assert_birds(annotations)
    assert_joints_inside_crops(annotations)
    assert annotations.mapping.limbs == [*LIMBS] and annotations.mapping.flip_indices == (0, 2, 1)
    assert counts(annotations.notes.filled_in) == [2, 2]  # boxes and areas
    assert annotations.bounds.tolist() == [[WIDTH, HEIGHT]] * len(BIRDS)
    assert_evaluated(tmp_path, "birds.json")


def test_an_object_without_any_joint_is_left_out(tmp_path, skeleton):
    draw_images(tmp_path / "images")
    birds = labels(tmp_path / "images", skeleton)
    nothing = sio.Instance.from_numpy(np.full((3, 2), np.nan), skeleton=skeleton)
    birds[0].instances.append(nothing)
    sio.save_coco(birds, tmp_path / "birds.json")
    assert len(json.loads((tmp_path / "birds.json").read_text())["annotations"]) == len(BIRDS) + 1
    annotations = read(tmp_path, "birds.json")
    assert_birds(annotations)
    assert counts(annotations.notes.left_out) == [1]


def test_frames_of_two_videos_share_their_names(tmp_path, skeleton):
    """sleap-io leaves the videos' folders out, so that two entries name one picture: that is said."""
    frames = []
    for video in ("one", "two"):
        draw_images(tmp_path / video)
        frames += labels(tmp_path / video, skeleton).labeled_frames
    sio.save_coco(sio.Labels(frames), tmp_path / "birds.json")
    draw_images(tmp_path / "images")
    assert counts(read(tmp_path, "birds.json").notes.doubts) == [len(IMAGES)]


def test_a_video_without_its_frames(tmp_path, skeleton):
    """Width and height are 0 in the file, and the frame's name is made up: read from the picture of that name."""
    video = sio.Video(filename="nest.mp4", open_backend=False)
    bird = sio.Instance.from_numpy(np.array(BIRDS[0].joints), skeleton=skeleton)
    labeled = sio.LabeledFrame(video=video, frame_idx=7, instances=[bird])
    sio.save_coco(sio.Labels([labeled]), tmp_path / "birds.json")
    (image,) = json.loads((tmp_path / "birds.json").read_text())["images"]
    draw_images(tmp_path / "images", (image["file_name"],))
    annotations = read(tmp_path, "birds.json")
    assert (image["width"], image["height"]) == (0, 0) and annotations.bounds.tolist() == [[WIDTH, HEIGHT]]


def test_a_table_of_deeplabcut(tmp_path):
    """An empty cell is an unlabelled joint; sleap-io sorts the joints by name."""
    root = tmp_path / "labeled-data/video"
    draw_images(root)
    lines = ["scorer,,," + ",".join(["me"] * 6)]
    lines += ["bodyparts,,," + ",".join(name for name in JOINTS for _ in range(2))]
    lines += ["coords,,," + ",".join(["x", "y"] * 3)]
    one_each = (BIRDS[1], BIRDS[3])
    for bird in one_each:
        cells = ["" if np.isnan(value) else str(value) for value in np.ravel(bird.joints)]
        lines.append(",".join(["labeled-data", "video", bird.image, *cells]))
    table = root / "CollectedData_me.csv"
    table.write_text("\n".join(lines) + "\n")
    sio.save_coco(sio.load_dlc(str(table)), tmp_path / "birds.json")
    annotations = read(tmp_path, "birds.json", images="labeled-data/video")
    assert sorted(annotations.mapping.names) == sorted(JOINTS) and len(points(annotations)) == 2
    assert_birds(annotations, one_each)
