"""What a message says: how the story begins, outlets, corrections, times, whom it calls."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from monitor.delivery import formatting
from monitor.delivery.channels import email_message
from monitor.delivery.channels.terminal_text import alert_lines
from monitor.model import Notification, Story
from monitor.reasons import AlertReason
from tests.delivery.test_rendering import MAIL
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import FIRST, NOW, STORY, UPDATE, alert, config, note
from tests.support.slack_rules import shown_text
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin

OUTLETS = ("Sky News", "The Guardian")


def quoted(story: Story, evidence: str) -> str:
    """What an alert on `story` quotes where `evidence` matched."""
    told = replace(FIRST, story=story, evidence=evidence)
    return "".join(text for text, _ in formatting.quote(told))


@pytest.mark.parametrize(
    ("summary", "body", "evidence", "said"),
    [
        ("Ambulances were diverted to other towns. More follows.", "", STORY.title,
         "Ambulances were diverted to other towns."),
        ("", "The U.S. sent three aid ships to the port on Friday. They carry grain.", STORY.title,
         "The U.S. sent three aid ships to the port on Friday."),
        (f"{STORY.title}. Delegations arrived on Thursday.", "", "",
         "Delegations arrived on Thursday."),
        ("以色列军队星期四对加沙城发动了空袭，造成至少二十人死亡，数十人受伤，救援人员仍在搜寻。更多消息。",
         "", "",
         "以色列军队星期四对加沙城发动了空袭，造成至少二十人死亡，数十人受伤，救援人员仍在搜寻。"),
        ("", "", STORY.title, ""),
    ],
)  # fmt: skip
def test_how_the_story_begins_is_always_told(
    summary: str, body: str, evidence: str, said: str
) -> None:
    """Where the headline itself matched best, the first sentence of the story stands there."""
    assert quoted(replace(STORY, summary=summary, body=body), evidence) == said


def test_the_passage_that_matched_stands_beside_the_beginning() -> None:
    """A passage from further down follows the first sentence; the beginning is not told twice."""
    far = "A second ship was hit off the coast at noon."
    assert quoted(STORY, far) == f"{STORY.summary} […] {far}"
    assert quoted(STORY, STORY.summary) == STORY.summary


def test_readers_see_outlets_not_owners() -> None:
    """Sources count by owner and are named by outlet."""
    story = replace(STORY, source="Sky News", owner="Comcast")
    own = replace(FIRST, story=story, sources=("Comcast",))
    assert formatting.outlets(own) == ["Sky News"]
    two = replace(own, sources=("Comcast", "Guardian Media Group"), outlets=OUTLETS)
    assert formatting.sources_line(two) == "2 independent sources: Sky News, The Guardian"


async def test_a_correction_shows_the_corrected_headline_and_what_it_was(
    desk: Any, slack: SlackStandin
) -> None:
    """The first message and the reply carry the new headline; the channel sees the reply."""
    world = await desk("world", slack_config(slack))
    right = replace(STORY, id="s-right", title="Two, not three, Berlin hospitals hit")
    fixed = replace(UPDATE, reason=AlertReason.CORRECTION, story=right, novelty=right.title,
                    sources=("Example World News",))  # fmt: skip
    await world.put(note(FIRST, "world"), note(fixed, "world", "update"))
    await world.run(30)
    card, reply = slack.posts()
    for row in (card, reply):
        assert right.title in shown_text(row)
        assert "Corrected. Before: “Envoys meet" in shown_text(row)
    assert reply["broadcast"]
    assert "sources" not in shown_text(card), "both count the sources of the latest news"


async def test_a_corrections_mail_has_a_subject_of_its_own(desk: Any) -> None:
    """It stands in the thread of the first mail, but not under the headline it takes back."""
    async with SmtpStandin() as smtp:
        settings = {"type": "email", "host": "127.0.0.1", "port": smtp.port, "security": "none",
                    "from": "w@x.example", "to": "a@x.example"}  # fmt: skip
        mail = await desk("mail", config(channels={"mail": settings}))
        fixed = replace(UPDATE, reason=AlertReason.CORRECTION)
        await mail.put(note(FIRST, "mail"), note(fixed, "mail", "update"))
        await mail.run(30)
        first, second = (taken.mail for taken in smtp.mails)
    assert second["In-Reply-To"] == first["Message-ID"]
    assert second["Subject"].startswith("Correction: ") and UPDATE.story.title in second["Subject"]
    assert "Before: “Envoys meet" in second.get_body(("plain",)).get_content().replace("\n", " ")


def test_an_update_by_mail_does_not_repeat_the_headline() -> None:
    """Where the news is the headline, the story's beginning is quoted, without asterisks."""
    update = replace(UPDATE, novelty=UPDATE.story.title, evidence=UPDATE.story.title)
    said = email_message.plain(note(update, "mail", "update"), MAIL)
    assert said.count(UPDATE.story.title) == 1 and "*" not in said
    assert "> Delegations from both sides" in said


def test_times_are_in_the_zone_of_the_readers() -> None:
    """A zone set for the channel shows in mail and terminal, with its name."""
    said = email_message.plain(note(FIRST, "mail"), MAIL, "Europe/Kyiv")
    assert "1 Jan 2026, 01:54 EET" in said and "published 01:54:48 EET" in said
    out = io.StringIO()
    Console(file=out, width=100).print(alert_lines(note(FIRST, "t"), NOW, "Europe/Kyiv"))
    assert "01:54:48 EET" in out.getvalue()


def test_a_channels_zone_goes_before_the_services() -> None:
    """`ops.timezone` is for every channel; a channel's own stands before it."""
    both = {"a": {"type": "terminal"}, "b": {"type": "terminal", "timezone": "Asia/Tokyo"}}
    settings = config(channels=both, ops={"timezone": "Europe/London"})
    assert (settings.zone("a"), settings.zone("b")) == ("Europe/London", "Asia/Tokyo")


def test_a_digest_names_topics_and_day_and_tells_a_happening_once() -> None:
    """One event under two topics is one line that names both; the count is of happenings."""
    quake = alert("quake", topic_name="Strong earthquakes", event="e1")
    same = alert("ash", topic_name="Volcanoes", event="e1")
    other = alert("tariff", topic_name="Trade tariffs", event="e2")
    digest = Notification("d@x", "x", "digest", alerts=(quake, same, other), notice="Digest",
                          created_at=NOW)  # fmt: skip
    assert formatting.digest_title(digest) == (
        "Digest, Thu 1 Jan: Strong earthquakes, Trade tariffs (2 alerts)"
    )
    said = email_message.plain(digest, MAIL)
    assert said.count("* Envoys meet") == 2 and "also Volcanoes" in " ".join(said.split())
    one = replace(digest, alerts=(other,))
    assert formatting.digest_title(one).endswith("Trade tariffs (1 alert)")


async def test_a_critical_alert_calls_whom_the_configuration_names(
    desk: Any, slack: SlackStandin
) -> None:
    """The channel's mention, or the route's in its place; only critical, never a feed's words."""
    from monitor.alerting.routing import notifications_for

    route = {"to": ["world"], "routes": [{"match": {"topics": ["us-*"]}, "mention": ["S0DESK1"]}]}
    world = await desk("world", slack_config(slack, channel={"mention": "@here"}, route=route))
    title = "<!channel> @here Strike on the grid"
    story = replace(STORY, title=title)
    urgent = alert("urgent", urgency="critical", story=story)
    other = alert("other", urgency="critical", topic="ports")
    for one in (urgent, other, alert("calm")):
        await world.put(*notifications_for(world.config, one, NOW))
    await world.run(30)
    called = {row["metadata"]["event_payload"]["id"]: row["mentions"] for row in slack.posts()}
    assert len(called["urgent@world"]) == 1 and "S0DESK1" in called["urgent@world"][0]
    assert len(called["other@world"]) == 1 and "here" in called["other@world"][0]
    assert called["calm@world"] == []
    assert "CRITICAL" in shown_text(slack.posts()[0])


async def test_a_mail_leads_to_the_desk_to_answer_and_to_mute(desk: Any) -> None:
    """With `desk.public_url` each alert links to its event's page, where an answer and a mute are;
    it is a page and not an act, since mail scanners open every link. Without it there is none."""
    async with SmtpStandin() as smtp:
        settings = {"type": "email", "host": "127.0.0.1", "port": smtp.port, "security": "none",
                    "from": "w@example.org", "to": ["n@example.org"]}  # fmt: skip
        for name, address in (("linked", "https://desk.example/"), ("bare", "")):
            made = config(channels={name: settings}, desk={"public_url": address})
            mail = await desk(name, made)
            await mail.put(note(replace(FIRST, event="e 1"), name))
            await mail.run(30)
        linked, bare = (taken.mail for taken in smtp.mails)
    for kind in ("plain", "html"):
        part = linked.get_body((kind,))
        assert "https://desk.example/events/e%201" in part.get_content()
        assert "on the desk" not in bare.get_body((kind,)).get_content()
