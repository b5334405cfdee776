"""What YAML does behind the writer's back is said, and so is what can never work."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from monitor.cli.check import check as check_command
from monitor.config.load import examine
from monitor.config.names import digest, readable_id, slug
from monitor.config.opml import read_opml

FEED = "- https://wire.example/rss\n"


def check(folder: Path, topics: str = "- Floods\n", feeds: str = FEED, settings: str = "") -> str:
    """What `check` prints of three files, without the model."""
    (folder / "topics.yaml").write_text(topics, encoding="utf-8")
    (folder / "feeds.yaml").write_text(feeds, encoding="utf-8")
    (folder / "wirewatch.yaml").write_text(settings or "{}\n", encoding="utf-8")
    said = CliRunner().invoke(check_command, ["--config", str(folder), "--no-model"])
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
    return said.output


TOPIC = "topics:\n- name: Fires\n"


@pytest.mark.parametrize(
    ("topics", "line", "words"),
    [
        (TOPIC + "  examples:\n  - Explosion at reactor #4 of the plant\n", 4, '"#4 of the plant"'),
        (TOPIC + "  description: Strikes at No #12 mine\n", 3, "begins a comment"),
        (TOPIC + "  examples: [Storm hits Cuba, thousands flee]\n", 3, '"thousands flee"'),
        (TOPIC + "  examples: [Headline, with comma]\n", 3, "the comma in [ ]"),
        (TOPIC + "  not: [Quake kills 5,000 people]\n", 3, '"000 people"'),
        (TOPIC + "  counter_examples:\n  - a b\n", 3, 'did you mean "not"'),
        (TOPIC + "  counterexamples: [a b c]\n", 3, 'did you mean "not"'),
        (TOPIC + "  keywords: [a]\n", 3, "require: {any: [...]}"),
        (TOPIC + "  priority: high\n", 3, "alert: {urgency: high}"),
        (TOPIC + "  require: [cable]\n", 3, "require: {any: [cable]}"),
        ("topics:\n  - name: A b\n     description: b\n", 3, "wrong indentation"),
        ("topics:\n  - name: A b\n    not:\n    - x y\n   examples:\n    - x\n", 5, "wrong indent"),
        (TOPIC + "  examples:\n  - 'It's raining'\n", 4, "apostrophe"),
        (TOPIC + "  examples: ['It's raining', 'Dry']\n", 3, "apostrophe"),  # in brackets, too
        (TOPIC + '  examples:\n  - "Fire" in town\n', 4, "closing quote"),
        (TOPIC + "  fresh_for: 0s\n", 3, "no story is that fresh"),
        (TOPIC + "  fresh_for: 1ms\n", 3, "no story is that fresh"),
        (TOPIC + "  require: {any: 'Kyiv, Odesa'}\n", 3, "is one phrase"),
        (TOPIC + "  must_not: [sport]\n", 3, "exclude: {any: [...]}"),
        (TOPIC + "  examples:\n  -Fire in town\n", 4, 'missing after "-"'),
        (TOPIC + "  description:Fire in town\n", 3, 'missing after ":"'),
        (TOPIC + "  examples:\n  - *urgent* fire\n", 4, 'starts with "*"'),
        (TOPIC + "  examples:\n  - a b c\n    not:\n  - d\n", 5, "belongs to after 2"),
        (TOPIC + "  alert: {min_sources: 2}\n", 3, "have 1 owner"),
        ("- Пожары в Сибири\n", 1, "id: pozhary-v-sibiri"),
    ],
)
def test_a_topic_trap_is_said(tmp_path: Path, topics: str, line: int, words: str) -> None:
    """Each trap is named at its line with what is lost and what to write."""
    lines = check(tmp_path, topics=topics).splitlines()
    assert any(f"topics.yaml:{line}: " in one and words in one for one in lines), lines


@pytest.mark.parametrize(
    "topics",
    [
        TOPIC + "  examples:\n  - Explosion at a plant   # the main one\n",
        TOPIC + "  examples: ['Storm hits Cuba, thousands flee', A second headline here]\n",
        TOPIC + "  examples: [Pope visits Lebanon again, Vatican names new cardinals]\n",
        TOPIC + "  examples: [地震, 海啸]\n",
        TOPIC + "  examples:\n  - Fire No#4 burns\n",
        TOPIC + "  examples:\n  - It's raining\n",
    ],
)
def test_what_is_meant_as_written_passes(tmp_path: Path, topics: str) -> None:
    """Comments, quoted commas, lists of whole headlines and inner marks are no traps."""
    assert "All is well" in check(tmp_path, topics=topics)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost/rss", "not a public address"),
        ("http://10.0.0.3/rss", "polling.allow_hosts"),
        ("http://[::1]/rss", "not a public address"),
        ("https://wire.example:9999/rss", "polling.allow_ports"),
        ("http://127.1/rss", "not a public address"),
        ("http://2130706433/rss", "not a public address"),
        ("http://0x7f.1/rss", "not a public address"),
        ("http://intranet/rss", "internal network"),
        ("http://wire.local/rss", "internal network"),
        ("https://wire.example/rss?token=abc123", "plain sight"),
        ("https://wire.example/private/x8Kd02kdLLs92kdKs02kd/rss", "plain sight"),
    ],
)
def test_a_feed_that_cannot_work_or_tells_a_secret_is_said(
    tmp_path: Path, url: str, words: str
) -> None:
    """Addresses the poller refuses, and secrets written into addresses, are warnings."""
    said = check(tmp_path, feeds=f"- {url}\n")
    assert "feeds.yaml:1: warning:" in said and words in said


@pytest.mark.parametrize(
    "url", ["https://xn--/rss", "https://-a.example/rss", "http://10.0.0.0.3/rss", "https://a..b/"]
)
def test_a_host_that_cannot_be_is_a_mistake(tmp_path: Path, url: str) -> None:
    """Hosts that no name server knows are found before the first poll; ß and ü are none."""
    assert "the host in the address" in check(tmp_path, feeds=f"- {url}\n")
    assert "All is well" in check(
        tmp_path, feeds="- https://straße.example/\n- https://ü.example\n"
    )


def test_allowed_hosts_and_ports_are_no_warning(tmp_path: Path) -> None:
    """What the settings allow is fetched, so nothing is said."""
    settings = "polling: {allow_hosts: [localhost, 10.0.0.0/8], allow_ports: [9999]}\n"
    feeds = "- http://localhost/a\n- http://10.0.0.3/b\n- https://wire.example:9999/c\n"
    assert "All is well" in check(tmp_path, feeds=feeds, settings=settings)


MAIL = "{type: email, host: mail.example, from: a@x.example, to: b@x.example, "


@pytest.mark.parametrize(
    ("settings", "line", "words"),
    [
        ("channels:\n  a: " + MAIL + "port: 465}\n", 2, "port 465 speaks tls"),
        ("channels:\n  a: " + MAIL + "port: 587, security: tls}\n", 2, "port 587 speaks starttls"),
        ("channels:\n  a: {type: apprise, url: 'msteams://x/y/z'}\n", 2, "does not know"),
        ("channels:\n  a: {type: apprise, url: 'discord://4174216298/JHMHI8q9xx'}\n", 2, "plain"),
        ("channels:\n  a: {type: slack_webhook, url: 'https://hooks.slack.com/x'}\n", 2, "plain"),
        ("channels:\n  a: {type: terminal}\n  b: {type: terminal}\nroute: {to: a}\n", 3, "nothing"),
        ("route:\n  routes:\n  - to: terminal\n  - match: {urgency: high}\n", 3, "below it"),
        ("time_intervals:\n  n: {start: '22:00', end: '07:00', timezone: GMT+2}\n", 2, "Etc/GMT-2"),
        ("ops: {timezone: GMT+2}\n", 1, "Etc/GMT-2"),
        ("missed: {timezone: MEZ}\n", 1, "not an IANA time zone"),
    ],
)
def test_a_setting_that_cannot_work_is_said(
    tmp_path: Path, settings: str, line: int, words: str
) -> None:
    """Wrong ports, unknown services, unreachable channels and branches are named by line."""
    lines = check(tmp_path, settings=settings).splitlines()
    assert any(f"wirewatch.yaml:{line}: " in one and words in one for one in lines), lines


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Переговори", "peregovori"),
        ("ガザ", "gaza"),
        ("World & Nation", "world-and-nation"),
        ("Łódź Ørsted", "lodz-orsted"),
        ("Women's rights", "womens-rights"),
        ("Al-Jazeera: الجزيرة", "al-jazeera-ljzyrh"),
    ],
)
def test_ids_that_are_written_down_can_be_read(name: str, made: str) -> None:
    """A name in any script becomes a short name in Latin letters."""
    assert readable_id(name) == made


@given(st.text(max_size=100))
def test_every_name_has_a_readable_id(name: str) -> None:
    """Whatever the name, the id is one the configuration accepts, and always the same."""
    made = readable_id(name)
    assert made and len(made) <= 80 and made == readable_id(name)
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and made[0] != "-"


@pytest.mark.parametrize(
    ("name", "kept"),
    [("Straße", "strae"), ("World & Nation", "world-nation"), ("ガザ", "n-" + digest("ガザ"))],
)
def test_ids_that_files_leave_out_stay_as_they_were(tmp_path: Path, name: str, kept: str) -> None:
    """Feeds and topics are known in the store by their ids, so these never change."""
    assert slug(name) == kept
    check(tmp_path, topics=f"- {name}\n")
    assert examine(tmp_path, {}).config.topics[0].id == kept


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://a.example/?a=1&b=2", "https://a.example/?a=1&b=2"),
        ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
        ("https://a.example/caf&eacute;", "https://a.example/café"),
        ("https://a.example/?id=7&sec=2&copy=1", "https://a.example/?id=7&sec=2&copy=1"),
        ("feed://a.example/rss", "http://a.example/rss"),
        ("feed:https://a.example/rss", "https://a.example/rss"),
        ("feeds://a.example/rss", "https://a.example/rss"),
        ("itpc://a.example/rss", "http://a.example/rss"),
        ("a.example/rss", "https://a.example/rss"),
    ],
)
def test_addresses_in_opml_keep_their_meaning(written: str, url: str) -> None:
    """Plain ampersands, HTML names and feed: addresses come out as servers understand them."""
    raw = f'<opml><body><outline text="A &amp; B" xmlUrl="{written}"/></body></opml>'
    outlines, _ = read_opml(raw.encode())
    assert [(one.url, one.name) for one in outlines] == [(url, "A & B")]


@pytest.mark.parametrize(
    ("outline", "name"),
    [
        (
            '<outline text="A "quoted" name" xmlUrl="https://a.example/?a=1&b=2"/>',
            'A "quoted" name',
        ),
        ("<outline text=A xmlUrl=https://a.example/?a=1&b=2 />", "A"),
        ('<outline text="A" xmlUrl="https://a.example/?a=1&b=2"></outline></outline>', "A"),
        ('<outline text="A" text="B" xmlUrl="https://a.example/?a=1&b=2"/>', "A"),
        ('<outline text="a<b> > c" xmlUrl="https://a.example/?a=1&b=2">', "a<b> > c"),
        ('<outline text="D &amp;amp; D" xmlUrl="https://a.example/?a=1&b=2"/>', "D & D"),
        ('<outline text="A" type="rss" url="https://a.example/?a=1&b=2"/>', "A"),
    ],
)
def test_one_broken_outline_costs_no_feed(outline: str, name: str) -> None:
    """Whatever a reader exported, every feed comes in with its address, its folder and its line."""
    raw = f"""<b>Notice</b>: x<br>
<?xml version="1.0"?><opml><head><title>t</title></head><body><outline text="News">
{outline}
<outline text="Other" xmlUrl="https://o.example/f"/></outline>
</body></opml>"""
    outlines, _ = read_opml(raw.encode())
    assert [(one.name, one.url, one.line) for one in outlines] == [
        (name, "https://a.example/?a=1&b=2", 3),
        ("Other", "https://o.example/f", 4),
    ]
    assert outlines[0].tags == ("news",)


@given(st.text("<>\"'&/= abcé\n", max_size=60))
def test_no_list_is_a_traceback(noise: str) -> None:
    """Whatever stands in one outline, the next one is read."""
    raw = f'<opml><body><outline {noise}/>\n<outline text="O" xmlUrl="https://o.example/"/></body></opml>'
    outlines, _ = read_opml(raw.encode())
    assert "https://o.example/" in [one.url for one in outlines]
