"""One request as a page sees it, and the answers a page can give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from monitor.desk.people import Person
from monitor.desk.services import Services
from monitor.text import strip_invisible

LARGEST_FORM = 100_000  # bytes
LARGEST_FILE = 1_900_000
_LONGEST_FIELD = 20_000


class BadRequest(Exception):
    """What was asked cannot be read; the message says how to ask."""


class Missing(Exception):
    """There is no such thing; the message names it."""


@dataclass(slots=True)
class Ask:
    """A request with who asks. `query` and `form` hold the last value of each field, cleaned.

    `files` holds what was sent as files, as it came.
    """

    request: Request
    person: Person
    desk: Services
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """The present, Unix seconds."""
        return self.desk.clock.now()

    def path(self, name: str) -> str:
        """Return a part of the address."""
        return str(self.request.path_params[name])

    def back(self, done: str = "", default: str = "/") -> Response:
        """Send the browser back to the page the form was on, with a word of what was done."""
        target = local_path(self.form.get("back", ""), default)
        parts = urlsplit(target)
        query = [(k, v) for k, v in parse_qsl(parts.query) if k != "done"]
        query += [("done", done)] if done else []
        path = parts.path + (f"?{urlencode(query)}" if query else "")
        return RedirectResponse(path, 303)


Answer = Callable[[Ask], Awaitable[Response]]


def local_path(wanted: str, default: str = "/") -> str:
    """Return `wanted` if it is a path on this desk, else `default`: no redirect leads elsewhere."""
    fine = (
        wanted.startswith("/")
        and not wanted.startswith("//")
        and "\\" not in wanted
        and wanted.isprintable()
        and len(wanted) <= 2000
    )
    return wanted if fine else default


def read_fields(text: str) -> dict[str, str]:
    """Read a query or a form (application/x-www-form-urlencoded); unreadable parts are left out.

    Raises:
        BadRequest: there are too many fields, or one is too long.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise BadRequest("too many fields") from None
    if any(len(value) > _LONGEST_FIELD for _, value in pairs):
        raise BadRequest(f"a field is longer than {_LONGEST_FIELD} characters")
    return {name: _clean(value) for name, value in pairs}


def _clean(value: str) -> str:
    """Return a field without invisible characters, its lines ended as ours are (forms: CR LF)."""
    return strip_invisible(value.replace("\r\n", "\n"))


def read_parts(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """Read a form with files (multipart/form-data, RFC 7578); return its fields and its files.

    Raises:
        BadRequest: there are too many parts.
    """
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    parts = BytesParser(policy=HTTP).parsebytes(head + body)
    found = list(parts.iter_parts()) if parts.is_multipart() else []
    if len(found) > 20:
        raise BadRequest("too many fields")
    fields, files = dict[str, str](), dict[str, bytes]()
    for part in found:
        name = str(part.get_param("name", header="content-disposition") or "")
        content = part.get_payload(decode=True)
        value = content if isinstance(content, bytes) else b""
        if part.get_filename() is not None:
            files[name] = value
        else:
            fields[name] = _clean(value[:_LONGEST_FIELD].decode("utf-8", "replace"))
    return fields, files
