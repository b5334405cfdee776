"""The API does what its description says; feeds out are what their formats say."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import feedparser
import httpx
import jsonschema
import pytest

from monitor.desk.api.openapi import describe
from monitor.desk.api.routes import RESOURCES
from monitor.desk.people import RIGHTS
from monitor.desk.render import STATIC
from monitor.model import EmbeddedStory, Passage, Story
from tests.desk.test_rights import url
from tests.desk.world import HOSTILE, DeskWorld

SCHEMA = describe()


@pytest.fixture
async def program(world: DeskWorld) -> AsyncIterator[httpx.AsyncClient]:
    """A program that may do everything."""
    token = await world.desk.sign_in.add_token("bot", RIGHTS, "Anna", world.clock.now())
    async with world.browser(headers={"authorization": f"Bearer {token}"}) as client:
        yield client


def as_described(method: str, path: str, answer: httpx.Response) -> Any:
    """Check an answer against the description; return its JSON."""
    operation = SCHEMA["paths"][path][method.lower()]
    described = operation["responses"][str(answer.status_code)]
    schema = described["content"]["application/json"]["schema"]
    whole = {**schema, "components": SCHEMA["components"]}
    data = answer.json()
    jsonschema.Draft202012Validator(whole).validate(data)
    return data


async def archived(world: DeskWorld) -> None:
    """Put one story into the archive, as triage does."""
    import numpy as np

    from monitor.store.transaction import apply

    story = Story(id="s0", title="Drones strike", source="Example", seen_at=world.clock.now())
    vectors = np.ones((1, 4), np.float32) / 2
    item = EmbeddedStory(story, (Passage(0, "title", "Drones strike", ""),), vectors, "m")
    decision = '{"event": "e0", "alerts": [], "suppressions": [], "matches": []}'
    await apply(world.store, world.desk.archive.story_commands(item, decision))


@pytest.mark.parametrize("one", [r for r in RESOURCES if r.method == "GET"], ids=lambda r: r.path)
async def test_what_is_read_is_as_described(
    world: DeskWorld, program: httpx.AsyncClient, one: Any
) -> None:
    """Every address that is read answers 200 with the shape that the description names."""
    await archived(world)
    answer = await program.get(url(one.path))
    assert answer.status_code == 200, answer.text
    assert as_described("GET", one.path, answer)


async def test_what_is_written_is_done_and_as_described(
    world: DeskWorld, program: httpx.AsyncClient
) -> None:
    """A silence, an answer, a claim and a requeue, each in the token's name."""
    new = {"matchers": ["topic=talks"], "lasts": "1h", "reason": "test"}
    made = await program.post("/api/v1/silences", json=new)
    silence = as_described("POST", "/api/v1/silences", made)
    assert silence["author"] == "bot" and silence["matchers"] == ["topic=talks"]
    ended = await program.delete(f"/api/v1/silences/{silence['id']}")
    assert as_described("DELETE", "/api/v1/silences/{silence}", ended) == {"done": True}
    word = {"story": "s0", "topic": "energy", "relevant": True}
    answer = await program.post("/api/v1/events/e0/answers", json=word)
    as_described("POST", "/api/v1/events/{event}/answers", answer)
    (verdict,) = await world.desk.feedback.all("energy")
    assert (verdict.good, verdict.by) == (True, "bot")
    await program.post("/api/v1/events/e0/claim")
    assert (await program.get("/api/v1/events/e0")).json()["claimed_by"] == "bot"
    await program.delete("/api/v1/events/e0/claim")
    assert (await program.get("/api/v1/events/e0")).json()["claimed_by"] == ""
    letter = {"id": "notifier:x@world"}
    assert (await program.post("/api/v1/dead-letters/requeue", json=letter)).status_code == 200
    assert await world.desk.dead_letters.list() == []


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/api/v1/silences", {"matchers": ["colour=red"]}, "is not a matcher"),
        ("/api/v1/silences", {"matchers": ["topic=a"], "lasts": "soon"}, "duration"),
        ("/api/v1/silences", {"match": 1}, "matchers"),
        ("/api/v1/silences", [], "the body"),
        ("/api/v1/events/e0/answers", {"story": "s9", "topic": "energy", "relevant": 1}, "of this"),
    ],
)
async def test_a_mistake_is_a_sentence(
    program: httpx.AsyncClient, path: str, body: Any, words: str
) -> None:
    """What cannot be taken is a 400 that says what is wrong."""
    answer = await program.post(path, json=body)
    assert answer.status_code == 400 and words in answer.json()["error"]


async def test_pages_of_alerts_follow_the_cursor(program: httpx.AsyncClient) -> None:
    """`next` leads through all alerts, each once."""
    seen: list[str] = []
    before = ""
    while True:
        params = {"limit": "2", "before": before}
        page = (await program.get("/api/v1/alerts", params=params)).json()
        seen += [alert["id"] for alert in page["alerts"]]
        if not (before := page["next"]):
            break
    assert sorted(seen) == ["a0", "a0u", "a1", "a2", "a3"]
    assert (await program.get("/api/v1/alerts?limit=9999")).status_code == 400


async def test_the_feeds_out_hold_the_alerts_with_their_ids(
    world: DeskWorld, program: httpx.AsyncClient
) -> None:
    """Atom reads with a feed reader, JSON Feed as JSON; hostile titles stay text."""
    await world.hostile()
    atom = feedparser.parse((await program.get("/alerts.atom?topic=talks")).content)
    assert not atom.bozo and atom.version == "atom10"
    found = {entry.id.rsplit(":", 1)[1]: entry for entry in atom.entries}
    assert {"a1", "a100", "a104"} <= set(found)
    assert found["a1"].link == "https://news.example.org/1"
    assert found["a100"].title_detail.type == "text/plain"
    feed = (await program.get("/alerts.json")).json()
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert {item["id"] for item in feed["items"]} >= {"a0", "a1", "a100"}
    titles = [item["title"] for item in feed["items"]]
    assert HOSTILE[2] in titles and not any("\u202e" in title for title in titles)


def test_the_one_library_is_the_file_that_was_reviewed() -> None:
    """htmx is pinned: its bytes are those of the release, its licence lies beside it."""
    digest = hashlib.sha256((STATIC / "htmx-2.0.11.min.js").read_bytes()).hexdigest()
    assert digest == "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    assert "Zero-Clause BSD" in (STATIC / "htmx-2.0.11.LICENSE").read_text("utf-8")
