"""The configuration folder through its public door: what loads, and what people are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.config.load import examine, load_config, load_tolerant
from monitor.config.schema import EmailChannel, SlackChannel
from monitor.errors import ConfigError

FEED = "feeds:\n  - {id: wire, url: https://wire.example/rss, tags: [world]}\n"


def write(folder: Path, **files: str) -> Path:
    """Write `name_yaml="..."` as name.yaml (and so on) into the folder."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_opml", ".opml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def said(folder: Path, env: dict[str, str] | None = None) -> list[str]:
    """What is said about a folder, paths shortened to the file's name."""
    problems = examine(folder, env or {}).problems
    return [str(problem).replace(f"{folder}/", "") for problem in problems]


def test_topics_alone_load(tmp_path: Path) -> None:
    """A folder with nothing but topics is a configuration; nothing but a name is a topic."""
    write(tmp_path, topics_yaml="topics:\n  - Undersea cables\n  - name: US–Russia Ukraine talks\n")
    config = load_config(tmp_path, {})
    assert [topic.id for topic in config.topics] == ["undersea-cables", "us-russia-ukraine-talks"]
    assert config.feeds == ()
    assert config.channels == {}


def test_every_file_of_the_folder_counts(tmp_path: Path) -> None:
    """feeds.yaml, feeds/*.yaml, feeds/*.opml, topics.yaml and topics/*.yaml are joined."""
    write(
        tmp_path,
        feeds_yaml=FEED,
        feeds__more_yaml="feeds:\n  - https://www.harbour.example/news/rss.xml\n",
        feeds__list_opml=(
            '<opml version="2.0"><body><outline text="Far East">'
            '<outline text="Bay Post" xmlUrl="https://bay.example/feed" category="/ports,tides"/>'
            "</outline></body></opml>"
        ),
        topics_yaml="- Floods\n",
        topics__fires_yaml="name: Forest fires\ndescription: Fires in forests.\n",
        topics__more_yaml="topics: [{name: Dam breaks}]\n",
    )
    config = load_config(tmp_path, {})
    assert [(feed.id, feed.tags) for feed in config.feeds] == [
        ("wire", ("world",)),
        ("bay-post", ("far-east", "ports", "tides")),
        ("harbour-example-news", ()),
    ]
    assert [topic.name for topic in config.topics] == ["Floods", "Forest fires", "Dam breaks"]


def test_a_feed_readers_list_gets_no_variables(tmp_path: Path) -> None:
    """What stands in an OPML list stays as it is, and whoever counted on more is told."""
    write(
        tmp_path,
        topics_yaml="- Floods\n",
        feeds__list_opml=(
            '<opml version="2.0"><body>\n'
            '<outline text="Bay ${KEY}" xmlUrl="https://bay.example/feed?k=${KEY}"/></body></opml>'
        ),
    )
    (feed,) = load_config(tmp_path, {"KEY": "canary"}).feeds
    assert (feed.url, feed.name) == ("https://bay.example/feed?k=${KEY}", "Bay ${KEY}")
    assert said(tmp_path, {"KEY": "canary"}) == [
        "feeds/list.opml:2: warning: variables are not put into OPML lists; move this feed to a "
        "feeds: file"
    ]


def test_a_name_in_any_script_gets_a_stable_id(tmp_path: Path) -> None:
    """A topic named in Cyrillic has an id that is the same on every reading."""
    write(tmp_path, topics_yaml="topics: [Переговори про мир, 停战谈判]\n")
    first, second = (load_config(tmp_path, {}).topics for _ in range(2))
    assert [topic.id for topic in first] == [topic.id for topic in second]
    assert len({topic.id for topic in first}) == 2


def test_yaml_of_old_reads_as_written(tmp_path: Path) -> None:
    """Norwegian is not false, 22:00 is not 1320, a year is a name: YAML 1.1's traps are shut."""
    write(
        tmp_path,
        topics_yaml="topics:\n  - {name: 2024, languages: [no], enabled: off, fresh_for: 90}\n",
        wirewatch_yaml="time_intervals:\n  night: {start: 22:00, end: 06:30}\n",
    )
    config = load_config(tmp_path, {})
    topic = config.topics[0]
    assert (topic.name, topic.languages, topic.enabled) == ("2024", ("no",), False)
    assert topic.fresh_for == 90.0
    assert config.time_intervals["night"][0].start == "22:00"


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    """`&name`, `*name` and `<<` save typing, and what is written out wins over what is merged."""
    write(
        tmp_path,
        feeds_yaml=(
            "feeds:\n  - &base {id: a, url: https://a.example/, owner: Group, tags: [x]}\n"
            "  - {<<: *base, id: b, url: https://b.example/}\n"
        ),
    )
    feeds = load_config(tmp_path, {}).feeds
    assert [(feed.id, feed.owner) for feed in feeds] == [("a", "Group"), ("b", "Group")]


def test_channels_and_routes_load(tmp_path: Path) -> None:
    """Channels of every kind, routes in branches, quiet hours and digests become settings."""
    write(
        tmp_path,
        feeds_yaml=FEED,
        topics_yaml="topics: [{name: Floods, labels: [nature], alert: {to: desk}}]\n",
        wirewatch_yaml=(
            "channels:\n"
            "  desk: {type: slack, token: '${BOT}', channel: C0123ABCD}\n"
            "  mail:\n    type: email\n    host: mail.example\n    from: W <w@a.example>\n"
            "    to: x@a.example\n"
            "time_intervals:\n  night: {start: '22:00', end: '24:00', timezone: Europe/Kyiv}\n"
            "route:\n  to: desk\n  routes:\n"
            "    - match: {labels: nature, tags: world}\n      to: mail\n      continue: true\n"
            "      quiet_hours: [night]\n"
            "      digest: {cron: '0 7 * * mon-fri', timezone: Europe/Kyiv}\n"
        ),
    )
    config = load_config(tmp_path, {"BOT": "xoxb-canary-1"})
    desk, mail = config.channels["desk"], config.channels["mail"]
    assert isinstance(desk, SlackChannel) and desk.token.get_secret_value() == "xoxb-canary-1"
    assert isinstance(mail, EmailChannel) and mail.to == ("x@a.example",)
    branch = config.route.routes[0]
    assert branch.go_on and branch.quiet_hours == ("night",) and branch.digest is not None


@pytest.mark.parametrize(
    ("yaml", "line", "words"),
    [
        ("topics:\n  - name: Floods\n    langauges: [en]\n", 3, 'did you mean "languages"?'),
        ("topics:\n  - name: Floods\n    min_sources: 2\n", 3, 'belongs under "alert"'),
        ("topics:\n  - name: Floods\n    alert:\n      urgency: hot\n", 4, "choose one of 'low'"),
        ("topics:\n  - name: Floods\n\n    alert: {to: dsk}\n", 4, 'there is no channel "dsk"'),
        ("topics:\n  - name: Floods\n  - name: Floods\n", 3, "is taken by"),
        ("topics:\n  - description: nameless\n", 2, '"name" is missing'),
        ("topics:\n  - name: Floods\n    fresh_for: 2 fortnights\n", 3, "is not a duration"),
        ("topics:\n  - name: Floods\n    languages: [en, zz]\n", 3, "two-letter code"),
        ("topics:\n  - name: Floods\n    examples:\n    - Delta: it rises\n", 4, "in quotes"),
        ("topics:\n  - Delta: it rises\n", 2, "in quotes"),
        ("topics:\n  - name: Delta: it rises\n", 2, "in quotes"),
        ("topics:\n  - name: Floods\n    exclude: {any: ['*']}\n", 3, "matches anything"),
        ("topics:\n  - name: Floods\n    not: [A dam]\n    examples: [a dam]\n", 3, "decide"),
        ("topics:\n  - name: Floods\n    id: Delta Floods\n", 3, "for example delta-floods"),
        ("topics:\n  - name: Floods\n    feeds: [wyre]\n", 3, 'did you mean "wire"?'),
        ("topics:\n  - name: Floods\n    tags: [wrld]\n", 3, 'did you mean "world"?'),
        ("topics:\n  - name: a\n    name: b\n", 3, "the first time on line 2"),
        ("topics:\n\t- name: a\n", 2, "use spaces"),
        ("topics:\n  - name: a b\n - name: c d\n", 3, "indentation"),
        ("topics:\n  - *floods\n", 2, "must be in quotes"),
        ("topics:\n  - 'Floods\n", 2, "close it"),
        ("topics:\n  - name: [a\n", 2, "close [ with ]"),
        ("topics:\n  - Floods\n  -\n", 3, "empty"),
        ("topics: Floods\n", 1, "must be a list"),
        ("Floods\n", 1, 'must start with "topics:"'),
        ("topcs:\n  - Floods\n", 1, 'did you mean "topics"?'),
        ("feeds:\n  - https://a.example/\n", 1, "put it into feeds.yaml"),
        ("topics:\n  - name: ${NOWHERE}\n", 2, "NOWHERE is not set"),
        ("topics:\n  - name: ${NO WHERE}\n", 2, "is not a variable"),
        ("topics:\n  - a b\n---\ntopics:\n  - c d\n", 3, "second document"),
        ("topics: &a\n  - *a\n", 1, "contains itself"),
    ],
)
def test_a_topic_mistake_is_named_with_its_line(
    tmp_path: Path, yaml: str, line: int, words: str
) -> None:
    """Each mistake in a topic file is said on its own line, with what to do."""
    write(tmp_path, feeds_yaml=FEED, topics_yaml=yaml)
    lines = said(tmp_path)
    assert any(one.startswith(f"topics.yaml:{line}: ") and words in one for one in lines), lines
    with pytest.raises(ConfigError):
        load_config(tmp_path, {})


@pytest.mark.parametrize(
    ("yaml", "line", "words"),
    [
        ("feeds:\n  - {id: a, url: a.example/rss}\n", 2, "https:// in front"),
        ("feeds:\n  - {id: a, url: htps://a.example}\n", 2, "did you mean https://?"),
        ("feeds:\n  - {id: a, url: 'feed://a.example'}\n", 2, "write https:// instead"),
        ("feeds:\n  - {id: a, url: 'https://'}\n", 2, "has no host"),
        ("feeds:\n  - {id: a, url: 'https://a.example:x/'}\n", 2, "malformed"),
        ("feeds:\n  - {id: a, url: 'https://a.example/a b'}\n", 2, "blank"),
        ("feeds:\n  - {id: a}\n", 2, '"url" is missing'),
        ("feeds:\n  - {id: a, url: https://a.example, kind: rss}\n", 2, "'sitemap'"),
        ("feeds:\n  - {id: a, url: https://a.example, interval: 1s}\n", 2, "block us"),
        ("feeds:\n  - {id: a, url: https://a.example, password: '${P}'}\n", 2, "add username"),
        ("feeds:\n  - {id: a, url: https://a.example, headers: {Host: b}}\n", 2, "ours to set"),
        ("feeds:\n  - {id: a, url: https://a.example, headers: {'a b': c}}\n", 2, "HTTP header"),
        (
            "feeds:\n  - {id: a, url: https://a.example, language: gibberish}\n",
            2,
            "two-letter code",
        ),
        ("feeds:\n  - [https://a.example]\n", 2, "this must be one url"),
    ],
)
def test_a_feed_mistake_is_named_with_its_line(
    tmp_path: Path, yaml: str, line: int, words: str
) -> None:
    """Each mistake in a feed file is said on its own line, with what to do."""
    write(tmp_path, feeds_yaml=yaml)
    lines = said(tmp_path, {"P": "canary-password"})
    assert any(one.startswith(f"feeds.yaml:{line}: ") and words in one for one in lines), lines


@pytest.mark.parametrize(
    ("yaml", "line", "words"),
    [
        ("polling:\n  timeot: 5s\n", 2, 'did you mean "timeout"?'),
        ("polling:\n  concurrency: many\n", 2, "whole number"),
        ("polling:\n  concurrency: 90000\n", 2, "2000 or less"),
        ("polling: fast\n", 1, 'one "key: value" a line'),
        ("pooling:\n  timeout: 5s\n", 1, 'did you mean "polling"?'),
        ("store:\n  url: localhost:6379\n", 2, "redis://"),
        ("store:\n  url: redis://a:b/0\n", 2, "write host:port"),
        ("store:\n  url: redis://:p@[a/0\n", 2, "malformed"),
        ("store:\n  url: 'redis://:p@a\u2100b/0'\n", 2, "malformed"),
        ("store:\n  url: redis+cluster://a,b/0\n", 2, 'write "/ww"'),
        ("store:\n  url: redis+cluster://a/ww\n  prefix: x\n", 2, 'write "/x"'),
        ("store:\n  url: redis+sentinel://a,b\n", 2, "NAME/0"),
        ("store:\n  url: redis+sentinel://a/desk/none\n", 2, "NAME/0"),
        ("store:\n  url: redis+sentinel://a/desk?ssl_ca_certs=ca.pem\n", 2, "with rediss"),
        ("store:\n  url: redis+sentinel://a/desk?sentinel_password=x\n", 2, "plain sight"),
        ("channels:\n  desk: {type: slak}\n", 2, 'did you mean "slack"?'),
        ("channels:\n  desk: {token: x}\n", 2, "has no type"),
        ("channels:\n  desk:\n    type: slack\n    token: ${T}\n    channel: '#desk'\n", 5, "ID"),
        ("channels:\n  desk:\n    type: slack\n    token: ${APP}\n    channel: C1\n", 4, "xoxb-"),
        ("channels:\n  desk:\n    type: slack\n    channel: C1\n", 3, '"token" is missing'),
        ("channels:\n  Desk One: {type: terminal}\n", 2, 'write "desk-one"'),
        ("channels:\n  -desk: {type: terminal}\n", 2, 'write "desk"'),
        (f"channels:\n  {'long' * 30}: {{type: terminal}}\n", 2, "at most 80"),
        (f"time_intervals:\n  {'long' * 30}: {{start: '22:00', end: '07:00'}}\n", 2, "at most 80"),
        ("channels:\n  m: {type: email, host: h, from: me, to: a@b.c}\n", 2, "e-mail address"),
        ("channels:\n  m: {type: email, host: h, from: a@b.c, to: [], port: 0}\n", 2, "nobody"),
        ("time_intervals:\n  n: {start: '22:00', end: '22:00'}\n", 2, "are the same"),
        ("time_intervals:\n  n: {start: '22:00', end: '24:30'}\n", 2, "ends at"),
        ("time_intervals:\n  n: {start: '25:00', end: '9:00'}\n", 2, "time of day"),
        (
            "time_intervals:\n  n: {start: '07:00', end: '09:00', timezone: Kyiv}\n",
            2,
            '"Europe/Kyiv"',
        ),
        ("route:\n  to: [dsk]\n", 2, 'there is no channel "dsk"'),
        ("route:\n  routes:\n    - match: {urgency: hgh}\n", 3, 'did you mean "high"?'),
        ("route:\n  routes:\n    - match: {topics: [flods]}\n", 3, 'did you mean "floods"?'),
        ("route:\n  routes:\n    - quiet_hours: [night]\n", 3, "no time interval"),
        ("route:\n  digest: {cron: '0 7 * *'}\n", 2, "has 4 fields"),
        ("route:\n  digest: {cron: '0 27 * * *'}\n", 2, "is not a schedule"),
        ("route:\n  routes:\n    - match: {langages: [en]}\n", 3, 'did you mean "languages"?'),
        ("ops:\n  notices_to: [ops]\n", 2, 'there is no channel "ops"'),
        ("feeds: []\n", 1, "put them in feeds.yaml"),
        ("- a\n", 1, "must hold sections"),
    ],
)
def test_a_settings_mistake_is_named_with_its_line(
    tmp_path: Path, yaml: str, line: int, words: str
) -> None:
    """Each mistake in wirewatch.yaml is said on its own line, with what to do."""
    write(tmp_path, feeds_yaml=FEED, topics_yaml="- Floods\n", wirewatch_yaml=yaml)
    lines = said(tmp_path, {"T": "xoxb-1", "APP": "xapp-1"})
    assert any(one.startswith(f"wirewatch.yaml:{line}: ") and words in one for one in lines), lines


@pytest.mark.parametrize(
    ("yaml", "warned"),
    [
        ("channels:\n  desk: {type: terminal}\n", [2]),
        ("channels: {desk: {type: terminal}}\nops:\n  log_level: debug\n", [3]),
        ("channels: {desk: {type: terminal}}\nops: {notices_to: desk}\n", []),
        ("channels: {desk: {type: terminal}}\nops: {log_level: loud}\n", []),
        ("ops: {log_level: debug}\n", []),
    ],
)
def test_that_nobody_hears_of_trouble_is_a_warning(
    tmp_path: Path, yaml: str, warned: list[int]
) -> None:
    """Who has channels but sends no notices to any is told, and only told: it may be meant.

    Not so where the terminal is all there is, or where a mistake is in the way.
    """
    write(tmp_path, feeds_yaml=FEED, topics_yaml="- Floods\n", wirewatch_yaml=yaml)
    problems = examine(tmp_path, {}).problems
    found = [one for one in problems if "notices go to the log only" in one.message]
    assert [(one.line, one.severity) for one in found] == [(line, "warning") for line in warned]
    assert all("ops.notices_to" in one.message for one in found)


def test_every_mistake_is_found_in_one_go(tmp_path: Path) -> None:
    """Mistakes in several files, and several in one item, are all reported at once."""
    write(
        tmp_path,
        feeds_yaml="feeds:\n  - {id: a, url: nowhere, language: xx, kind: y}\n",
        topics_yaml="topics:\n  - {name: Floods, urgency: high, languages: [zz]}\n",
        wirewatch_yaml="route: {to: [dsk], digest: {cron: x}}\nops: {log_level: loud}\n",
    )
    lines = said(tmp_path)
    for words in ("https://", '"xx"', "'sitemap'", "urgency", '"zz"', '"dsk"', '"x"', '"loud"'):
        assert any(words in one for one in lines), (words, lines)


def test_what_is_bad_stops_nothing_else(tmp_path: Path) -> None:
    """A bad feed, topic, file, channel and branch are left out; all others are there."""
    write(
        tmp_path,
        feeds_yaml="feeds:\n  - {id: bad, url: x}\n  - {id: good, url: https://g.example}\n",
        feeds__broken_yaml="feeds: [\n",
        feeds__broken_opml="this is not XML",
        topics_yaml="topics:\n  - {name: Floods, wrong: 1}\n  - Fires\n",
        topics__broken_yaml="\tx",
        wirewatch_yaml=(
            "channels:\n  bad: {type: slack, token: '${MISSING}', channel: C1}\n"
            "  good: {type: webhook, url: 'https://hook.example/'}\n"
            "route:\n  to: [bad, good]\n  routes:\n"
            "    - {to: good, wrong: 1}\n    - {to: good}\n"
        ),
    )
    config, problems = load_tolerant(tmp_path, {})
    assert [feed.id for feed in config.feeds] == ["good"]
    assert [topic.id for topic in config.topics] == ["fires"]
    assert set(config.channels) == {"good"}
    assert config.route.to == ("bad", "good") and len(config.route.routes) == 1
    files = {Path(problem.file).name for problem in problems if problem.severity == "error"}
    assert files == {
        "feeds.yaml", "broken.yaml", "broken.opml", "topics.yaml", "wirewatch.yaml"
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["store: {url: nonsense}\n", "stor: {}\n", "polling: {timeout: x}\n", "a: [\n", "\xff"]
)
def test_the_service_does_not_start_on_wrong_settings_of_its_own(tmp_path: Path, text: str) -> None:
    """A fault in the store's or the service's settings is refused even when being tolerant."""
    (tmp_path / "wirewatch.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError):
        load_tolerant(tmp_path, {})


def test_a_reference_to_something_broken_is_reported_once(tmp_path: Path) -> None:
    """A topic that names a feed with a mistake of its own is not blamed for it."""
    write(
        tmp_path,
        feeds_yaml="feeds:\n  - {id: wire, url: nowhere}\n",
        topics_yaml="topics:\n  - {name: Floods, feeds: [wire]}\n",
    )
    assert len(said(tmp_path)) == 1


def test_a_folder_that_is_not_there_is_a_problem_not_a_traceback(tmp_path: Path) -> None:
    """A missing folder, a file instead of one and an empty one are each explained."""
    assert "wirewatch init" in said(tmp_path / "none")[0]
    write(tmp_path, topics_yaml="- Floods\n")
    assert "name the folder" in said(tmp_path / "topics.yaml")[0]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert all("warning" in line for line in said(empty))
    assert load_config(empty, {}).topics == ()


def test_a_directory_or_link_in_the_place_of_a_file_is_explained(tmp_path: Path) -> None:
    """A folder, a pipe or a dangling link in the place of a file gives a problem that names it."""
    (tmp_path / "topics.yaml").mkdir()
    os.mkfifo(tmp_path / "wirewatch.yaml")
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "gone.yaml").symlink_to(tmp_path / "nowhere")
    lines = said(tmp_path)
    assert any("topics.yaml:1: this is not a file" in line for line in lines)
    assert any("wirewatch.yaml:1: this is not a file" in line for line in lines)
    assert any("gone.yaml:1: the file cannot be read" in line for line in lines)


def test_a_folder_without_permission_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may not be listed is a problem that says so."""

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    lines = said(tmp_path)
    assert any("cannot be read: Permission denied; check its permissions" in x for x in lines)
    with pytest.raises(ConfigError):
        load_tolerant(tmp_path, {})


def test_misnamed_files_are_pointed_out(tmp_path: Path) -> None:
    """A file whose name is nearly right would be ignored in silence; a warning says so."""
    write(tmp_path, topic_yaml="- Floods\n", feeds_yaml=FEED)
    assert any('topic.yaml is not read; should it be "topics.yaml"?' in x for x in said(tmp_path))


def test_two_feeds_of_one_address_are_a_warning(tmp_path: Path) -> None:
    """The same address twice is named with the first place, and the service still starts."""
    write(
        tmp_path,
        feeds_yaml="feeds:\n  - https://a.example/rss\n  - {id: b, url: http://A.example/rss/}\n",
    )
    lines = said(tmp_path)
    assert any("warning" in x and "same address" in x and "feeds.yaml:2" in x for x in lines)
    assert len(load_config(tmp_path, {}).feeds) == 2


def test_the_store_address_comes_from_the_environment(tmp_path: Path) -> None:
    """REDIS_URL is used where the file gives no address, and the file wins where it does."""
    url = load_config(tmp_path, {"REDIS_URL": "redis://r.example:6379/0"}).store.url
    assert url is not None and url.get_secret_value() == "redis://r.example:6379/0"
    write(tmp_path, wirewatch_yaml="store: {url: 'redis://file.example', prefix: x}\n")
    store = load_config(tmp_path, {"REDIS_URL": "redis://r.example:6379/0"}).store
    assert store.url is not None and store.url.get_secret_value() == "redis://file.example"


def test_a_store_address_from_the_environment_is_checked(tmp_path: Path) -> None:
    """A mistake in REDIS_URL is said as one in the file would be, and the service does not start;
    of a cluster, the address has to agree with the prefix."""
    write(tmp_path, wirewatch_yaml="store: {prefix: desk}\n")
    env = {"REDIS_URL": "redis+cluster://one.example,two.example:7000/ww"}
    assert any("REDIS_URL" in line and 'write "/desk"' in line for line in said(tmp_path, env))
    with pytest.raises(ConfigError, match="REDIS_URL"):
        load_tolerant(tmp_path, env)
    assert load_config(tmp_path, {"REDIS_URL": env["REDIS_URL"].replace("ww", "desk")})


def test_files_are_named_as_seen_from_the_folder(tmp_path: Path) -> None:
    """owners_file and ca_file stand beside the configuration; a missing one is a mistake."""
    write(tmp_path, wirewatch_yaml="events:\n  owners_file: owners.yaml\n")
    assert any(x.startswith("wirewatch.yaml:2: there is no file") for x in said(tmp_path))
    write(tmp_path, owners_yaml="Group: [A, B]\n")
    assert load_config(tmp_path, {}).events.owners_file == str(tmp_path / "owners.yaml")


def test_real_development_topics_load(data_folder: Path) -> None:
    """The topics used for measuring load without a complaint but that there are no feeds."""
    reading = examine(data_folder / "topics_dev", {})
    assert len(reading.config.topics) == 6
    assert [problem.severity for problem in reading.problems] == ["warning"]


def test_days_and_times_may_be_written_as_people_do(tmp_path: Path) -> None:
    """Whole names of days, capitals, and an hour of one figure; what is neither stays a mistake."""
    folder = tmp_path / "config"
    folder.mkdir()
    text = "time_intervals:\n  w: {start: '6:30', end: '9:00', days: [Monday, tues, SAT.]}\n"
    (folder / "wirewatch.yaml").write_text(text)
    (folder / "feeds.yaml").write_text("- https://wire.example/rss\n")
    (folder / "topics.yaml").write_text("- X\n")
    config = load_config(folder, {})
    (week,) = config.time_intervals["w"]
    assert (week.start, week.end, week.days) == ("06:30", "09:00", ("mon", "tue", "sat"))
    assert config.topics[0].name == "X"
    (folder / "wirewatch.yaml").write_text(text.replace("tues", "tomorrow"))
    with pytest.raises(ConfigError, match="choose one of"):
        load_config(folder, {})
