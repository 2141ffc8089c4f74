"""The review server over plain HTTP: what it serves, and what it refuses."""

import json
import os
import socket
import sys
from dataclasses import replace
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from lib.review.decisions import Verdict, read_review
from lib.review.server import HOST, NEEDED, ReviewOptions, default_reviewer, listen, prepare
from lib.utils.errors import InputError
from pose_estimation.review import main
from tests.factories.review_server import ANN, Client, make_reviewable, serving

framework = pytest.mark.skipif(
    not all(find_spec(name) for name in NEEDED), reason="needs the extra review: starlette and uvicorn"
)


@pytest.fixture
def found(tmp_path):
    return make_reviewable(tmp_path)


def row_of(found, annotation_id, joint):
    labels = found.labels
    return int(np.flatnonzero((labels.annotation_id == annotation_id) & (labels.joint == joint))[0])


@framework
def test_the_page_and_all_that_it_names_is_served_by_the_server_alone(client):
    status, body, headers = client.get("/")
    page = body.decode()
    assert status == 200 and headers["content-type"].startswith("text/html")
    assert "http:" not in page and "https:" not in page and "//" not in page.replace("<!--", "")
    names = [part.partition('"')[0] for key in ('src="', 'href="') for part in page.split(key)[1:]]
    assert len(names) >= 3
    for name in [*names, *(f"/page/{name}.js" for name in ("api", "draw", "filters", "grid", "panel"))]:
        status, _, headers = client.get(name)
        assert status == 200, name
        assert "default-src 'self'" in headers["content-security-policy"]


@framework
@pytest.mark.parametrize("path", ["/", "/page/review.js", "/api/start", "/api/rows", "/crop/0", "/nowhere", "/?token=another"])  # fmt: skip
def test_without_the_token_nothing_is_answered(client, path):
    status, body, _ = client.get(path, Cookie="")
    assert status == 403 and b"Open the address that review.py printed" in body


@framework
def test_a_foreign_host_or_origin_decides_nothing(found, client):
    body = json.dumps({"row": 0, "verdict": "right"})
    for headers in ({"Host": "example.org"}, {"Origin": "http://example.org"}):
        status, _, _ = client.request("POST", "/api/decide", body, content_type="application/json", **headers)
        assert status == 403
    status, _, _ = client.request("POST", "/api/decide", body, content_type="text/plain")
    assert status == 400
    assert not list(found.folder.glob("decisions-*"))


@framework
def test_the_address_that_is_printed_opens_the_page(client):
    path = client.server.address.removeprefix(f"http://{HOST}:{client.port}")
    stranger = Client(client.server)
    status, _, headers = stranger.get(path)
    assert status == 200
    stranger.headers["Cookie"] = headers["set-cookie"].partition(";")[0]
    assert stranger.read("/api/start")["total"] == 8


@framework
def test_labels_are_told_with_their_persons_others(found, client):
    row = row_of(found, 7, "left_wrist")
    (label,) = client.read(f"/api/labels?rows={row}")
    assert (label["joint"], label["kind"], label["partner"]) == ("left_wrist", "exchanged", "right_wrist")
    assert (label["place"], label["proposed"], label["probability"]) == ([20, 30], [40, 30], 0.9)
    others = {other["joint"]: other["place"] for other in label["others"]}
    assert others == {"right_wrist": [40, 30], "left_elbow": [22.5, 20], "right_elbow": [38, 20]}
    (missing,) = client.read(f"/api/labels?rows={row_of(found, 3, 'right_elbow')}")
    assert missing["missing"] and missing["place"] is None and missing["rank"] is None
    assert missing["proposed"] == [52, 38]


@framework
def test_rows_are_filtered(found, client):
    assert client.rows() == list(range(8))
    expected = [row for row in range(8) if found.labels.kind[row] == "exchanged"]
    assert client.rows("kind=exchanged&low=-5&high=&joint=") == expected
    assert client.rows("reviewed=yes") == []
    for wrong in ("low=much", "high=nan", "reviewed=perhaps", "order=any", "color=red"):
        status, body, _ = client.get(f"/api/rows?{wrong}")
        assert status == 400 and json.loads(body)["error"]


@framework
def test_decisions_are_on_the_disk_and_not_asked_for_again(found, client):
    row, elbow = row_of(found, 7, "left_wrist"), row_of(found, 3, "left_elbow")
    status, answer = client.post(
        "/api/decide", {"row": row, "verdict": "exchanged", "partner": "right_wrist"}
    )
    assert status == 200
    partner = row_of(found, 7, "right_wrist")
    assert {int(k) for k, reviewed in answer["reviewed"].items() if reviewed} == {row, partner}
    status, _ = client.post("/api/decide", {"row": elbow, "verdict": "moved", "x": 12, "y": 41.5})
    (first, second) = read_review(found.folder / "decisions-ann.jsonl", found.file).decisions
    assert (first.verdict, first.partner) == (Verdict.EXCHANGED, "right_wrist")
    assert (second.annotation_id, second.joint, second.x, second.y) == (3, "left_elbow", 12, 41.5)
    assert set(client.rows()) == set(range(8)) - {row, partner, elbow}
    assert set(client.rows("reviewed=yes")) == {row, partner, elbow}
    assert client.read("/api/progress")["reviewed"] == 3
    status, answer = client.post("/api/undo", {})
    assert (status, answer["row"]) == (200, elbow)
    assert elbow in client.rows()


@framework
def test_others_decisions_and_annotators_are_known(found, client):
    assert client.read("/api/start")["annotators"] == {"107": 2, "103": 1}
    assert len(client.rows("annotator=103")) == 4
    with serving(found.folder, replace(ANN, reviewer="bob")) as other:
        other.post("/api/decide", {"row": 2, "verdict": "right"})
    status, answer = client.post("/api/decide", {"row": 1, "verdict": "right"})
    assert status == 200 and answer["others"] is True
    assert not {1, 2} & set(client.rows())
    assert client.post("/api/decide", {"row": 3, "verdict": "right"})[1]["others"] is False


@framework
def test_a_reviewed_label_is_not_asked_for_again_of_anybody_unless_all_are_wanted(found):
    with serving(found.folder) as client:
        client.post("/api/decide", {"row": 2, "verdict": "right"})
    with serving(found.folder, replace(ANN, reviewer="bob")) as client:
        assert client.read("/api/start")["reviewed"] == "no"
        assert 2 not in client.rows()
    with serving(found.folder, replace(ANN, reviewer="bob", shows_all=True)) as client:
        assert client.read("/api/start")["reviewed"] == "any"
        (label,) = client.read("/api/labels?rows=2")
        assert [(each["reviewer"], each["verdict"]) for each in label["decisions"]] == [("ann", "right")]


@framework
@pytest.mark.parametrize(
    "content, status",
    [
        ({"row": 8, "verdict": "right"}, 404),
        ({"row": -1, "verdict": "right"}, 404),
        ({"row": True, "verdict": "right"}, 404),
        ({"row": "0.5", "verdict": "right"}, 404),
        ({"verdict": "right"}, 400),
        ({"row": 0, "verdict": "undo"}, 400),
        ({"row": 0, "verdict": "right", "number": 5}, 400),
        ({"row": 0, "verdict": "moved", "x": 1, "y": "2"}, 400),
        ([0, "right"], 400),
    ],
)
def test_requests_that_make_no_sense_are_refused(found, client, content, status):
    answered, answer = client.post("/api/decide", content)
    assert answered == status and answer["error"]
    assert not list(found.folder.glob("decisions-*"))


@framework
def test_what_cannot_be_written_is_said(client, monkeypatch):
    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lib.review.session.append_decision", full_disk)
    status, answer = client.post("/api/decide", {"row": 0, "verdict": "right"})
    assert status == 500 and "No space left on device" in answer["error"]
    assert len(client.rows()) == 8


@framework
def test_images_are_served_by_number_and_never_by_path(client):
    status, body, headers = client.get("/crop/0?size=128")
    assert status == 200 and headers["content-type"] == "image/jpeg"
    assert cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR).ndim == 3
    for path in ("/crop/8", "/crop/-1", "/crop/a", "/crop/a%2F5.jpg", "/crop/..%2F..%2Fpeople.json", "/page/..%2Fapp.py", "/page/../app.py", "/crop/"):  # fmt: skip
        assert client.get(path)[0] == 404, path
    for path in ("/crop/0?zoom=99", "/crop/0?size=100000", "/crop/0?zoom=x", "/crop/0?size="):
        assert client.get(path)[0] == 400, path


def test_a_port_in_use_is_named():
    with listen(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} .*--port"):
            listen(port)
    with pytest.raises(InputError, match="--port is 65536"):
        listen(65536)


def test_only_this_machine_can_connect():
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.family == socket.AF_INET


def test_a_missing_package_is_said_with_the_command_that_installs_it(found, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main([str(found.folder), "--no-browser"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "uvicorn" in line and "pip install" in line and "starlette" in line


@framework
def test_a_start_that_makes_no_sense_is_refused(found, tmp_path, capsys):
    def refused(*words):
        assert main([str(found.folder), "--no-browser", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "reviewer '../x'" in refused("--reviewer", "../x")
    assert "no such folder" in refused("--images", str(tmp_path / "nowhere"))
    with listen(0) as taken:
        port = taken.getsockname()[1]
        assert str(port) in refused("--port", str(port))
    found.path.write_text(found.path.read_text() + " ")
    assert "not the file whose labels were judged" in refused()
    os.remove(found.path)
    assert "cannot be read" in refused()
    assert main([str(tmp_path / "images"), "--no-browser"]) == 2


@framework
def test_two_servers_have_two_tokens(found):
    addresses = []
    for name in ("ann", "bob"):
        server = prepare(found.folder, ReviewOptions(name))
        server.listener.close()
        addresses.append(server.address.partition("token=")[2])
    assert len(set(addresses)) == 2 and min(map(len, addresses)) >= 32


@pytest.mark.parametrize(
    "user, name", [("ann", "ann"), ("DOMAIN\\ann b", "DOMAIN-ann-b"), ("_", "reviewer"), ("Zoë", "Zo-")]
)
def test_the_default_reviewer_is_the_user_as_far_as_it_names_a_file(monkeypatch, user, name):
    monkeypatch.setattr("getpass.getuser", lambda: user)
    assert default_reviewer() == name
