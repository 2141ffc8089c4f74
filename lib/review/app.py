"""The application that answers the page's requests. Needs Starlette; `lib.review.server` says so if it is missing."""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from math import isfinite
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from lib.review.crops import ZOOMS, Crops
from lib.review.details import details, overview
from lib.review.session import Session
from lib.review.table import ORDERS, REVIEWED, Filter
from lib.utils.errors import InputError, short_repr

PAGE = Path(__file__).with_name("page")
ROWS = 100  # whose details are given at once
SIZES = range(64, 1601)  # pixels of a crop's side
MORE = {"x", "y", "partner"}  # of a decision, beside row and verdict
UNCHANGED = "private, max-age=3600"  # a crop stays what it is as long as the server runs
NO_STORE = {"cache-control": "no-store"}


class NoSuchRow(Exception):
    """A request names a row that the table does not have."""


def review_app(session: Session, crops: Crops, shows_all: bool = False) -> Starlette:
    """The page and what it asks for.

    Args:
        session: what is reviewed.
        crops: draws the labels' surroundings.
        shows_all: see `overview`.
    """

    def start(request: Request) -> Response:
        return _json(overview(session, shows_all))

    def rows(request: Request) -> Response:
        """Rows that a filter selects, as int32 in little-endian order: 100,000 of them are 400 kB."""
        session.take_in_others()
        found = session.table.matching(_filter(request.query_params), session.reviewed)
        return Response(
            found.astype("<i4").tobytes(), media_type="application/octet-stream", headers=NO_STORE
        )

    def label(request: Request) -> Response:
        chosen = request.query_params.get("rows", "").split(",")[:ROWS]
        zoom = _whole(request.query_params.get("zoom", "0"), ZOOMS, "zoom")
        return _json([details(session, _row(text), zoom) for text in chosen])

    def progress(request: Request) -> Response:
        row = request.query_params.get("row")
        return _json(asdict(session.progress(None if row is None else _row(row))))

    def crop(request: Request) -> Response:
        zoom = _whole(request.query_params.get("zoom", "0"), ZOOMS, "zoom")
        size = _whole(request.query_params.get("size", "900"), SIZES, "size")
        picture = crops.draw(_row(request.path_params["row"]), zoom, size)
        return Response(picture, media_type="image/jpeg", headers={"cache-control": UNCHANGED})

    async def decide(request: Request) -> Response:
        content = await _content(request)
        if not isinstance(content, dict) or not {"row", "verdict"} <= set(content) <= {
            "row",
            "verdict",
            *MORE,
        }:
            raise InputError("expected a JSON object with row, verdict, and perhaps x, y, partner")
        row, more = _row(content["row"]), {name: content[name] for name in MORE & set(content)}
        await run_in_threadpool(session.decide, row, content["verdict"], **more)
        others = await run_in_threadpool(session.take_in_others)
        return _json({"row": row, "reviewed": session.reviewed_with(row), "others": others})

    async def undo(request: Request) -> Response:
        await _content(request)
        row = await run_in_threadpool(session.undo)
        return _json({"row": row, "reviewed": {} if row is None else session.reviewed_with(row)})

    def _row(given: Any) -> int:
        row = int(given) if isinstance(given, str) and given.isdecimal() and len(given) < 10 else given
        if type(row) is not int or not 0 <= row < len(session.table):
            raise NoSuchRow(f"row {short_repr(given)}: labels.csv has {len(session.table)} labels")
        return row

    return Starlette(
        routes=[
            Route("/", lambda request: FileResponse(PAGE / "index.html", headers=NO_STORE)),
            Route("/api/start", start),
            Route("/api/rows", rows),
            Route("/api/labels", label),
            Route("/api/progress", progress),
            Route("/crop/{row}", crop),
            Route("/api/decide", decide, methods=["POST"]),
            Route("/api/undo", undo, methods=["POST"]),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        exception_handlers={InputError: _failure(400), NoSuchRow: _failure(404), OSError: _failure(500)},
    )


def _json(content: Any) -> JSONResponse:
    return JSONResponse(content, headers=NO_STORE)


def _failure(status: int) -> Callable[[Request, Exception], Response]:
    """Answers an exception with its message."""

    def answer(request: Request, problem: Exception) -> Response:
        return JSONResponse({"error": str(problem)}, status, headers=NO_STORE)

    return answer


async def _content(request: Request) -> Any:
    """The JSON of a request. Its type cannot be sent by a form of another page."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise InputError("content-type must be application/json")
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InputError("the request is no JSON") from None


def _filter(given: Any) -> Filter:
    """The filter in a query. Raises InputError."""
    known = {field.name for field in fields(Filter)}
    if unknown := set(given) - known:
        raise InputError(f"filter {short_repr(min(unknown))}, expected some of {', '.join(sorted(known))}")
    values: dict[str, Any] = {name: given[name] for name in given if given[name] != ""}
    for name in {"low", "high"} & set(values):
        values[name] = _score(values[name], name)
    for name, allowed in (("reviewed", REVIEWED), ("order", ORDERS)):
        if values.get(name, allowed[0]) not in allowed:
            expected = ", ".join(filter(None, allowed))
            raise InputError(f"{name} is {short_repr(values[name])}, expected one of {expected}")
    return Filter(**values)


def _score(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise InputError(f"{name} is {short_repr(text)}, expected a score")
    return value


def _whole(text: str, allowed: range, name: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = allowed.start - 1
    if value not in allowed:
        raise InputError(f"{name} is {short_repr(text)}, expected {allowed[0]} to {allowed[-1]}")
    return value
