"""The page as one file: what is in it, and in a browser that it gives back a file of decisions."""

import base64
import json
import os
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib.review.decisions import read_reviews
from lib.review.found import write_found
from lib.review.server import open_folder
from lib.review.session import Session
from lib.review.static_page import write_static
from lib.utils.errors import InputError
from pose_estimation.review import main
from tests.factories.review_server import ANN, make_reviewable


@pytest.fixture
def found(tmp_path):
    return make_reviewable(tmp_path)


def data_of(path):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())[1]
    )


def test_the_command_writes_the_most_suspect_labels_that_nobody_reviewed(found, tmp_path, capsys):
    session = Session(found.folder, found.file, found.labels, "bob")
    session.decide(1, "right")
    page = tmp_path / "page.html"
    assert main([str(found.folder), "--reviewer", "ann", "--static", str(page), "--count", "3"]) == 0
    assert "the page of 3 labels" in capsys.readouterr().out
    data = data_of(page)
    assert [label["row"] for label in data["labels"]] == [0, 2, 3]
    assert data["overview"]["total"] == 3
    assert set(data["pictures"]) == {"0", "2", "3"}
    for command in (["--count", "0"], ["--count", "501"]):
        assert main([str(found.folder), "--static", str(page), *command]) == 2
        assert "--count" in capsys.readouterr().err


def test_the_file_loads_nothing_and_holds_nothing_that_ends_its_script(found, tmp_path):
    session, crops = open_folder(found.folder, ANN)
    session.table.labels.kind[0] = "</script>"
    write_static(tmp_path / "page.html", session, crops, 8)
    page = (tmp_path / "page.html").read_text()
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("</script>") == 2


def test_when_all_is_reviewed_nothing_is_written(found, tmp_path):
    session, crops = open_folder(found.folder, ANN)
    for row in range(8):
        session.decide(row, "right")
    with pytest.raises(InputError, match="labels.csv: expected the name of an HTML file"):
        write_static(tmp_path / "labels.csv", session, crops, 8)
    with pytest.raises(InputError, match="every label was reviewed"):
        write_static(tmp_path / "page.html", session, crops, 8)
    assert write_static(tmp_path / "page.html", session, crops, 8, shows_all=True) == 8


@pytest.mark.slow
@pytest.mark.browser
def test_a_colleague_decides_in_the_file_and_gives_decisions_back(found, browser, tmp_path):
    expect = pytest.importorskip("playwright.sync_api").expect
    page_file = tmp_path / "page.html"
    write_static(page_file, *open_folder(found.folder, ANN), 8)
    os.rename(found.folder / "images", found.folder / "not here")
    complaints = []
    page = browser.new_page(accept_downloads=True)
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.goto(page_file.as_uri())
    joint, place = page.locator("#joint"), page.locator("#place")
    expect(place).to_have_text("Label 1 of 8")
    page.keyboard.press("x")
    expect(joint).to_have_text("right wrist")  # of the other person: the partner's label is decided, too
    page.keyboard.press("+")
    page.keyboard.press("p")
    expect(joint).to_have_text("left wrist")
    page.keyboard.press("w")
    expect(joint).to_have_text("left elbow")
    page.keyboard.press("u")
    expect(joint).to_have_text("left wrist")
    page.reload()
    expect(place).to_have_text("Label 1 of 5")
    expect(page.locator("#progress")).to_contain_text("3 of 8 reviewed, 3 of them wrong")
    page.keyboard.press("s")
    expect(page.locator("#progress")).to_contain_text("6 of 8 reviewed")
    page.get_by_label("Your name").fill("eve")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save decisions").click()
    assert download.value.suggested_filename == "decisions-eve.jsonl"
    download.value.save_as(found.folder / "decisions-eve.jsonl")
    page.close()
    assert complaints == []
    (review,) = read_reviews(found.folder, found.file)
    kept = [(each.annotation_id, each.joint, each.verdict.value, each.partner) for each in review.decisions]
    assert review.reviewer == "eve"
    # The sides of the second person replace what was decided about its right wrist before.
    assert kept == [(7, "left_wrist", "exchanged", "right_wrist"), (3, "left_wrist", "sides", None)]
    reviewed = Session(found.folder, found.file, found.labels, "ann").reviewed
    assert reviewed.sum() == 6


@pytest.mark.slow
@pytest.mark.browser
def test_limbs_in_the_file(found, browser, tmp_path):
    expect = pytest.importorskip("playwright.sync_api").expect
    file = replace(found.file, lines=(("left_wrist", "right_wrist"),))
    write_found(found.folder, file, found.labels)
    write_static(tmp_path / "page.html", *open_folder(found.folder, ANN), 8)
    page = browser.new_page(accept_downloads=True)
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator("#place")).to_have_text("Label 1 of 8")
    page.keyboard.press("l")
    expect(page.locator("#progress")).to_contain_text("2 of 8 reviewed")
    page.keyboard.press("l")
    page.keyboard.press("l")  # elbows have no limb
    expect(page.get_by_role("alert")).to_contain_text("left elbow")
    expect(page.locator("#progress")).to_contain_text("4 of 8 reviewed")
    page.get_by_label("Your name").fill("eve")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save decisions").click()
    download.value.save_as(found.folder / "decisions-eve.jsonl")
    page.close()
    (review,) = read_reviews(found.folder, file)
    kept = [(each.annotation_id, each.joint, each.verdict.value) for each in review.decisions]
    assert kept == [(7, "left_wrist", "limb"), (3, "right_wrist", "limb")]


def test_the_pictures_are_of_the_labels(found, tmp_path):
    write_static(tmp_path / "page.html", *open_folder(found.folder, ANN), 8)
    for picture in data_of(tmp_path / "page.html")["pictures"].values():
        content = base64.b64decode(picture.removeprefix("data:image/jpeg;base64,"))
        assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).ndim == 3
