"""Who is answered: requests of this machine's browser that know the token, made by our own page."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NAMES = ("127.0.0.1", "localhost")  # of this machine; the second is what a port forwarded by ssh has
# Nothing is loaded from elsewhere, no other page may frame this one, and its address stays private.
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
REFUSAL = b"Refused. Open the address that review.py printed, with its token.\n"


class Guard:
    """An ASGI application that passes requests on to ``app`` if they may be answered, else says 403.

    The token comes as ?token=... once, and then as a cookie. Requests under a foreign host name (a name of an
    attacker's that leads here) or from a foreign origin (another page in the same browser) are refused even so.

    token: what must be known.
    port: of this server; browsers share cookies between ports, so it is part of the cookie's name.
    """

    def __init__(self, app: App, token: str, port: int):
        self.app, self.token = app, token
        self.cookie = f"lbi-review-{port}"
        self.hosts = {f"{name}:{port}" for name in NAMES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        by_query = self._knows(parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0])
        if not self._is_ours(headers) or not (by_query or self._knows(self._cookie_of(headers))):
            await _refuse(send)
            return
        extra = dict(HEADERS)
        if by_query:
            extra["set-cookie"] = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                more = [(name.encode(), value.encode()) for name, value in extra.items()]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _is_ours(self, headers: dict[str, list[str]]) -> bool:
        """Whether a request is sent to a name of this machine, and by no page of another origin."""
        hosts = [host.lower() for host in headers.get("host", [])]
        origins = {origin.lower() for origin in headers.get("origin", [])}
        # A link may lead here, with the token; what another page embeds has no Origin, but this.
        embedded = headers.get("sec-fetch-mode") != ["navigate"]
        foreign = embedded and not {*headers.get("sec-fetch-site", [])} <= {"same-origin", "none"}
        return (
            len(hosts) == 1 and hosts[0] in self.hosts and origins <= {f"http://{hosts[0]}"} and not foreign
        )

    def _knows(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())

    def _cookie_of(self, headers: dict[str, list[str]]) -> str:
        # By hand: http.cookies gives up at the first odd cookie, which another program on this host may have set.
        pairs = (pair.strip().partition("=") for pair in ";".join(headers.get("cookie", ())).split(";"))
        return next((value for name, _, value in pairs if name == self.cookie), "")


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(REFUSAL)).encode()),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": REFUSAL})
