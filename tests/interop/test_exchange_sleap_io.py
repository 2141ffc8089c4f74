"""Projects of SLEAP, written and read through sleap-io, and what it reads of DeepLabCut's tables."""

import numpy as np
import pytest

from lib.exchange import sleap
from tests.factories.exchanges import (
    DECISIONS,
    EDITS,
    JOINTS,
    RE,
    SIZE,
    L,
    exchange_of,
    found_with_image,
    give,
    small_exchange,
    take,
)
from tests.factories.found_labels import KEYPOINTS

sio = pytest.importorskip("sleap_io", reason="sleap-io (requirements-interop.txt) is not installed")

pytestmark = pytest.mark.interop


@pytest.fixture
def found(tmp_path):
    return found_with_image(tmp_path)


def edit(labels, as_instances):
    """Make EDITS, in instances made of the predictions as SLEAP makes them, or in the predictions themselves."""
    (frame,) = labels.labeled_frames
    for predicted in list(frame.instances):
        number = int(predicted.track.name)
        instance = predicted
        if as_instances:
            instance = sio.Instance.from_numpy(
                predicted.numpy(), predicted.skeleton, track=predicted.track, from_predicted=predicted
            )
            frame.instances.append(instance)
        for joint in JOINTS:
            if (number, joint) in EDITS:
                k, place = labels.skeleton.index(joint), EDITS[number, joint]
                instance.points["xy"][k] = (np.nan, np.nan) if place is None else place
                instance.points["visible"][k] = place is not None


def test_the_project_has_places_scores_and_lines(found):
    labels = sio.load_slp(str(give(found, "sleap") / "labels.slp"))
    (frame,) = labels.labeled_frames
    assert labels.skeleton.node_names == list(JOINTS)
    assert {tuple(nodes) for nodes in labels.skeleton.edge_names} == set(found.file.lines)
    assert frame.image.shape == (SIZE[1], SIZE[0], 3)
    for instance in frame.instances:
        expected = [(x, y) if v else (np.nan, np.nan) for x, y, v in KEYPOINTS[int(instance.track.name)]]
        np.testing.assert_array_equal(instance.numpy(), expected)
    np.testing.assert_allclose(frame.instances[0].points["score"], [0.1, 0.2, 0.9, 0.95])
    assert frame.instances[0].score == pytest.approx(0.1)


@pytest.mark.parametrize("as_instances", [True, False])
def test_what_is_changed_is_decided(found, as_instances, tmp_path, capsys):
    labels = sio.load_slp(str(give(found, "sleap") / "labels.slp"))
    edit(labels, as_instances)
    labels.save(str(tmp_path / "corrected.slp"), verbose=False)
    assert set(take(found, "sleap", tmp_path / "corrected.slp")) == DECISIONS
    assert "warning" not in capsys.readouterr().out


def test_nothing_is_changed_by_sleap_io_itself(found, tmp_path, capsys):
    output = give(found, "sleap", "--suspects", 2)
    sio.load_slp(str(output / "labels.slp")).save(str(tmp_path / "same.slp"), verbose=False)
    assert take(found, "sleap", tmp_path / "same.slp") == []
    assert "2 suspects unchanged" in capsys.readouterr().out


def test_a_point_that_is_only_marked_as_not_visible_is_hidden(found, tmp_path):
    """SLEAP keeps its place then."""
    labels = sio.load_slp(str(give(found, "sleap") / "labels.slp"))
    labels[0].instances[0].points["visible"][JOINTS.index(RE)] = False
    labels.save(str(tmp_path / "hidden.slp"), verbose=False)
    assert take(found, "sleap", tmp_path / "hidden.slp") == [(7, RE, "wrong", None, None)]


def test_images_that_are_not_at_hand(tmp_path):
    """Several sizes, and one that is not known; the images are never opened."""
    first = small_exchange({7: [(20.0, 30.0), None, None, None]})
    sleap.write(first, tmp_path / "out")
    (frame,) = sio.load_slp(str(tmp_path / "out/labels.slp"), open_videos=False).labeled_frames
    assert tuple(frame.video.shape) == (1, SIZE[1], SIZE[0], 3)
    sleap.write(small_exchange({7: [(20.0, 30.0), None, None, None]}, size=None), tmp_path / "other")
    back = sleap.read(tmp_path / "other/labels.slp", first).images
    assert [each.places for each in back["a/5.jpg"]] == [{L: (20, 30)}]


def test_a_project_that_was_moved_with_its_images(found, tmp_path):
    """SLEAP asks for the folder of images that it does not find."""
    path = give(found, "sleap") / "labels.slp"
    exchange = exchange_of(found, "sleap")
    (tmp_path / "images").rename(tmp_path / "pictures")
    labels = sio.load_slp(str(path), open_videos=False)
    labels.replace_filenames(prefix_map={str(tmp_path / "images"): str(tmp_path / "pictures")})
    labels.save(str(tmp_path / "moved.slp"), verbose=False)
    (frame,) = sio.load_slp(str(tmp_path / "moved.slp"))
    assert frame.video.filename == [str(tmp_path / "pictures/a/5.jpg")]
    assert list(sleap.read(tmp_path / "moved.slp", exchange).images) == ["a/5.jpg"]


def test_files_of_something_else(tmp_path, found, capsys):
    from pose_estimation.exchange_labels import main

    give(found, "sleap")
    (tmp_path / "x.slp").write_text("x")
    argv = ["from", str(found.folder), "--tool", "sleap", "--reviewer", "ann", "--input"]
    for path, words in ((tmp_path / "x.slp", "project of SLEAP"), (tmp_path / "y.slp", "no file")):
        assert main([*argv, str(path)]) == 2
        error = capsys.readouterr().err
        assert words in error and str(path) in error and error.count("\n") == 1


def test_sleap_io_reads_the_table_for_deeplabcut(found):
    table = give(found, "deeplabcut") / "CollectedData_lbi.csv"
    labels = sio.load_dlc(str(table))
    (frame,) = labels.labeled_frames
    tracks = {"individual1": 7, "individual2": 3}
    for instance in frame.instances:
        points = dict(zip(instance.skeleton.node_names, instance.numpy().tolist()))
        for joint, (x, y, v) in zip(JOINTS, KEYPOINTS[tracks[instance.track.name]]):
            assert points[joint] == [x, y] if v else np.isnan(points[joint]).all()
    assert frame.image.shape[:2] == SIZE[::-1]
