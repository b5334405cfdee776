"""The attack list: no page, API or stream without its right, and no way round the sign-in."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from monitor.desk.ask import local_path
from monitor.desk.guard import COOKIE
from monitor.desk.people import RIGHTS, is_loopback, is_trusted
from monitor.desk.routes import ADDRESSES, OPEN
from monitor.errors import WirewatchError
from tests.desk.world import DeskWorld, settings
from tests.support.waiting import until
from workers.desk import Desk
from workers.runtime import Runtime

GUARDED = [address for address in ADDRESSES if address.right != OPEN]
EXAMPLES = {"event": "e0", "topic": "energy", "alert": "a0", "story": "s0", "silence": "q1"}


def url(path: str) -> str:
    """A path with its parts filled in."""
    for name, value in EXAMPLES.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path
    return path


@pytest.mark.parametrize("address", GUARDED, ids=lambda a: f"{a.method} {a.path}")
async def test_nobody_gets_nothing(world: DeskWorld, address: Any) -> None:
    """Without a sign-in every address answers 401 and shows nothing of the news."""
    for cookies in (None, {COOKIE: "guessed"}):
        async with world.browser(cookies) as stranger:
            answer = await stranger.request(address.method, url(address.path))
        assert answer.status_code == 401
        assert "Odesa" not in answer.text and "Geneva" not in answer.text


@pytest.mark.parametrize(
    "address", [a for a in GUARDED if a.right != "read"], ids=lambda a: f"{a.method} {a.path}"
)
async def test_a_reader_changes_nothing(world: DeskWorld, address: Any) -> None:
    """Whatever needs more than reading is refused to a reader, by name of the right."""
    async with await world.someone("Rita", role="reader") as rita:
        answer = await rita.request(address.method, url(address.path))
    assert answer.status_code == 403 and address.right in answer.text


def test_every_change_needs_a_right_of_its_own() -> None:
    """No address that changes something is open to readers, but signing out."""
    loose = [a.path for a in ADDRESSES if a.method != "GET" and a.right in ("", "read")]
    assert loose == ["/mcp", "/sign-out"]  # the first only answers questions
    assert {a.right for a in GUARDED} <= set(RIGHTS)


async def test_a_one_time_address_opens_once(world: DeskWorld) -> None:
    """The first use gives a cookie that scripts cannot read; the second gives nothing."""
    code = await world.desk.sign_in.make_link("Anna")
    async with world.browser() as anna:
        answer = await anna.get("/sign-in/link", params={"code": code})
        assert answer.status_code == 303 and answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=lax" in cookie
        assert (await anna.get("/")).status_code == 200
        await anna.post("/sign-out")
        anna.cookies.clear()
        answer = await anna.get("/sign-in/link", params={"code": code})
    assert answer.status_code == 401 and "used before" in answer.text


async def test_signing_out_ends_the_session_itself(world: DeskWorld) -> None:
    """A cookie that was copied before is worth nothing afterwards."""
    session = await world.session()
    async with world.browser({COOKIE: session}) as anna:
        await anna.post("/sign-out")
    async with world.browser({COOKIE: session}) as thief:
        assert (await thief.get("/")).status_code == 401


FORGED: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://desk.test.evil.example"},
    {},
]


@pytest.mark.parametrize("headers", FORGED, ids=str)
async def test_another_sites_form_does_nothing(world: DeskWorld, headers: dict[str, str]) -> None:
    """A request that another site's page makes with our cookie is refused."""
    cookies = {COOKIE: await world.session()}
    async with world.browser(cookies, headers) as victim:
        answer = await victim.post("/events/e0/claim")
    assert answer.status_code == 403
    assert await world.desk.history.claims(["e0"], 0.0) == {}


async def test_our_own_form_is_known_by_its_origin(world: DeskWorld) -> None:
    """Where a browser sends no Sec-Fetch-Site (plain http), Origin against Host does."""
    cookies = {COOKIE: await world.session()}
    async with world.browser(cookies, {"origin": "http://desk.test"}) as anna:
        assert (await anna.post("/events/e0/claim")).status_code == 303


async def test_a_proxys_header_counts_from_the_proxy_alone(world: DeskWorld) -> None:
    """From a trusted address it names the person and the role; from elsewhere it opens nothing."""
    world.config = settings(
        world.keys, user_header="X-Forwarded-User", trusted_proxies=["10.0.0.0/8"],
        editors=["anna"],
    )  # fmt: skip
    named = {"x-forwarded-user": "anna", "sec-fetch-site": "same-origin"}
    async with world.browser(headers=named, peer="10.1.2.3") as anna:
        assert "anna" in (await anna.get("/")).text
        assert (await anna.post("/events/e0/claim")).status_code == 303
    async with world.browser(headers={**named, "x-forwarded-user": "rita"}, peer="10.1.2.3") as r:
        assert (await r.post("/events/e0/claim")).status_code == 403
    cookies = {COOKIE: await world.session()}
    for peer in ("192.0.2.7", "127.0.0.1", "::1"):
        async with world.browser(cookies, named, peer=peer) as forger:
            assert (await forger.get("/")).status_code == 401
    twice = [("x-forwarded-user", "rita"), ("x-forwarded-user", "anna")]
    transport = httpx.ASGITransport(world.app, client=("10.1.2.3", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as smuggler:
        assert (await smuggler.get("/", headers=twice)).status_code == 401


async def test_tokens_carry_their_scopes_and_nothing_else(world: DeskWorld) -> None:
    """Only a hash is stored; a token does what it was made for; removed, it does nothing."""
    store = world.desk.sign_in
    token = await store.add_token("wire bot", ("read",), "Anna", world.clock.now())
    held = b" ".join(
        part for row in (await world.store.hgetall(world.keys("desk", "tokens"))).items()
        for part in row
    )  # fmt: skip
    assert token.encode() not in held and token.removeprefix("ww_").encode() not in held
    headers = {"authorization": f"Bearer {token}"}
    async with world.browser(headers=headers) as bot:
        assert (await bot.get("/history.jsonl")).status_code == 200
        assert (await bot.post("/events/e0/claim")).status_code == 403
        await store.remove_token("wire bot")
        assert (await bot.get("/history.jsonl")).status_code == 401
    with pytest.raises(ValueError, match="scopes among"):
        await store.add_token("x", ("everything",), "Anna", 0.0)


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:x",
     "/\r\nSet-Cookie: a=b", "/ok\u2028"],
)  # fmt: skip
async def test_no_redirect_leads_elsewhere(world: DeskWorld, target: str) -> None:
    """The page to go back to is a path of this desk, whatever the form says."""
    assert local_path(target, "/safe") == "/safe"
    async with await world.someone() as anna:
        answer = await anna.post("/events/e0/claim", data={"back": target})
    assert answer.headers["location"].startswith("/events/e0")
    assert "set-cookie" not in answer.headers


async def test_no_secret_is_logged(world: DeskWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither codes, cookies nor tokens of refused and failed requests come into the log."""
    code, session = await world.desk.sign_in.make_link("Anna"), await world.session()
    token = await world.desk.sign_in.add_token("bot", ("read",), "Anna", 0.0)
    async with world.browser({COOKIE: session}, {"authorization": f"Bearer {token}"}) as bot:
        await bot.get("/sign-in/link", params={"code": code})
        await bot.get("/sign-in/link", params={"code": code})
        await bot.post("/events/e0/claim")
    async with world.browser({COOKIE: session}, {"sec-fetch-site": "cross-site"}) as forged:
        await forged.post("/sign-out")
    said = "".join(capsys.readouterr())
    for secret in (code, session, token):
        assert secret not in said


async def test_a_long_form_is_refused_and_a_strange_one_is_no_fault(world: DeskWorld) -> None:
    """Size and number of fields are bounded; garbage is a plain 400, never a fault of ours."""
    async with await world.someone() as anna:
        big = await anna.post("/silences", data={"m": "x" * 200_000})
        many = await anna.post("/silences", data={f"f{n}": "1" for n in range(200)})
        odd = await anna.post("/silences", content=b"\xff\xfe%zz&=&&", headers={
            "content-type": "application/x-www-form-urlencoded"})  # fmt: skip
        query = await anna.get("/?" + "&".join(f"a{n}=1" for n in range(200)))
    assert [answer.status_code for answer in (big, many, odd, query)] == [400, 400, 400, 400]


async def test_a_public_address_needs_someone_who_asks(world: DeskWorld) -> None:
    """On 0.0.0.0 the desk opens only with a proxy, a token, or a port published on loopback."""
    world.config = settings(world.keys, host="0.0.0.0", port=0)
    runtime = Runtime(world.config, world.store, world.url, clock=world.clock)
    with pytest.raises(WirewatchError, match="will not listen"):
        await Desk(runtime).run()
    await world.desk.sign_in.add_token("bot", ("read",), "Anna", 0.0)
    desk = Desk(runtime)
    running = asyncio.create_task(desk.run())
    await desk.started.wait()
    runtime.stopping.set()
    await running


async def test_the_desk_prints_a_one_time_address_that_opens(world: DeskWorld) -> None:
    """`wirewatch run` says where the desk is; the address signs in, over real HTTP."""
    said: list[str] = []
    runtime = Runtime(world.config, world.store, world.url, clock=world.clock)
    desk = Desk(runtime, said.append)
    running = asyncio.create_task(desk.run())
    await until(lambda: said)
    address = said[0].split()[-1]
    async with httpx.AsyncClient(follow_redirects=True) as anna:
        page = await anna.get(address)
    runtime.stopping.set()
    await running
    assert page.status_code == 200 and "Odesa" in page.text
    assert address.startswith("http://127.0.0.1:")


def test_addresses_are_read_as_networks() -> None:
    """Loopback, mapped and scoped addresses are what they are; names are trusted by nobody."""
    assert is_trusted("::ffff:10.0.0.1", ["10.0.0.0/8"]) and is_trusted("10.0.0.1", ["10.0.0.1"])
    assert not is_trusted("evil", ["10.0.0.0/8"]) and not is_trusted("10.0.0.1", [])
    assert is_loopback("127.0.0.1") and is_loopback("[::1]") and is_loopback("localhost")
    assert not is_loopback("0.0.0.0") and not is_loopback("::") and not is_loopback("desk.example")


async def test_the_stream_resumes_where_a_page_was(world: DeskWorld) -> None:
    """Over real HTTP: ids only, and after a lost line nothing is missed or repeated."""
    from tests.desk.world import told

    cookies = {COOKIE: await world.session()}
    async with world.served() as address, httpx.AsyncClient(cookies=cookies) as anna:
        last = await world.live.last_id()
        await world.tell(told(50, "While the page was away", world.clock.now()))
        seen: list[str] = []
        headers = {"last-event-id": last}
        async with anna.stream("GET", f"{address}/live", headers=headers, timeout=20) as line:
            async for text in line.aiter_lines():
                if text.startswith("data:"):
                    seen.append(text)
                if len(seen) == 2:  # the alert and its receipt
                    await world.tell(told(51, "And while it was there", world.clock.now()))
                if len(seen) == 4:
                    break
    assert [("a50" in t, "a51" in t) for t in seen] == [(True, False)] * 2 + [(False, True)] * 2
    assert "While" not in "".join(seen)
