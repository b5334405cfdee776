"""The desk as one ASGI application: who asks, what they may, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from monitor.desk.ask import (
    LARGEST_FILE,
    LARGEST_FORM,
    Ask,
    BadRequest,
    Missing,
    read_fields,
    read_parts,
)
from monitor.desk.guard import HEADERS, SAFE, is_forged, who_asks
from monitor.desk.pages import sign_in
from monitor.desk.people import Person
from monitor.desk.render import STATIC, page
from monitor.desk.routes import ADDRESSES, OPEN, Address
from monitor.desk.services import Services
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact

log = get_logger(__name__)

_NOBODY = Person("", frozenset(), "")
_FOR_PROGRAMS = ("/api/", "/live", "/mcp")


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """What an error page shows: what is wrong, and what to do."""

    message: str


def create_app(desk: Services, more: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the application.

    Args:
        desk: what the pages stand on.
        more: further routes that guard themselves (health, Slack's signed calls, hubs).
    """
    routes: list[BaseRoute] = [_route(desk, address) for address in ADDRESSES]
    routes.append(Mount("/static", _Static(directory=STATIC)))
    return Starlette(routes=[*routes, *more], exception_handlers={404: _nothing_here})


def _route(desk: Services, address: Address) -> Route:
    async def answer(request: Request) -> Response:
        response = await _answer(desk, address, request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    answer.__name__ = address.answer.__name__
    return Route(address.path, answer, methods=[address.method])


async def _answer(desk: Services, address: Address, request: Request) -> Response:
    """Judge who asks, then let the page answer; every fault is one plain sentence."""
    ask = Ask(request, _NOBODY, desk)
    try:
        ask.query = read_fields(request.url.query)
        person = await who_asks(request, desk.config().desk, desk.sign_in)
        if is_forged(request.method, request.headers, person):
            log.warning("forged_request_refused", path=request.url.path)
            return _refused(ask, "This request did not come from the desk's own page.", 403)
        if address.right != OPEN:
            if person is None:
                return _unknown(ask)
            ask.person = person
            if not person.may(address.right):
                return _refused(ask, f"{person.name} may not do this ({address.right}).", 403)
        elif person is not None:
            ask.person = person
        if request.method not in SAFE:
            await _read_form(ask)
        return await address.answer(ask)
    except BadRequest as error:
        return await _problem(ask, str(error), 400)
    except Missing as error:
        return await _problem(ask, str(error), 404)
    except (RedisError, OSError) as error:
        log.warning("store_unreachable", worker="desk", error=redact(str(error)))
        return PlainTextResponse("The store does not answer just now; try again in a moment.", 503)
    except Exception:
        log.exception("page_failed", path=request.url.path)
        return PlainTextResponse("This page could not be made; the log has the reason.", 500)


async def _read_form(ask: Ask) -> None:
    """Read what was sent: a form, a form with files, or JSON (as the field "")."""
    content_type = ask.request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    most = LARGEST_FILE if kind == "multipart/form-data" else LARGEST_FORM
    body = bytearray()
    async for part in ask.request.stream():
        body += part
        if len(body) > most:
            raise BadRequest(f"this is too large; {most:,} bytes are taken")
    if kind == "multipart/form-data":
        ask.form, ask.files = read_parts(content_type, bytes(body))
    elif kind == "application/json":
        ask.form = {"": body.decode("utf-8", "replace")}
    else:
        ask.form = read_fields(body.decode("utf-8", "replace"))


async def _problem(ask: Ask, message: str, status: int) -> Response:
    if ask.request.url.path.startswith(_FOR_PROGRAMS) or not ask.person.name:
        return JSONResponse({"error": message}, status)
    title = "Not found" if status == 404 else "Not possible"
    return await page(ask, "problem.html", title, "", ProblemPage(message), status)


def _refused(ask: Ask, message: str, status: int) -> Response:
    if ask.request.url.path.startswith(_FOR_PROGRAMS):
        return JSONResponse({"error": message}, status)
    return PlainTextResponse(message, status)


def _unknown(ask: Ask) -> Response:
    if ask.request.url.path.startswith(_FOR_PROGRAMS) or ask.request.method not in SAFE:
        answer: Response = JSONResponse({"error": "sign in, or send a token"}, 401)
    else:
        answer = sign_in.refuse(ask)
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def _nothing_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse("Nothing here.\n", 404, headers=HEADERS)


class _Static(StaticFiles):
    """Files that carry their hash in the address: kept by browsers for a year."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer
