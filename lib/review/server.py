"""Starts the review of a folder that find_labels.py left: checks it, and serves the page on 127.0.0.1."""

import contextlib
import getpass
import importlib
import os
import re
import secrets
import socket
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from lib.review.crops import Crops
from lib.review.decisions import REVIEWER
from lib.review.found import read_found
from lib.review.guard import App, Guard
from lib.review.session import Session
from lib.utils.errors import InputError

HOST = "127.0.0.1"
PORTS = range(65536)
NEEDED = ("starlette", "uvicorn")


@dataclass(frozen=True)
class ReviewOptions:
    """How a folder is reviewed.

    reviewer: whose decisions they are.
    images: folder of the images; None: where they were.
    port: of the server; 0: a free one.
    shows_all: whether labels that were reviewed are shown, too.
    """

    reviewer: str
    images: Path | None = None
    port: int = 0
    shows_all: bool = False


@dataclass(frozen=True)
class ReviewServer:
    """A server that listens, and answers as soon as `run` is called.

    session: what is reviewed.
    address: of the page, with the token.
    app: what answers.
    listener: the socket.
    """

    session: Session
    address: str
    app: App
    listener: socket.socket

    def run(self, opens_browser: bool = True) -> None:
        """Serve until interrupted; ``opens_browser``: show the page in the browser first."""
        uvicorn = importlib.import_module("uvicorn")
        if opens_browser:  # the socket listens already: the browser waits. A text browser does not return.
            threading.Thread(target=webbrowser.open, args=[self.address], daemon=True).start()
        config = uvicorn.Config(
            self.app, log_level="warning", access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        with contextlib.suppress(KeyboardInterrupt), self.listener:
            uvicorn.Server(config).run(sockets=[self.listener])


def prepare(folder: Path, options: ReviewOptions) -> ReviewServer:
    """Read what was found in a folder and what was decided about it, and listen.

    Raises:
        InputError: a package is missing, the folder or the annotation file is not what it was, the images are not
            there, decisions are about other labels, or the port is taken.
    """
    review_app = _framework()
    session, crops = open_folder(folder, options)
    listener = listen(options.port)
    port, token = listener.getsockname()[1], secrets.token_urlsafe(24)
    app = Guard(review_app(session, crops, options.shows_all), token, port)
    return ReviewServer(session, f"http://{HOST}:{port}/?token={token}", app, listener)


def open_folder(folder: str | Path, options: ReviewOptions) -> tuple[Session, Crops]:
    """Read what was found in a folder and what was decided about it; see `prepare` for the errors."""
    folder = Path(folder)
    file, labels = read_found(folder)
    file.check_unchanged()
    if not len(labels):
        raise InputError(f"{folder}: there are no labels to review")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: cannot be written to; decisions are kept there")
    session = Session(folder, file, labels, options.reviewer)
    crops = Crops(session.table, options.images or Path(file.images))
    crops.check(folder)
    return session, crops


def listen(port: int) -> socket.socket:
    """A socket that listens at ``port`` of this machine alone; 0: at a free one. Raises InputError."""
    if port not in PORTS:
        raise InputError(f"--port is {port}, expected {PORTS[0]} to {PORTS[-1]}")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(64)
    except OSError as problem:
        listener.close()
        raise InputError(
            f"port {port} of {HOST} cannot be used ({problem.strerror}); choose another with --port, or leave it out"
        ) from None
    return listener


def default_reviewer() -> str:
    """The name of this machine's user, as far as it can be a reviewer's."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container may run as a user who has no name
        name = ""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-")[:40]
    return name if REVIEWER.fullmatch(name) else "reviewer"


def _framework():
    """`review_app`, if what it needs is installed."""
    try:
        for name in NEEDED:
            importlib.import_module(name)
        return importlib.import_module("lib.review.app").review_app
    except ImportError as problem:
        raise InputError(
            f"reviewing needs {' and '.join(NEEDED)}, found {problem}; install them with: "
            f"pip install {' '.join(NEEDED)}"
        ) from None
