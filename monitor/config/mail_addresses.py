"""E-mail addresses as people write them: several in one line, with names, for `check` and sending.

RFC 5322 section 3.4, apart from groups and folding; a name with an unquoted comma, as Outlook
shows it ("Doe, Jane <jane@example.org>"), is one name.
"""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

from monitor.text import one_line

# A separator inside quotes or angle brackets belongs to the name.
_PARTS = re.compile(r'(?:"[^"]*"|<[^>]*>|[^,;|，、；\r\n"<])+')
_LABEL = r"[^\W_](?:[\w-]*[^\W_])?"
_SPEC = re.compile(
    rf'((?:[^@\s<>()\[\]:;,"\\]+|"[^"]+"))@({_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f.:]+\])'
)
_NAMED = re.compile(r"(.*?)\s*<\s*([^<>]+?)\s*>")
_BARE = re.compile(r"([^\s<>]+)(?:\s+\(([^()]*)\))?")


class MailAddress(NamedTuple):
    """One address: the name of whom it is ("" if none is said), the part before and after the @."""

    name: str
    box: str
    domain: str


def read_mail_address(text: str) -> MailAddress:
    """Read "Name <box@host>" or "box@host".

    Raises:
        ValueError: it is no address, or more than one.
    """
    line = one_line(text)
    if named := _NAMED.fullmatch(line):
        name, spec = named[1].strip("\"' "), named[2]
    elif bare := _BARE.fullmatch(line.strip("\"'")):
        name, spec = bare[2] or "", bare[1]
    else:
        name, spec = "", ""
    found = _SPEC.fullmatch(re.sub("^mailto:", "", spec, flags=re.IGNORECASE))
    if found is None:
        raise ValueError(f'"{line}" is not an e-mail address; write name@example.org')
    return MailAddress(name, found[1], found[2])


def split_addresses(value: object) -> object:
    """Split "A <a@x>, b@x; c@x" into its addresses, as people write them into one line."""
    lines = value if isinstance(value, list | tuple) else [value]
    found: list[object] = []
    for line in lines:
        if not isinstance(line, str):
            found.append(line)
            continue
        parts = [part.strip() for part in _PARTS.findall(line) if part.strip()]
        begun = ""
        for part in parts:
            whole = f"{begun}, {part}" if begun and "<" in part else part
            if begun and whole == part:
                found.append(begun)
            begun = whole if "@" not in part else ""
            if not begun:
                found.append(whole)
        found += [begun] if begun else [] if parts else [line]
    return found


Addresses = Annotated[
    tuple[str, ...], BeforeValidator(split_addresses, json_schema_input_type=str | list[str])
]
