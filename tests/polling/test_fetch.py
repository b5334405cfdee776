"""Fetching against a real server: manners towards publishers, limits towards attackers."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from feedlab import FeedRequest, Publisher

from monitor.clock import ManualClock
from monitor.config.schema import PollingSettings
from monitor.errors import FetchError
from monitor.identity import digest
from monitor.net.fetcher import Fetcher
from monitor.reasons import FetchReason
from tests.support.waiting import takes


async def reason_of(fetcher: Fetcher, url: str) -> FetchReason:
    """Return the reason for which a fetch fails."""
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(url)
    return caught.value.reason


async def test_who_we_are_and_what_we_ask(publisher: Publisher, fetcher: Fetcher) -> None:
    """Publishers see a User-Agent with a contact and deltas asked for; no cookie, no Referer."""
    publisher.serve("/feed", "hello", Set_Cookie="id=1")
    await fetcher.fetch(publisher.url())
    await fetcher.fetch(publisher.url())
    headers = publisher.asked[1].headers
    assert headers["user-agent"].startswith("Wirewatch/")
    assert "(+https://desk.example/wirewatch)" in headers["user-agent"]
    assert headers["a-im"] == "feed"
    assert headers["accept-encoding"] == "gzip"
    assert not {"cookie", "referer", "cache-control", "pragma"} & set(headers)


async def test_validators_go_back_byte_for_byte(publisher: Publisher, fetcher: Fetcher) -> None:
    """Odd ETags (weak, unquoted) and dates are returned exactly as they came."""
    publisher.serve("/feed", "", status="304 Not Modified")
    answer = await fetcher.fetch(
        publisher.url(), etag='W/"a b"x', last_modified="yesterday, about noon"
    )
    assert publisher.asked[0].headers["if-none-match"] == 'W/"a b"x'
    assert publisher.asked[0].headers["if-modified-since"] == "yesterday, about noon"
    assert answer.status == 304
    assert answer.conditional


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_validators_beyond_ascii_go_back_as_they_came(
    publisher: Publisher, fetcher: Fetcher, encoding: str
) -> None:
    """Also what no header should hold is returned byte for byte."""
    etag, date = '"grüße"'.encode(encoding), "Do, 1. März".encode(encoding)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: %s\r\nLast-Modified: %s\r\n\r\n"
    publisher.pages["/feed"] = head % (etag, date)
    first = await fetcher.fetch(publisher.url())
    await fetcher.fetch(
        publisher.url(), etag=first.headers["etag"], last_modified=first.headers["last-modified"]
    )
    headers = publisher.asked[1].headers
    assert headers["if-none-match"].encode("latin-1") == etag
    assert headers["if-modified-since"].encode("latin-1") == date


async def test_no_validator_can_break_a_feed(publisher: Publisher, fetcher: Fetcher) -> None:
    """One that no header can hold matches nothing; the feed is fetched whole."""
    publisher.serve("/feed", "hello")
    assert (await fetcher.fetch(publisher.url(), etag='"☃"')).body == b"hello"


async def test_our_own_headers_may_be_in_any_script(
    publisher: Publisher, settings: PollingSettings
) -> None:
    """A feed's headers, and the contact, are sent as UTF-8."""
    publisher.serve("/feed", "hello")
    changes = {"contact": "https://zeitung.example/büro"}
    fetcher = Fetcher(settings.model_copy(update=changes), ManualClock())
    await fetcher.fetch(publisher.url(), headers={"X-Desk": "Київ"})
    headers = publisher.asked[0].headers
    assert headers["x-desk"].encode("latin-1").decode() == "Київ"
    assert "büro" in headers["user-agent"].encode("latin-1").decode()
    await fetcher.aclose()


async def test_validators_belong_to_the_address_that_gave_them(
    publisher: Publisher, fetcher: Fetcher
) -> None:
    """Across a redirect they are sent to the final address alone, where they came from."""
    publisher.serve("/feed", "", status="302 Found", Location="/real")
    publisher.serve("/real", "x")
    await fetcher.fetch(publisher.url(), etag='"e"', validated_key=digest(publisher.url("/real")))
    assert "if-none-match" not in publisher.asked[0].headers
    assert publisher.asked[1].headers["if-none-match"] == '"e"'


@pytest.mark.parametrize(
    ("statuses", "moved"), [(("301", "308"), True), (("301", "302"), False), (("307",), False)]
)
async def test_only_wholly_permanent_redirects_count_as_a_move(
    publisher: Publisher, fetcher: Fetcher, statuses: tuple[str, ...], moved: bool
) -> None:
    """One temporary hop makes the whole chain temporary."""
    for at, status in enumerate(statuses):
        publisher.serve(f"/{at}", "", status=f"{status} X", Location=f"/{at + 1}")
    publisher.serve(f"/{len(statuses)}", "here")
    answer = await fetcher.fetch(publisher.url("/0"))
    assert answer.body == b"here"
    assert answer.moved == (publisher.url(f"/{len(statuses)}") if moved else "")


async def test_endless_redirects_end(publisher: Publisher, fetcher: Fetcher) -> None:
    """A loop is given up after the setting's number of hops, and named."""
    publisher.serve("/feed", "", status="301 Moved", Location="/feed")
    assert await reason_of(fetcher, publisher.url()) == FetchReason.TOO_MANY_REDIRECTS
    assert len(publisher.asked) == 6


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/", "http://[::1]:{port}/", "file:///etc/passwd"]
)
async def test_every_hop_is_judged(publisher: Publisher, fetcher: Fetcher, target: str) -> None:
    """A public feed cannot send us to an internal machine or another scheme."""
    location = target.format(port=publisher.port)
    publisher.serve("/feed", "", status="302 Found", Location=location)
    reason = await reason_of(fetcher, publisher.url())
    assert reason in (FetchReason.BLOCKED_ADDRESS, FetchReason.BLOCKED_URL)


async def test_credentials_stay_with_their_host(publisher: Publisher, fetcher: Fetcher) -> None:
    """Userinfo becomes Basic; neither it nor private headers follow a redirect elsewhere."""
    publisher.serve("/feed", "", status="302 Found", Location=publisher.url("/x", "127.0.0.2"))
    publisher.serve("/x", "ok")
    url = publisher.url().replace("http://", "http://desk:hunter2@")
    await fetcher.fetch(url, headers={"X-Key": "s3cret"})
    first, second = publisher.asked
    assert first.headers["authorization"] == "Basic ZGVzazpodW50ZXIy"
    assert first.headers["x-key"] == "s3cret"
    assert "authorization" not in second.headers
    assert "x-key" not in second.headers


async def test_credentials_never_show_in_errors(fetcher: Fetcher) -> None:
    """A failing fetch says which host, never with which password."""
    for url in ("http://desk:hunter2@127.0.0.1:1/", "http://desk:hunter2@[::", "ftp://a:hunter2@x"):
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(url)
        assert "hunter2" not in str(caught.value)


async def test_a_trickle_meets_the_total_deadline(
    publisher: Publisher, settings: PollingSettings
) -> None:
    """A server that sends a byte now and then, for ever, is cut off as a whole."""
    gone = asyncio.Event()

    async def trickle(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await takes(0.01)
        except OSError:
            gone.set()

    publisher.pages["/feed"] = trickle
    fetcher = Fetcher(settings.model_copy(update={"timeout": 0.2}), ManualClock())
    assert await reason_of(fetcher, publisher.url()) == FetchReason.TIMEOUT
    await asyncio.wait_for(gone.wait(), 5)
    await fetcher.aclose()


async def test_endless_headers_meet_a_limit(publisher: Publisher, fetcher: Fetcher) -> None:
    """Headers without end are not HTTP worth reading."""

    async def headers(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for at in range(100_000):
            writer.write(b"X-%d: %s\r\n" % (at, b"y" * 100))
            await writer.drain()

    publisher.pages["/feed"] = headers
    assert await reason_of(fetcher, publisher.url()) == FetchReason.PROTOCOL_ERROR


def bomb(size: int, layers: int = 1) -> bytes:
    """Return `size` zero bytes, gzipped."""
    data = bytes(size)
    for _ in range(layers):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize("name", ["announced", "unannounced", "chunked"])
async def test_large_bodies_are_cut(publisher: Publisher, fetcher: Fetcher, name: str) -> None:
    """More bytes on the wire than allowed are refused, announced or not."""
    size = 9_000_000
    if name == "announced":
        publisher.pages["/feed"] = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    elif name == "unannounced":
        publisher.pages["/feed"] = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(size)
    else:
        chunk = b"%x\r\n" % 65536 + bytes(65536) + b"\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        publisher.pages["/feed"] = head + chunk * (size // 65536 + 1)
    assert await reason_of(fetcher, publisher.url()) == FetchReason.TOO_LARGE


async def test_a_gzip_bomb_is_inflated_no_further_than_the_cap(
    publisher: Publisher, fetcher: Fetcher
) -> None:
    """Two hundred megabytes in two hundred kilobytes cost the cap, no more."""
    publisher.serve("/feed", bomb(200_000_000), Content_Encoding="gzip")
    assert await reason_of(fetcher, publisher.url()) == FetchReason.TOO_LARGE


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip", "gzip, br", "x-unheard-of"])
async def test_only_the_encoding_we_asked_for(
    publisher: Publisher, fetcher: Fetcher, encoding: str
) -> None:
    """Encodings that were not offered are refused unread: an 809-byte brotli body can hold 1 GB."""
    publisher.serve("/feed", zlib.compress(b"x"), Content_Encoding=encoding)
    assert await reason_of(fetcher, publisher.url()) == FetchReason.BAD_ENCODING


@pytest.mark.parametrize(
    "encoding", ["aws-chunked", "utf-8", "none", "gzip", "br", "gzip, gzip", "x-unheard-of"]
)
async def test_an_encoding_that_is_none_is_passed_over(
    publisher: Publisher, fetcher: Fetcher, encoding: str
) -> None:
    """A plain document is read whatever encoding its server announces, as curl reads it."""
    publisher.serve("/feed", b"\n <rss/>", Content_Encoding=encoding)
    answer = await fetcher.fetch(publisher.url())
    assert answer.body == b"\n <rss/>"
    assert answer.notes == (f"Content-Encoding {encoding!r} is none, and passed over",)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip, gzip", gzip.compress(b"<rss/>", mtime=0)),
        ("identity", gzip.compress(b"<rss/>", mtime=0)),
        ("deflate", zlib.compress(b"<rss/>")),
        ("deflate", zlib.compress(b"<rss/>")[2:-4]),
    ],
)
async def test_compression_is_undone_by_what_the_bytes_are(
    publisher: Publisher, fetcher: Fetcher, encoding: str, body: bytes
) -> None:
    """A header said twice by a proxy, none at all, and both forms of deflate."""
    publisher.serve("/feed", body, Content_Encoding=encoding)
    assert (await fetcher.fetch(publisher.url())).body == b"<rss/>"


@pytest.mark.parametrize(
    "line", [b"X Foo: 1", b"/var/www/html: yes", b"no colon", b"X-Null: a\0b", b": nameless"]
)
async def test_a_line_that_is_no_header_is_passed_over(
    publisher: Publisher, fetcher: Fetcher, line: bytes
) -> None:
    """The others count, what is odd is said."""
    head = b'HTTP/1.1 200 OK\r\nETag : "1"\r\n%s\r\nTransfer-Encoding: identity\r\n'
    publisher.pages["/feed"] = head % line + b"Content-Length: 6\r\n\r\n<rss/>"
    answer = await fetcher.fetch(publisher.url())
    assert (answer.body, answer.headers["etag"]) == (b"<rss/>", '"1"')
    assert len(answer.notes) == 1


async def test_a_few_interim_answers_are_waited_out_and_a_flood_is_named(
    publisher: Publisher, fetcher: Fetcher
) -> None:
    """Early hints (103) come before an answer; twenty of them are no answer."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<rss/>"
    publisher.pages["/feed"] = hint * 3 + answer
    assert (await fetcher.fetch(publisher.url())).body == b"<rss/>"
    publisher.pages["/feed"] = hint * 1_000 + answer
    assert await reason_of(fetcher, publisher.url()) == FetchReason.PROTOCOL_ERROR


async def test_a_body_in_pieces_of_a_byte_is_named(publisher: Publisher, fetcher: Fetcher) -> None:
    """It held the loop for seconds; pieces of an ordinary size, however many, are read."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    publisher.pages["/feed"] = head + b"1\r\n<\r\n" * 50_000 + b"0\r\n\r\n"
    assert await reason_of(fetcher, publisher.url()) == FetchReason.PROTOCOL_ERROR
    line = b"%x\r\n" % 100 + b"<" * 100 + b"\r\n"
    publisher.pages["/feed"] = head + line * 8_000 + b"0\r\n\r\n"
    assert len((await fetcher.fetch(publisher.url())).body) == 800_000


@pytest.mark.parametrize("body", [b"not gzip at all", gzip.compress(b"whole" * 999, mtime=0)[:-20]])
async def test_broken_gzip_is_named(publisher: Publisher, fetcher: Fetcher, body: bytes) -> None:
    """Garbage and a stream that ends in the middle are errors, not short feeds."""
    publisher.serve("/feed", body, Content_Encoding="gzip")
    assert await reason_of(fetcher, publisher.url()) == FetchReason.BAD_ENCODING


@pytest.mark.parametrize("headers", [{"Content_Encoding": "gzip"}, {}])
async def test_gzip_is_read(
    publisher: Publisher, fetcher: Fetcher, headers: dict[str, str]
) -> None:
    """As an encoding and as a stored .gz file, in several members, with padding behind."""
    body = gzip.compress(b"first ") + gzip.compress(b"second") + b"\0" * 8
    publisher.serve("/feed", body, **headers)
    assert (await fetcher.fetch(publisher.url())).body == b"first second"


@pytest.mark.parametrize(
    "answer",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", b"\0" * 99],
)
async def test_what_is_not_http_is_named(
    publisher: Publisher, fetcher: Fetcher, answer: bytes
) -> None:
    """Closed, garbled and truncated answers are protocol errors, never half a feed."""
    publisher.pages["/feed"] = answer
    assert await reason_of(fetcher, publisher.url()) == FetchReason.PROTOCOL_ERROR


async def test_unreachable_hosts_are_named(fetcher: Fetcher, settings: PollingSettings) -> None:
    """A closed port and a name that does not exist have reasons of their own."""
    assert await reason_of(fetcher, "http://127.0.0.1:1/") == FetchReason.CONNECT_FAILED
    assert await reason_of(fetcher, "http://no.such.host.invalid/") == FetchReason.DNS_FAILED


async def test_plain_http_on_a_tls_address_is_named(fetcher: Fetcher) -> None:
    """A peer that does not speak TLS where TLS is due is a TLS failure."""

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await reason_of(fetcher, f"https://127.0.0.1:{port}/") == FetchReason.TLS_FAILED


async def test_an_error_page_is_cut_not_refused(publisher: Publisher, fetcher: Fetcher) -> None:
    """The status of an error is wanted however large its page is."""
    publisher.serve("/feed", b"x" * 1_000_000, status="429 Slow", Retry_After="7")
    answer = await fetcher.fetch(publisher.url())
    assert answer.status == 429
    assert len(answer.body) <= 65_536


@pytest.mark.parametrize("status", ["429 Slow", "503 Busy", "410 Gone", "403 No", "404 Not Found"])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"\x0b\x02\x80"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"whole" * 999)[:-9])],
    ids=["brotli", "no gzip", "half a gzip"],
)
async def test_a_failure_is_told_whatever_its_page_is(
    publisher: Publisher, fetcher: Fetcher, status: str, encoding: str, body: bytes
) -> None:
    """An error page in an encoding not offered, or broken, hides neither status nor Retry-After."""
    publisher.serve("/feed", body, status=status, Content_Encoding=encoding, Retry_After="7")
    answer = await fetcher.fetch(publisher.url())
    assert (str(answer.status), answer.headers["retry-after"]) == (status[:3], "7")


async def test_nothing_new_is_told_in_any_encoding(publisher: Publisher, fetcher: Fetcher) -> None:
    """A 304 has no body, whatever it says of its encoding."""
    publisher.serve("/feed", "", status="304 Not Modified", Content_Encoding="br")
    assert (await fetcher.fetch(publisher.url(), etag='"1"')).status == 304


async def test_a_failure_is_told_before_its_page_ends(
    publisher: Publisher, fetcher: Fetcher
) -> None:
    """An error page that breaks off, or never ends, hides no status either."""
    head = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 99\r\n\r\n"
    publisher.pages["/cut"] = head + b"short"

    async def trickle(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"slow")
        await asyncio.Event().wait()

    publisher.pages["/slow"] = trickle
    for path, body in (("/cut", b"short"), ("/slow", b"slow")):
        answer = await fetcher.fetch(publisher.url(path))
        assert (answer.status, answer.headers["retry-after"], answer.body) == (429, "7", body)


@pytest.mark.parametrize("attack", ["bomb", "flood", "headers"])
async def test_no_answer_costs_more_than_its_cap(
    publisher: Publisher, fetcher: Fetcher, attack: str
) -> None:
    """Whatever a server sends, a fetch takes less than 64 MB, the sending server included."""
    if attack == "bomb":
        publisher.serve("/feed", bomb(200_000_000), Content_Encoding="gzip")
    elif attack == "flood":
        publisher.pages["/feed"] = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(12_000_000)
    else:
        publisher.pages["/feed"] = b"HTTP/1.1 200 OK\r\n" + b"X-Pad: 0123456789\r\n" * 500_000
    tracemalloc.start()
    try:
        await reason_of(fetcher, publisher.url())
        assert tracemalloc.get_traced_memory()[1] < 64_000_000
    finally:
        tracemalloc.stop()
