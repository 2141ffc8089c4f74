"""Who is answered. The application behind the guard is a stand-in; no server, no framework."""

import asyncio

import pytest

from lib.review.guard import Guard

PORT, TOKEN = 4321, "a-token"
HOST, COOKIE = f"127.0.0.1:{PORT}", f"lbi-review-{PORT}={TOKEN}"


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


def answer(query="", **headers):
    """(status, body, {name: value}) of the guard's answer to a request with these headers."""
    sent = []

    async def send(message):
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": "/", "query_string": query.encode(), "headers": given}
    asyncio.run(Guard(hello, TOKEN, PORT)(scope, None, send))
    start, body = sent
    return start["status"], body["body"], {name.decode(): value.decode() for name, value in start["headers"]}


def test_the_token_in_the_address_opens_the_door_and_leaves_a_cookie_that_does():
    status, body, headers = answer(f"token={TOKEN}", host=HOST)
    assert (status, body) == (200, b"hello")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    status, body, headers = answer(host=HOST, cookie=f'other={{"a": 1}}; {cookie}')
    assert (status, body) == (200, b"hello")
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"query": "token=another"},
        {"query": "token="},
        {"cookie": f"lbi-review-{PORT}=another"},
        {"cookie": f"lbi-review-{PORT + 1}={TOKEN}"},  # of a server at another port
        {"authorization": TOKEN},
    ],
)
def test_who_does_not_know_the_token_gets_nothing(request_):
    status, body, headers = answer(**{"host": HOST} | request_)
    assert status == 403
    assert b"hello" not in body and TOKEN not in str(headers)


@pytest.mark.parametrize("host", ["example.org", f"example.org:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"127.0.0.1.example.org:{PORT}", ""])  # fmt: skip
def test_a_foreign_host_name_gets_nothing(host):
    assert answer(f"token={TOKEN}", host=host, cookie=COOKIE)[0] == 403


def test_no_host_name_gets_nothing():
    assert answer(f"token={TOKEN}", cookie=COOKIE)[0] == 403


@pytest.mark.parametrize("origin", ["http://example.org", "null", f"https://{HOST}", f"http://127.0.0.1:{PORT + 1}", f"http://localhost:{PORT}"])  # fmt: skip
def test_a_page_of_another_origin_gets_nothing(origin):
    assert answer(host=HOST, cookie=COOKIE, origin=origin)[0] == 403


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_what_another_page_embeds_gets_nothing_and_a_link_leads_here(site):
    embedded = {"host": HOST, "sec_fetch_site": site, "sec_fetch_mode": "no-cors"}
    assert answer(cookie=COOKIE, **embedded)[0] == 403
    assert answer(cookie=COOKIE, **embedded | {"sec_fetch_site": "same-origin"})[0] == 200
    assert answer(f"token={TOKEN}", **embedded | {"sec_fetch_mode": "navigate"})[0] == 200


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}"])
def test_the_own_page_is_answered_also_through_a_forwarded_port(host):
    assert answer(host=host, cookie=COOKIE, origin=f"http://{host}")[0] == 200


def test_nothing_is_loaded_from_elsewhere_and_nobody_frames_the_page():
    _, _, headers = answer(host=HOST, cookie=COOKIE)
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert not any("unsafe" in value or "*" in value for value in policy.values())
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
