"""Contact sheets: which labels they show, that they give no method away, and what judgements add up to."""

import csv
import json

import cv2
import numpy as np
import pytest

from benchmarks import contact_sheet
from benchmarks.judgements import share
from benchmarks.suspect_tiles import CAPTION, HALF, HEADER, RING, RING_COLOR
from lib.visualization.skeletons import SIDE_COLOURS

NAMES = ["right_wrist", "right_elbow", "left_wrist", "left_elbow"]
WIDTH, HEIGHT, DOT = 120, 80, (60, 250, 60)
PEOPLE = {11: [(30, 20), (50, 30), (80, 60), (70, 40)], 12: [(20, 70), (40, 50), (90, 10), (60, 25)]}


@pytest.fixture
def data(tmp_path):
    """Two grey pictures of a person each, with a green dot on the joints; the last joint of 12 is not labelled."""
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for number, points in PEOPLE.items():
        picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        for point in points:
            cv2.circle(picture, point, 2, DOT[::-1], -1)
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), picture)
        images.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
        keypoints = [[x, y, 2] for x, y in points]
        if number == 12:
            keypoints[3] = [0, 0, 0]
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "area": 4000,
             "bbox": [10, 5, 90, 70], "num_keypoints": 4, "keypoints": sum(keypoints, [])}
        )  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": NAMES, "skeleton": [[1, 2], [3, 4]]}
    tree = {"images": images, "annotations": annotations, "categories": [category]}
    (tmp_path / "people.json").write_text(json.dumps(tree))
    return tmp_path


def write_scores(path, rows):
    path.write_text("annotation_id,joint,score\n" + "".join(f"{n},{joint},{s}\n" for n, joint, s in rows))


A = [(11, "right_wrist", 0.9), (11, "left_elbow", 0.1), (12, "right_elbow", 0.5), (12, "left_wrist", 0.2)]
B = [(11, "right_wrist", -5), (11, "left_elbow", -2), (12, "right_elbow", -1), (12, "left_wrist", -9)]


@pytest.fixture
def words(data):
    write_scores(data / "a.csv", A)
    write_scores(data / "b.csv", B)
    return ["--data", f"{data}/people.json", "--images", f"{data}/images", "--first", "2",
            "--scores", f"ours={data}/a.csv", f"geometry={data}/b.csv"]  # fmt: skip


def draw(words, out, *more):
    assert contact_sheet.main([*words, "--out", str(out), *more]) == 0
    return json.loads((out / "key.json").read_text())


def labels_of(key):
    return [(tile["annotation_id"], tile["joint"]) for tile in key["tiles"]]


def fill_in(out, verdict_of):
    """Write verdicts, {(annotation id, joint): verdict}, into judgements.csv."""
    with (out / "judgements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (out / "judgements.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "remark"])
        writer.writeheader()
        for row in rows:
            verdict = verdict_of[int(row["annotation_id"]), row["joint"]]
            writer.writerow(row | {"verdict": verdict, "remark": "seen"})


def test_the_first_of_each_list_once_and_people_together(words, tmp_path):
    key = draw(words, tmp_path / "out")
    ranks = {(tile["annotation_id"], tile["joint"]): tile["ranks"] for tile in key["tiles"]}
    assert ranks == {
        (11, "right_wrist"): {"ours": 1},
        (12, "right_elbow"): {"ours": 2, "geometry": 1},
        (11, "left_elbow"): {"geometry": 2},
    }
    assert [tile["tile"] for tile in key["tiles"]] == [1, 2, 3]
    people = [number for number, _ in labels_of(key)]
    assert people in ([11, 11, 12], [12, 11, 11])
    assert "--first 2" in key["command"]


def test_order_and_what_is_filled_in_say_nothing_of_the_methods(words, tmp_path):
    first = draw(words, tmp_path / "first")
    other = [*words[:-2], words[-1].replace("geometry", "x"), words[-2].replace("ours", "y")]
    assert labels_of(draw(other, tmp_path / "other")) == labels_of(first)
    orders = {tuple(labels_of(draw(words, tmp_path / f"seed{k}", "--seed", str(k)))) for k in range(6)}
    assert len(orders) == 2
    text = (tmp_path / "first/judgements.csv").read_text()
    assert text.splitlines()[0] == "tile,annotation_id,joint,verdict"
    assert "ours" not in text and "geometry" not in text
    assert (tmp_path / "first/sheet-01.png").read_bytes() == (tmp_path / "other/sheet-01.png").read_bytes()


def test_the_ring_lies_around_the_label_and_the_crop_beside_it_is_plain(words, tmp_path):
    key = draw(words, tmp_path / "out", "--columns", "1", "--rows", "1")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [f"sheet-0{k}.png" for k in (1, 2, 3)]  # fmt: skip
    for tile in key["tiles"]:
        sheet = cv2.imread(str(tmp_path / f"out/sheet-0{tile['tile']}.png"))[..., ::-1].astype(int)
        below = sheet[HEADER + CAPTION + 1 : HEADER + CAPTION + 1 + HALF]
        plain, drawn = below[:, 1 : 1 + HALF], below[:, 1 + HALF : 1 + 2 * HALF]
        assert not is_color(plain, RING_COLOR).any()
        assert not any(is_color(plain, SIDE_COLOURS[side]).any() for side in ("left", "right"))
        ys, xs = np.nonzero(is_color(drawn, RING_COLOR))
        x, y = (xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2
        assert xs.max() - xs.min() == pytest.approx(2 * RING, abs=4)
        # The green dot that the picture has at the label lies in the middle of the ring.
        yy, xx = np.nonzero(is_color(plain, DOT, 40))
        distance = np.hypot(xx - x, yy - y)
        nearest = distance < RING
        assert nearest.any() and np.hypot(xx[nearest].mean() - x, yy[nearest].mean() - y) < 1.5
        away = np.hypot(*(np.indices((HALF, HALF)) - np.array([y, x])[:, None, None]))
        between = (away > 5) & (away < RING - 5)  # outside of the ring's dot and inside of its line
        assert np.array_equal(plain[between], drawn[between])


def is_color(image, color, tolerance=12):
    return (np.abs(image - np.array(color)) <= tolerance).all(axis=-1)


def test_the_summary_counts_by_list_and_by_joint(words, tmp_path, capsys):
    draw(words, tmp_path)
    fill_in(tmp_path, {(11, "right_wrist"): "undecidable", (12, "right_elbow"): "wrong", (11, "left_elbow"): ""})  # fmt: skip
    capsys.readouterr()
    assert contact_sheet.main(["--judged", str(tmp_path / "judgements.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| ours | 1 | 0 | 1 | 0 | 50 % (9 to 91) | 100 % (21 to 100) |"
    assert lines[3] == "| geometry | 1 | 0 | 0 | 1 | 100 % (21 to 100) | 100 % (21 to 100) |"
    assert lines[4].startswith("| every shown label once | 1 | 0 | 1 | 1 |")
    assert "| right_elbow | 1 / 1 | 1 / 1 |" in lines and "| right_wrist | 0 / 0 | 0 / 0 |" in lines


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (7, 10), (70, 100)])
def test_the_interval_is_wilsons(hits, count):
    z, p = 1.959964, hits / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    assert share(hits, count) == f"{100 * p:.0f} % ({abs(100 * (middle - half)):.0f} to {100 * (middle + half):.0f})"  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n1,11,right_wrist,", "\n1,11,right_wrist,maybe", "line 2: verdict 'maybe', expected wrong, right"),
        ("\n1,11,", "\n1,12,", "line 2: tile '1' with right_wrist of annotation 12, which is no tile"),
        ("\n2,11,", "\n1,11,right_wrist,\n2,11,", "line 3: tile 1 is there twice"),
        ("verdict", "judgement", "no column verdict"),
    ],
)
def test_errors_of_judgements(words, tmp_path, capsys, old, new, message):
    draw(words, tmp_path, "--seed", str(seed_with_11_first(words, tmp_path)))
    path = tmp_path / "judgements.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert contact_sheet.main(["--judged", str(path)]) == 2
    assert message in capsys.readouterr().err


def seed_with_11_first(words, folder):
    return next(k for k in range(20) if labels_of(draw(words, folder / str(k), "--seed", str(k)))[0][0] == 11)  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((99, "right_wrist", 1), "line 2: annotation_id '99' is none"),
        ((11, "nose", 1), "line 2: joint 'nose' is none of right_wrist"),
        ((12, "left_elbow", 1), "line 2: left_elbow of annotation 12 is not labelled"),
        ((11, "left_wrist", "nan"), "line 2: score 'nan' is not a finite number"),
        ((11, "right_wrist", 1), "right_wrist of annotation 11 is in the list twice"),
    ],
)
def test_errors_of_lists(words, data, capsys, row, message):
    write_scores(data / "a.csv", [row, *A])
    assert contact_sheet.main([*words, "--out", str(data / "out")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--first", "5"], "a.csv: 4 labels, expected at least 5"),
        (["--first", "0"], "--first is 0"),
        (["--scores", "a.csv"], "--scores a.csv: expected NAME=CSV"),
        (["--scores", "a=x.csv", "a=y.csv"], "a is there twice"),
        (["--scores", "a=nowhere.csv"], "nowhere.csv: cannot be read"),
    ],
)
def test_errors_of_the_command(words, tmp_path, capsys, more, message):
    assert contact_sheet.main([*words, "--out", str(tmp_path / "out"), *more]) == 2
    assert message in capsys.readouterr().err


def test_judgements_are_never_overwritten(words, tmp_path, capsys):
    draw(words, tmp_path)
    assert contact_sheet.main([*words, "--out", str(tmp_path)]) == 2
    assert "exists and may have verdicts" in capsys.readouterr().err
    assert contact_sheet.main(words) == 2 and "--out is missing" in capsys.readouterr().err
