"""Which labels are given to a tool, with what of the annotation file."""

import pytest
from PIL import Image

from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.exchange.source import Source
from lib.utils.errors import InputError
from tests.factories.data_sets import mpii_person, read_mpii, write_mpii
from tests.factories.exchanges import RE, SIZE, L, R, exchange_of, found_with_image, give
from tests.factories.found_labels import JOINTS, KEYPOINTS, annotation_file, make_found
from tests.factories.reviews import decide, judge


@pytest.fixture
def found(tmp_path):
    return found_with_image(tmp_path)


def points(exchange, number):
    (instance,) = [each for each in exchange.images[0].instances if each.number == number]
    return dict(zip(exchange.joints, instance.points)), instance


def test_labels_visibility_and_boxes_are_the_files(found):
    exchange = exchange_of(found, "cvat")
    (image,) = exchange.images
    assert (image.name, image.size, exchange.category) == ("a/5.jpg", SIZE, "person")
    assert image.path == str(found.folder / "images/a/5.jpg")
    assert [instance.number for instance in image.instances] == [7, 3]  # as in the file, not by id
    assert exchange.joints == JOINTS and set(exchange.lines) == set(found.file.lines)
    for number, expected in KEYPOINTS.items():
        own, instance = points(exchange, number)
        assert instance.box == (0, 0, 80, 60)
        for joint, (x, y, v) in zip(JOINTS, expected):
            assert own[joint].place == ((x, y) if v else None) and own[joint].is_occluded == (v == 1)


def test_suspects_are_the_most_suspect_ones_that_nobody_reviewed(found):
    source = Source(found.folder)
    assert source.choose(2, False).suspects == {(7, L), (7, R)}
    decide(found.folder, found.file, "bob", (7, L, "right"))
    given = Source(found.folder).choose(2, False)
    assert given.suspects == {(7, R), (3, R)}
    suspicion = points(Source(found.folder).exchange(given), 7)[0]
    assert not suspicion[L].suspicion.is_suspect and suspicion[R].suspicion.is_suspect
    assert suspicion[R].suspicion.probability == 0.8 and suspicion[R].suspicion.partner == L
    assert suspicion[R].suspicion.proposed == (20, 30)


def test_a_joint_that_lacks_a_label_comes_with_the_place_that_is_proposed(found):
    own, _ = points(exchange_of(found, "cvat"), 3)
    assert own[RE].place is None and own[RE].suspicion.proposed == (52, 38)
    assert own[RE].suspicion.kind == "missing" and not own[RE].suspicion.is_suspect


def test_when_all_is_reviewed_only_all_images_can_be_given(found):
    everything = [(n, joint, "right") for n in KEYPOINTS for joint, (*_, v) in zip(JOINTS, KEYPOINTS[n]) if v]
    decide(found.folder, found.file, "bob", *everything)
    with pytest.raises(InputError, match="all labels were reviewed"):
        Source(found.folder).choose(200, False)
    given = Source(found.folder).choose(200, True)
    assert given.images == {"a/5.jpg": "a/5.jpg"} and not given.suspects


def test_images_that_are_not_at_hand_have_the_files_size_and_no_path(tmp_path):
    (image,) = exchange_of(make_found(tmp_path), "cvat").images
    assert (image.name, image.path, image.size) == ("a/5.jpg", None, SIZE)


def test_an_unknown_size_is_an_error_only_where_it_is_needed(tmp_path, monkeypatch):
    def without_size():
        content = annotation_file()
        del content["images"][0]["width"]
        return content

    monkeypatch.setattr("tests.factories.found_labels.annotation_file", without_size)
    (image,) = exchange_of(make_found(tmp_path), "cvat").images
    assert image.known_size is None
    with pytest.raises(InputError, match=r"a/5\.jpg.*--images"):
        image.size  # noqa: B018


def test_a_box_that_does_not_hold_the_labels_is_made_anew(tmp_path, monkeypatch):
    def with_corners():
        content = annotation_file()
        content["annotations"][0]["bbox"] = [300, 300, 20, 20]
        content["annotations"][1]["bbox"] = None
        return content

    monkeypatch.setattr("tests.factories.found_labels.annotation_file", with_corners)
    (image,) = exchange_of(make_found(tmp_path), "cvat").images
    for instance in image.instances:
        x, y, width, height = instance.box
        for point in instance.points:
            if point.place is not None:
                assert x < point.place[0] < x + width and y < point.place[1] < y + height


def test_the_image_folder_can_be_elsewhere(tmp_path):
    found = found_with_image(tmp_path)
    (tmp_path / "images").rename(tmp_path / "moved")
    source = Source(found.folder, images=tmp_path / "moved")
    (image,) = source.exchange(source.choose(2, False)).images
    assert image.path == str(tmp_path / "moved/a/5.jpg")
    with pytest.raises(InputError, match="no such folder"):
        Source(found.folder, images=tmp_path / "nowhere")


def test_images_that_tools_show_turned_are_told(tmp_path, capsys):
    """Labels of COCO refer to the pixels as stored, and tools show them upright."""
    found = found_with_image(tmp_path)
    path = tmp_path / "images/a/5.jpg"
    image = Image.open(path)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    source = Source(found.folder)
    assert source.turned(source.exchange(source.choose(2, False))) == ["a/5.jpg"]
    give(found, "cvat")
    assert "1 images have an EXIF orientation" in capsys.readouterr().out
    exif[0x0112] = 1
    image.save(path, exif=exif)
    assert source.turned(source.exchange(source.choose(2, False))) == []


def test_mpiis_layout_is_given_in_pixels_from_0(tmp_path):
    """Joint k is at (11 + k, 21 + 2k) there, pixels from 1, and the first has no label; images say their size."""
    path = write_mpii(tmp_path, [mpii_person(), mpii_person("b.jpg")])
    found = judge(tmp_path, path, read_mpii(tmp_path, "train", MPII_KEYPOINTS, 1))
    source = Source(found.folder, images=tmp_path / "images")
    exchange = source.exchange(source.choose(200, False))
    assert [image.name for image in exchange.images] == ["a.jpg", "b.jpg"] and exchange.category == "person"
    for number, image in enumerate(exchange.images):
        (instance,) = image.instances
        assert instance.number == number and image.size == Image.open(image.path).size
        assert [point.place for point in instance.points] == [
            None,
            *((10 + k, 20 + 2 * k) for k in range(1, 16)),
        ]
        assert not any(point.is_occluded for point in instance.points)
