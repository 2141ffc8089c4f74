"""The page in a real browser: decided by keys and by dragging, undone, reloaded, and after the server was killed."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lib.review.decisions import read_review
from lib.review.found import write_found
from tests.factories.review_server import ANN, make_reviewable, serving

pytest.importorskip("starlette", reason="needs the extra review")
pytest.importorskip("uvicorn", reason="needs the extra review")
expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(browser):
    """A page that must have no errors, and load nothing from elsewhere."""
    context = browser.new_context(viewport={"width": 1300, "height": 860})
    page, complaints, asked = context.new_page(), [], []
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.expected = []  # parts of messages that a test provokes
    yield page
    context.close()
    assert [line for line in complaints if not any(part in line for part in page.expected)] == []
    assert [url for url in asked if not url.startswith("http://127.0.0.1:")] == []


@pytest.fixture
def found(tmp_path):
    return make_reviewable(tmp_path)


def opened(page, address):
    page.goto(address)
    expect(page.locator("#drawing image")).to_be_attached()
    return page


def shows(page, annotation_id, joint):
    expect(page.locator("#joint")).to_have_text(joint)
    expect(page.locator("#facts")).to_contain_text(f"annotation{annotation_id}")


def decided(found, reviewer="ann"):
    """[(annotation id, joint, verdict)] of what counts."""
    review = read_review(found.folder / f"decisions-{reviewer}.jsonl", found.file)
    return [(each.annotation_id, each.joint, each.verdict.value) for each in review.decisions]


def test_deciding_by_keys_writes_each_decision_before_the_next_label_is_shown(found, client, page):
    opened(page, client.server.address)
    assert "token" not in page.url
    shows(page, 7, "left wrist")
    expect(page.locator("#kind")).to_have_text("Wrong with probability 90 %: exchanged with right wrist")
    page.keyboard.press("x")
    shows(page, 3, "right wrist")  # the partner's label is decided with it
    assert decided(found) == [(7, "left_wrist", "exchanged")]
    page.keyboard.press("p")
    shows(page, 3, "left wrist")
    page.keyboard.press("Space")
    shows(page, 7, "left elbow")
    page.keyboard.press("w")
    shows(page, 7, "right elbow")
    page.keyboard.press("r")
    shows(page, 3, "left elbow")
    expect(page.locator("#progress")).to_contain_text("5 of 8 reviewed, 4 of them wrong")
    assert decided(found) == [
        (7, "left_wrist", "exchanged"), (3, "right_wrist", "moved"), (7, "left_elbow", "wrong"), (7, "right_elbow", "right"),
    ]  # fmt: skip
    (moved,) = (
        each for each in read_review(found.folder / "decisions-ann.jsonl", found.file).decisions if each.x
    )
    assert (moved.x, moved.y) == (55, 45)


def test_a_drag_and_enter_move_a_label(found, client, page):
    opened(page, client.server.address)
    drawing = page.locator("#drawing")
    box = drawing.bounding_box()
    x, y, side, _ = map(float, drawing.get_attribute("viewBox").split())

    def on_screen(place):
        return [
            box[name] + (value - start) * box["width"] / side
            for name, value, start in zip("xy", place, (x, y))
        ]

    page.mouse.move(*on_screen((20, 30)))
    page.mouse.down()
    page.mouse.move(*on_screen((25, 33)), steps=4)
    page.mouse.move(*on_screen((31, 37)), steps=4)
    page.mouse.up()
    assert not (found.folder / "decisions-ann.jsonl").exists()
    page.keyboard.press("Enter")
    shows(page, 7, "right wrist")
    (moved,) = read_review(found.folder / "decisions-ann.jsonl", found.file).decisions
    pixel = side / box["width"]
    assert (moved.x, moved.y) == pytest.approx((31, 37), abs=2 * pixel + 0.01)


def test_a_label_is_moved_by_keys_alone(found, client, page):
    opened(page, client.server.address)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("First drag the label")
    for keys in ("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowUp", "Control+Shift+ArrowDown"):
        page.keyboard.press(keys)
    page.keyboard.press("Escape")
    for keys in ("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowUp", "Control+Shift+ArrowDown"):
        page.keyboard.press(keys)
    page.keyboard.press("Enter")
    shows(page, 7, "right wrist")
    (moved,) = read_review(found.folder / "decisions-ann.jsonl", found.file).decisions
    assert (moved.x, moved.y) == (22, 39)


def test_undo_shows_the_label_again_and_a_reload_what_is_left(found, client, page):
    opened(page, client.server.address)
    for key, label in (("r", (7, "right wrist")), ("w", (3, "right wrist")), ("u", (7, "right wrist"))):
        page.keyboard.press(key)
        shows(page, *label)
    assert decided(found) == [(7, "left_wrist", "right")]
    page.reload()
    shows(page, 7, "right wrist")
    expect(page.locator("#place")).to_have_text("Label 1 of 7")
    page.keyboard.press("u")
    shows(page, 7, "left wrist")
    assert decided(found) == []
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_have_text("There is nothing to undo.")


def test_the_sides_of_the_whole_person_and_a_missing_label(found, client, page):
    opened(page, client.server.address)
    page.keyboard.press("s")
    shows(page, 3, "right wrist")
    expect(page.locator("#progress")).to_contain_text("4 of 8 reviewed")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
    shows(page, 3, "right elbow")
    expect(page.locator("#kind")).to_contain_text("Has no label")
    expect(page.get_by_role("button", name="Wrong: hide it")).to_be_disabled()
    page.get_by_role("button", name="Add it at the proposal").click()
    expect(page.get_by_role("status")).to_contain_text("end of the list")
    assert decided(found) == [(7, "left_wrist", "sides"), (3, "right_elbow", "moved")]


def test_the_sides_of_a_limb_and_a_joint_without_one(found, page):
    write_found(found.folder, replace(found.file, lines=(("left_wrist", "right_wrist"),)), found.labels)
    with serving(found.folder) as client:
        opened(page, client.server.address)
        limb = page.locator("#single [data-key=l]")
        expect(limb).to_be_enabled()
        expect(limb).to_have_attribute("title", "left wrist ↔ right wrist")
        page.keyboard.press("l")
        shows(page, 3, "right wrist")  # the other wrist is decided with it
        expect(page.get_by_role("status")).to_contain_text("⇆ limb")
        expect(page.locator("#progress")).to_contain_text("2 of 8 reviewed, 2 of them wrong")
        page.keyboard.press("g")
        expect(page.locator(".tile").nth(2)).to_be_focused()
        page.keyboard.press("l")
        expect(page.locator(".tile").nth(2)).to_contain_text("⇆ limb")
        expect(page.locator("#progress")).to_contain_text("4 of 8 reviewed")
        page.keyboard.press("Enter")
        shows(page, 7, "left elbow")
        expect(limb).to_be_disabled()
        expect(limb).to_contain_text("of no single limb")
        page.keyboard.press("l")
        expect(page.get_by_role("alert")).to_contain_text("left elbow: is of no pair of limbs")
    assert decided(found) == [(7, "left_wrist", "limb"), (3, "right_wrist", "limb")]


def test_filters_and_the_grid_by_keys_alone(found, client, page):
    opened(page, client.server.address)
    for key in ("f", "Escape", "g"):  # closed filters take no keys
        page.keyboard.press(key)
    expect(page.locator(".tile")).to_have_count(8)
    page.keyboard.press("g")
    page.keyboard.press("f")
    page.keyboard.type("right")  # kinds: right, exchanged, ...
    page.keyboard.press("Tab")
    page.keyboard.type("left e")
    for _ in range(7):
        page.keyboard.press("Tab")
    expect(page.locator("#filters").get_by_role("button", name="Apply")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#place")).to_have_text("Label 1 of 2")
    shows(page, 7, "left elbow")
    page.keyboard.press("g")
    expect(page.locator(".tile")).to_have_count(2)
    expect(page.locator(".tile").nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tile").nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("w")
    expect(page.locator(".tile").nth(0)).to_contain_text("hidden")
    page.reload()  # the address keeps the filter and the view
    expect(page.locator(".tile")).to_have_count(1)
    page.keyboard.press("Enter")
    shows(page, 3, "left elbow")
    page.keyboard.press("r")
    expect(page.locator("#nothing")).to_contain_text("None matches the filters")
    page.get_by_role("button", name="Clear the filters").click()
    shows(page, 7, "left wrist")
    assert decided(found) == [(7, "left_elbow", "wrong"), (3, "left_elbow", "right")]


def test_zooming_shows_less_and_help_opens_and_closes(client, page):
    opened(page, client.server.address)
    drawing = page.locator("#drawing")
    whole = drawing.get_attribute("viewBox")
    page.keyboard.press("+")
    expect(drawing).not_to_have_attribute("viewBox", whole)
    assert float(drawing.get_attribute("viewBox").split()[2]) < float(whole.split()[2])
    page.keyboard.press("0")
    expect(drawing).to_have_attribute("viewBox", whole)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("r")  # decides nothing while the help is open
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    shows(page, 7, "left wrist")
    expect(page.locator("#place")).to_have_text("Label 1 of 8")


def test_what_cannot_be_written_is_said_and_the_label_stays(found, client, page, monkeypatch):
    page.expected = ["500"]
    opened(page, client.server.address)

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lib.review.session.append_decision", full_disk)
        page.keyboard.press("r")
        expect(page.get_by_role("alert")).to_contain_text("No space left on device")
        shows(page, 7, "left wrist")
    page.keyboard.press("r")
    shows(page, 7, "right wrist")
    expect(page.get_by_role("alert")).not_to_be_visible()
    assert decided(found) == [(7, "left_wrist", "right")]


def test_names_from_the_data_are_shown_as_text(found, page):
    hostile = "<img src=x onerror=alert(7)>.jpg"
    columns = {"image": found.labels.image.astype("U99")}
    columns["image"][0] = hostile
    write_found(found.folder, found.file, replace(found.labels, **columns))
    page.expected = ["400"]  # there is no such image
    page.on("dialog", lambda dialog: pytest.fail("a name was run"))
    with serving(found.folder) as client:
        opened(page, client.server.address)
        expect(page.locator("#facts")).to_contain_text(hostile)
        expect(page.locator("#drawing")).to_contain_text("image cannot be read")


def start(folder, *words):
    """(process, address) of the command."""
    process = subprocess.Popen(
        [sys.executable, "pose_estimation/review.py", str(folder), "--no-browser", *words],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return process, re.search(r"http\S+", process.stdout.readline()).group()


def test_what_was_decided_survives_the_death_of_the_server(found, page):
    page.expected = ["net::ERR_"]  # while the server is away
    process, address = start(found.folder, "--reviewer", "ann")
    try:
        opened(page, address)
        page.keyboard.press("r")
        shows(page, 7, "right wrist")
        page.keyboard.press("w")
        shows(page, 3, "right wrist")
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        page.keyboard.press("r")
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
        shows(page, 3, "right wrist")
    finally:
        process.kill()
        process.wait(20)
    assert decided(found) == [(7, "left_wrist", "right"), (7, "right_wrist", "wrong")]
    process, address = start(found.folder, "--reviewer", "ann")
    try:
        opened(page, address)
        shows(page, 3, "right wrist")
        expect(page.locator("#progress")).to_contain_text("2 of 8 reviewed, 1 of them wrong")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "2 of 8 labels reviewed, 1 of them wrong" in said
    finally:
        process.kill()
        process.wait(20)


def test_files_of_several_reviewers_are_read_and_disagreement_is_shown(found, page):
    page.expected = ["net::ERR_"]  # what the page fetches ahead while a server ends
    for name, verdict in (("bob", "right"), ("eve", "wrong")):
        with serving(found.folder, replace(ANN, reviewer=name, shows_all=True)) as client:
            status, _ = client.post("/api/decide", {"row": 0, "verdict": verdict})
            assert status == 200
    with serving(found.folder) as client:
        opened(page, client.server.address)
        shows(page, 7, "right wrist")
    with serving(found.folder, replace(ANN, shows_all=True)) as client:
        opened(page, client.server.address)
        shows(page, 7, "left wrist")
        for text in ("Reviewers disagree", "right, says bob", "hidden, says eve"):
            expect(page.locator("#earlier")).to_contain_text(text)
    assert (
        json.loads((found.folder / "decisions-bob.jsonl").read_text().splitlines()[1])["verdict"] == "right"
    )


def test_an_annotator_s_labels_and_what_others_decide_meanwhile(found, client, page):
    opened(page, client.server.address)
    shows(page, 7, "left wrist")
    with serving(found.folder, replace(ANN, reviewer="bob")) as other:
        other.post("/api/decide", {"row": 1, "verdict": "right"})
    page.keyboard.press("r")
    shows(page, 3, "right wrist")  # the second label, of 7, is bob's
    page.keyboard.press("f")
    page.locator("#filters select[name=annotator]").select_option("107")
    page.keyboard.press("Enter")
    page.locator("#filters button[type=submit]").click()
    shows(page, 7, "left elbow")
    expect(page.locator("#facts")).to_contain_text("annotator107")
    page.locator("#filters select[name=annotator]").select_option("")
    page.locator("#filters select[name=order]").select_option("gain")
    page.locator("#filters button[type=submit]").click()
    expect(page.locator("#place")).to_have_text(re.compile("^Label 1 of "))
    first = client.rows("order=gain")[0]
    shows(page, int(found.labels.annotation_id[first]), str(found.labels.joint[first]).replace("_", " "))
