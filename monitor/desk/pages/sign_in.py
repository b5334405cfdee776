"""`/sign-in`: by a one-time address; and signing out."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import HTMLResponse, RedirectResponse, Response

from monitor.desk.ask import Ask
from monitor.desk.guard import COOKIE
from monitor.desk.render import Frame, render
from monitor.desk.sign_in_store import SESSION_SECONDS


@dataclass(frozen=True, slots=True)
class SignInPage:
    """What the page shows: `problem` is why the last try failed ("" for none), `by_proxy` whether
    people are signed in by a reverse proxy."""

    problem: str
    by_proxy: bool


def refuse(ask: Ask, problem: str = "", status: int = 401) -> Response:
    """Show how one signs in."""
    frame = Frame("Sign in", "/sign-in", "/sign-in", None, "", "0-0", ask.now)
    context = SignInPage(problem, bool(ask.desk.config().desk.user_header))
    return HTMLResponse(render("sign_in.html", frame, context), status)


async def use_link(ask: Ask) -> Response:
    """Trade the code of a one-time address for a session, and leave the code behind."""
    session = await ask.desk.sign_in.use_link(ask.query.get("code", "")[:200])
    if session is None:
        return refuse(ask, "This address was used before, or has run out.")
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=ask.request.url.scheme == "https",
    )
    return answer


async def sign_out(ask: Ask) -> Response:
    """End this session."""
    await ask.desk.sign_in.end_session(ask.request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE)
    return answer


async def show(ask: Ask) -> Response:
    """Show how one signs in."""
    return refuse(ask, status=200)
