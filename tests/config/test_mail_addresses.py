"""E-mail addresses: whatever people put into one line, everybody in it gets the mail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.field_checks import check_channel
from monitor.config.schema import EmailChannel
from monitor.delivery.channels.email_message import address

A, B = "a@x.example", "b@y.example"


def channel(to: object) -> EmailChannel:
    """Return a channel that writes to these."""
    return EmailChannel.model_validate({"type": "email", "host": "h", "from": A, "to": to})


@pytest.mark.parametrize(
    "to",
    [
        f"{A}, {B}", f"{A}; {B}", f"{A},{B},", f"{A},, ;{B}", f"{A}\n{B}\n", f"{A}, {B}",
        f"{A}、{B}", f"{A}；{B}", f"{A}|{B}", f"<{A}>;<{B}>", f"Ann <{A}>, Bo <{B}>",
        f'"Ann, News" <{A}>; {B}', f"Doe, Ann <{A}>; Bo <{B}>", f"Группа <{A}>; {B}",
        f"mailto:{A}, MAILTO:{B}", f"'{A}', \"{B}\"", f"{A} (desk), {B} (night)", [f"{A}; {B}"],
        [A, B], f"< {A} >, {B}",
    ],
)  # fmt: skip
def test_everybody_in_the_line_gets_the_mail(to: object) -> None:
    """Only the first of several used to get mail, or a name cut at its comma was refused."""
    settings = channel(to)
    assert [address(one).addr_spec for one in settings.to] == [A, B]
    assert list(check_channel(settings)) == []


@pytest.mark.parametrize(
    "to",
    [
        "a@x..example", "a@x.example.", "a@ x.example", "a b@x.example", "a@@x.example",
        "@x.example", "a@", "Desk", "Desk: a@x.example", f"{A} {B}", f"{A} and {B}", f"{A}/{B} x",
        "a@x.example>",
        "a@[x", "a@-x.example", "undisclosed-recipients:;",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_check_and_by_the_channel(to: str) -> None:
    """`check` reads addresses as sending does, so that nothing it passes fails later."""
    settings = channel(to)
    assert any("not an e-mail address" in problem.message for problem in check_channel(settings))
    with pytest.raises(ValueError, match="not an e-mail address"):
        for one in settings.to:
            address(one)


@pytest.mark.parametrize(
    ("to", "spec"),
    [
        ("a@münchen.example", "a@xn--mnchen-3ya.example"),
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("o'brien+desk@x.example", "o'brien+desk@x.example"),
        ("a@localhost", "a@localhost"),
        ("ä@x.example", "ä@x.example"),
        ("a@[127.0.0.1]", "a@[127.0.0.1]"),
    ],
)
def test_odd_addresses_that_are_right_are_taken(to: str, spec: str) -> None:
    """International hosts by IDNA 2008, apostrophes, local hosts and literals."""
    settings = channel(to)
    assert list(check_channel(settings)) == []
    assert [address(one).addr_spec for one in settings.to] == [spec]


@given(st.text("ab@x.,;<>\"' \n()：، é", max_size=30))
def test_no_line_is_a_traceback(line: str) -> None:
    """Whatever is written: what `check` passes can be sent to, and the rest is named."""
    settings = channel(line)
    wrong = [problem for problem in check_channel(settings) if problem.loc[0] == "to"]
    for number, one in enumerate(settings.to):
        if any(problem.loc == ("to", number) for problem in wrong):
            continue
        assert "@" in address(one).addr_spec
