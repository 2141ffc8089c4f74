"""A review of the folder of `make_found`, served in this process, and a client that speaks plain HTTP."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from lib.review.server import ReviewOptions, ReviewServer, prepare
from tests.factories.found_labels import FoundFolder, make_found

ANN = ReviewOptions(reviewer="ann")


def make_reviewable(folder: Path) -> FoundFolder:
    """`make_found` with its image: 100 x 80 pixels, red grows with x and green with y."""
    found = make_found(folder)
    pixels = np.zeros((80, 100, 3), np.uint8)
    pixels[..., 2] = 2 * np.arange(100)
    pixels[..., 1] = 3 * np.arange(80)[:, None]
    path = folder / "images" / "a" / "5.jpg"
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])
    return found


@dataclass
class Client:
    """Sends requests to a server as the page does, and knows the token.

    server: prepared.
    headers: sent with every request.
    """

    server: ReviewServer
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return urlsplit(self.server.address).port

    @property
    def token(self) -> str:
        return urlsplit(self.server.address).query.removeprefix("token=")

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, Any]:
        """(status, body, headers) of the answer; ``headers``: with _ for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, self.headers | given)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, bytes, Any]:
        return self.request("GET", path, **headers)

    def read(self, path: str) -> Any:
        """The JSON that a path answers with."""
        status, body, _ = self.get(path)
        assert status == 200, body
        return json.loads(body)

    def rows(self, query: str = "") -> list[int]:
        """The rows that a filter selects."""
        status, body, _ = self.get(f"/api/rows?{query}")
        assert status == 200, body
        return np.frombuffer(body, "<i4").tolist()

    def post(self, path: str, content: Any) -> tuple[int, Any]:
        """(status, JSON) of the answer."""
        status, body, _ = self.request("POST", path, json.dumps(content), content_type="application/json")
        return status, json.loads(body)


@contextmanager
def serving(folder: Path, options: ReviewOptions = ANN) -> Iterator[Client]:
    """A client of a server that runs in a thread, and is authorized by the cookie that a browser would have."""
    import uvicorn

    server = prepare(folder, options)
    running = uvicorn.Server(uvicorn.Config(server.app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=running.run, args=[[server.listener]], daemon=True)
    thread.start()
    client = Client(server)
    client.headers["Cookie"] = f"lbi-review-{client.port}={client.token}"
    try:
        yield client
    finally:
        running.should_exit = True
        thread.join(20)
        server.listener.close()
