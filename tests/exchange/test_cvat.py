"""CVAT's XML and the labels of a task, read by hand, and what CVAT does to them."""

import json
import xml.etree.ElementTree as ET
import zipfile

import pytest

from lib.exchange.cvat import read, write
from tests.factories.exchanges import JOINTS, LE, RE, SIZE, L, R, exchange_of, found_with_image


@pytest.fixture
def exchange(tmp_path):
    return exchange_of(found_with_image(tmp_path), "cvat")


@pytest.fixture
def written(exchange, tmp_path):
    write(exchange, tmp_path / "out")
    return tmp_path / "out"


def changed(written, change):
    """The path of the XML file after ``change`` of its root."""
    tree = ET.parse(written / "annotations.xml")
    change(tree.getroot())
    tree.write(written / "back.xml")
    return written / "back.xml"


def test_each_instance_is_a_skeleton_with_all_joints(written):
    (image,) = ET.parse(written / "annotations.xml").findall("image")
    assert image.attrib == {"id": "0", "name": "a/5.jpg", "width": str(SIZE[0]), "height": str(SIZE[1])}
    seven, three = image.findall("skeleton")
    assert [point.get("label") for point in seven.findall("points")] == list(JOINTS)
    assert [point.get("points") for point in seven.findall("points")][:3] == [
        "20.00,30.00",
        "40.00,30.00",
        "22.50,20.00",
    ]
    assert [point.get("occluded") for point in seven.findall("points")] == ["0", "0", "1", "0"]
    assert (
        three.findall("points")[3].get("outside") == "1"
        and three.findall("points")[3].get("points") == "52.00,38.00"
    )
    assert (
        three[-1].attrib == {"name": "annotation_id"} and three[-1].text == "3"
    )  # behind the points, as CVAT has it


def test_the_images_to_upload_lie_beside(written, tmp_path):
    assert (written / "images/a/5.jpg").read_bytes() == (tmp_path / "images/a/5.jpg").read_bytes()


def test_suspicions_are_attributes_of_points(written):
    point = ET.parse(written / "annotations.xml").find("image/skeleton/points")
    assert {each.get("name"): each.text for each in point} == {
        "annotation_id": "7",
        "suspect": "yes",
        "probability": "0.9000",
        "kind": f"exchanged with {R}",
        "proposed": "40.00, 30.00",
    }


def test_the_labels_of_a_task_have_all_attributes_and_a_drawing(written):
    (label,) = json.loads((written / "labels.json").read_text())
    assert (label["name"], label["type"]) == ("person", "skeleton")
    assert [each["name"] for each in label["sublabels"]] == list(JOINTS)
    used = {each.get("name") for each in ET.parse(written / "annotations.xml").iter("attribute")} - {None}
    assert used == {each["name"] for each in label["sublabels"][0]["attributes"]}
    drawing = ET.fromstring(f"<svg>{label['svg']}</svg>")
    circles = {each.get("data-node-id"): each for each in drawing.findall("circle")}
    assert [circles[str(k)].get("data-label-name") for k in range(1, 5)] == list(JOINTS)
    lines = [(each.get("data-node-from"), each.get("data-node-to")) for each in drawing.findall("line")]
    assert sorted(lines) == [("1", "3"), ("2", "4")]
    for line in drawing.findall("line"):
        start, end = circles[line.get("data-node-from")], circles[line.get("data-node-to")]
        ends = [start.get("cx"), start.get("cy"), end.get("cx"), end.get("cy")]
        assert [line.get(name) for name in ("x1", "y1", "x2", "y2")] == ends
    assert all(0 <= float(each.get(axis)) <= 100 for each in circles.values() for axis in ("cx", "cy"))


def test_an_archive_is_read_like_the_file_in_it(written, exchange):
    with zipfile.ZipFile(written / "back.zip", "w") as archive:
        archive.write(written / "annotations.xml", "annotations.xml")
        archive.writestr("images/a/5.jpg", b"")
    assert read(written / "back.zip", exchange) == read(written / "annotations.xml", exchange)


def test_what_is_drawn_anew_has_no_number_and_copies_keep_it(written, exchange):
    def draw(root):
        seven = root.find("image/skeleton")
        ET.SubElement(root.find("image"), "skeleton", {"label": "person"})
        root.find("image").append(seven)

    numbers = [each.number for each in read(changed(written, draw), exchange).images["a/5.jpg"]]
    assert numbers == [7, 3, None, 7]


def test_points_alone_are_put_together_by_their_ids(written, exchange):
    """As tools leave them that know no skeletons; the joint without a label is where it was parked."""

    def flatten(root):
        image = root.find("image")
        for skeleton in image.findall("skeleton"):
            image.remove(skeleton)
            for point in skeleton.findall("points"):
                point.set("outside", "0")
                image.append(point)

    flat = read(changed(written, flatten), exchange).images["a/5.jpg"]
    assert flat == read(written / "annotations.xml", exchange).images["a/5.jpg"]
    assert set(flat[1].places) == {L, R, LE} and RE in flat[0].places


def test_two_points_of_one_joint_are_told(written, exchange):
    def rename(root):
        root.find("image/skeleton/points").set("label", R)

    seven, three = read(changed(written, rename), exchange).images["a/5.jpg"]
    assert "two points" in seven.problem and not three.problem
