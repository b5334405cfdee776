"""Mistakes a type cannot see, found in one feed, topic, channel, interval or route by itself.

Each check takes one validated part and yields its findings; nothing here does I/O. Which parts fit
together is the business of `references`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import idna
from pydantic import SecretStr

from monitor.config.cron import cron_fault
from monitor.config.languages import language_fault
from monitor.config.mail_addresses import read_mail_address
from monitor.config.names import nearest
from monitor.config.problems import ConfigProblem
from monitor.config.schema import (
    Channel,
    DigestPlan,
    EmailChannel,
    FeedSource,
    MissedPlan,
    SlackChannel,
    SlackWebhookChannel,
    StoreSettings,
    Subscription,
    TerminalChannel,
    TimeInterval,
    Topic,
)
from monitor.config.store_address import read_address
from monitor.config.yaml_source import Loc


def url_fault(url: str) -> str:
    """Return "" for an http(s) address that can be fetched, else what is wrong with it.

    The address itself is not repeated: it may hold a secret.
    """
    if not url.strip():
        return "the address is empty; write one that starts with https://"
    if url != url.strip() or any(ch.isspace() or ord(ch) < 32 for ch in url):
        return "the address holds a blank or a line break; take it out or write %20"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "the address is malformed; check host and port"
    if parts.scheme == "feed":
        return 'browsers understand "feed:", servers do not; write https:// instead'
    if parts.scheme not in ("http", "https"):
        known = nearest(parts.scheme, ("http", "https")) if "://" in url else ""
        advice = f"did you mean {known}://?" if known else "write it with https:// in front"
        return f"the address does not start with http:// or https://; {advice}"
    if not host:
        return "the address has no host; write it as https://host/path"
    if re.fullmatch(r"\d+(\.\d+){4,}", host):
        return "the host in the address has more than four numbers; correct it"
    if ":" not in host and not _is_host(host):
        return "the host in the address is malformed; check its dots and hyphens"
    if "." not in host and ":" not in host and host != "localhost":
        return ""  # a name of an internal network, such as a compose service
    return ""


def _is_host(host: str) -> bool:
    """Whether a name can be one of a host, in ASCII or by IDNA 2008 as browsers read it."""
    host = host.removesuffix(".")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except UnicodeError:
            return False
    return all(
        len(label) <= 63 and re.fullmatch(r"\w(?:[\w-]*\w)?", label, re.ASCII)
        for label in host.split(".")
    )


_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")  # one's own feeds may be polled at will


def check_feed(feed: FeedSource) -> Iterator[ConfigProblem]:
    """Yield what is wrong with one feed."""
    if fault := url_fault(feed.url):
        yield ConfigProblem(("url",), fault)
    if feed.language:
        yield from check_languages((feed.language,), ("language",), indexed=False)
    if feed.password is not None and not feed.username:
        yield ConfigProblem(("password",), "there is a password but no username; add username")
    own = urlsplit(feed.url).hostname in _THIS_MACHINE
    if feed.interval is not None and feed.interval < 10 and not own:
        yield ConfigProblem(
            ("interval",), "a feed polled more often than every 10 s will block us; write 2m or so"
        )
    for name in feed.headers:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            yield ConfigProblem(
                ("headers", name), "this is not the name of an HTTP header; correct it"
            )
        elif name.lower() in ("host", "content-length", "accept-encoding", "connection"):
            yield ConfigProblem(("headers", name), f"{name} is ours to set; take it out")
    for name, value in feed.headers.items():
        if re.search(r"[\r\n\0]", value.get_secret_value()):
            yield ConfigProblem(("headers", name), "the value holds a line break; take it out")


def check_topic(topic: Topic) -> Iterator[ConfigProblem]:
    """Yield what is wrong with one topic, apart from what it means (see monitor.matching)."""
    yield from check_languages(topic.languages, ("languages",))
    for key, gate in (("require", topic.require), ("exclude", topic.exclude)):
        for part, words in (("any", gate.any), ("all", gate.all)):
            for index, word in enumerate(words):
                if not word.strip(" *"):
                    yield ConfigProblem(
                        (key, part, index), f'"{word}" matches anything; write a word or word*'
                    )
                elif re.search(r"[^\W\d]\s*[,;،、，]\s*[^\W\d]", word):
                    yield ConfigProblem(
                        (key, part, index),
                        f'"{word}" is one phrase, its comma included; for several words write a '
                        "list, such as [one, two]",
                        "warning",
                    )
    for key, lines in (("examples", topic.examples), ("not", topic.not_)):
        seen: set[str] = set()
        for index, line in enumerate(lines):
            if not line.strip():
                yield ConfigProblem(
                    (key, index), "this example is empty; write a headline or delete it"
                )
            elif line in seen:
                yield ConfigProblem(
                    (key, index), "this example is here twice; delete one", "warning"
                )
            seen.add(line)
    if topic.fresh_for < 60:
        yield ConfigProblem(
            ("fresh_for",),
            "no story is that fresh, so the topic cannot alert; write 2d or so",
            "warning",
        )
    both = {line.casefold() for line in topic.examples} & {line.casefold() for line in topic.not_}
    for index, line in enumerate(topic.not_):
        if line.casefold() in both:
            yield ConfigProblem(
                ("not", index), "this is also among the examples; decide which it is"
            )


def check_channel(channel: Channel) -> Iterator[ConfigProblem]:
    """Yield what is wrong with one channel."""
    match channel:
        case SlackChannel():
            yield from _slack(channel)
        case EmailChannel():
            yield from _email(channel)
        case TerminalChannel():
            return
        case SlackWebhookChannel():
            yield from _secret_url(channel.url)
        case _ if channel.type == "webhook":
            yield from _secret_url(channel.url)
        case _:
            if "://" not in channel.url.get_secret_value():
                yield ConfigProblem(("url",), "this is not an Apprise URL; write service://…")


def check_interval(interval: TimeInterval) -> Iterator[ConfigProblem]:
    """Yield what is wrong with one time interval."""
    if interval.start == interval.end:
        yield ConfigProblem(
            ("end",),
            'start and end are the same; for a whole day write start: "00:00", end: "24:00"',
        )
    if interval.end > "24:00":
        yield ConfigProblem(("end",), 'a day ends at "24:00"; write a time up to that')


def check_digest(plan: DigestPlan) -> Iterator[ConfigProblem]:
    """Yield what is wrong with a digest's schedule."""
    if bool(plan.cron) == bool(plan.at):
        yield ConfigProblem((), 'a digest needs its times: either at: ["08:00"], or cron')
    elif plan.cron and (fault := cron_fault(plan.cron)):
        yield ConfigProblem(("cron",), fault)


def check_subscription(one: Subscription) -> Iterator[ConfigProblem]:
    """Yield what is wrong with one subscription."""
    if bool(one.slack) == bool(one.mail):
        yield ConfigProblem((), "a subscription names one person: give either slack or mail")
    if one.slack and not re.fullmatch(r"[UW][A-Z0-9]{4,}", one.slack):
        yield ConfigProblem(
            ("slack",),
            f'"{one.slack}" is not a member ID; in Slack, open the person\'s profile and copy the '
            "member ID (U0123ABCD)",
        )
    if one.mail:
        yield from _address(one.mail, ("mail",))


def check_missed(plan: MissedPlan) -> Iterator[ConfigProblem]:
    """Yield what is wrong with the plan of the daily message of what was missed."""
    yield from check_digest(DigestPlan(cron=plan.cron, timezone=plan.timezone))
    for at, where in enumerate(plan.lists):
        if "://" in where and (fault := url_fault(where)):
            yield ConfigProblem(("lists", at), fault)
    if plan.lists and not plan.to:
        yield ConfigProblem(("to",), "name the channels that get the message: to: [desk]")


def check_store(store: StoreSettings) -> Iterator[ConfigProblem]:
    """Yield what is wrong with the store's address."""
    if store.url is None:
        return
    try:
        address = read_address(store.url.get_secret_value())
    except ValueError as error:
        yield ConfigProblem(("url",), str(error))
        return
    if address.kind == "cluster" and address.name != store.prefix:
        yield ConfigProblem(
            ("url",),
            f'on a cluster, the address ends with the prefix of our keys; write "/{store.prefix}" '
            "after the hosts",
        )


_SECRET_NAME = re.compile(
    r"authori[sz]ation|cookie|token|secret|passw|signature|(^|[-_.x])(api)?[-_]?key|(^|[-_])(sig|auth|pw|pass)$",
    re.IGNORECASE,
)


def literal_secret(key: str, value: str) -> bool:
    """Say whether a value written out in the file is one that belongs in the environment.

    `key` is the name of a setting or header. An address holds a secret as a password, in its query
    (`?token=`), or as a part of its path that no person would choose.
    """
    if key in ("token", "app_token", "signing_secret", "password", "secret"):
        return bool(value)
    if key == "url":
        return bool(password_in(value)) or _secret_in_address(value)
    return bool(value) and bool(_SECRET_NAME.search(key))


def _secret_in_address(url: str) -> bool:
    scheme, _, rest = url.partition("://")
    if re.match(r"https?://(hooks\.slack(-gov)?\.com|discord(app)?\.com/api/webhooks)/", url):
        return True
    if scheme not in ("http", "https", "redis", "rediss", "valkey", "valkeys"):
        # an Apprise URL: whatever is more than a host and a plain word is a key to somebody's room
        parts = re.split(r"[/:@?&=]", rest)
        return "@" in rest or any(
            _like_a_key(part, 8) or (part.isdigit() and len(part) >= 8) for part in parts
        )
    try:
        parts_of = urlsplit(url)
        query = parse_qsl(parts_of.query)
    except ValueError:
        return False
    if any(_SECRET_NAME.search(name) and len(value) >= 6 for name, value in query):
        return True
    return any(_like_a_key(part, 20) for part in parts_of.path.split("/"))


def _like_a_key(text: str, length: int) -> bool:
    """Say whether a part of an address looks made by a machine: long, with a mixed word in it."""
    plain = text.rpartition(".")[0] if re.search(r"\.[a-z]{2,5}$", text) else text
    mixed = re.compile(r"(?=[^-_.]*\d)(?=[^-_.]*[A-Za-z])[^-_.]{8,}")
    return len(plain) >= length and any(mixed.fullmatch(word) for word in re.split("[-_.]", plain))


def password_in(url: str) -> str:
    """Return the password written inside an address, or ""."""
    if "@" not in url and "sentinel_password=" not in url:
        return ""
    try:
        parts = urlsplit(url)
        return parts.password or dict(parse_qsl(parts.query)).get("sentinel_password", "")
    except ValueError:
        return ""


def check_languages(
    codes: tuple[str, ...], loc: Loc, *, indexed: bool = True
) -> Iterator[ConfigProblem]:
    """Yield what is wrong with language codes that stand at `loc`, as a list or as one value."""
    for index, code in enumerate(codes):
        fault, severity = language_fault(code)
        if fault:
            yield ConfigProblem((*loc, index) if indexed else loc, fault, severity)


def _slack(channel: SlackChannel) -> Iterator[ConfigProblem]:
    if not re.fullmatch(r"[CDGU][A-Z0-9]+", channel.channel):
        yield ConfigProblem(
            ("channel",),
            "Slack is addressed by the channel's ID, not its name; in Slack, open the channel's "
            "details and copy the ID at the bottom (C0123ABCD)",
        )
    if channel.token.get_secret_value().startswith("xapp-"):
        yield ConfigProblem(
            ("token",), "this is an app-level token; the bot token starts with xoxb-"
        )
    if channel.app_token and channel.app_token.get_secret_value().startswith("xox"):
        yield ConfigProblem(
            ("app_token",), "this is a bot token; the app-level one starts with xapp-"
        )
    if fault := url_fault(channel.api_url):
        yield ConfigProblem(("api_url",), fault)


def _email(channel: EmailChannel) -> Iterator[ConfigProblem]:
    for loc, address in [
        (("from",), channel.sender),
        *((("to", index), to) for index, to in enumerate(channel.to)),
    ]:
        yield from _address(address, loc)
    if not channel.to:
        yield ConfigProblem(("to",), "nobody would get this; write one or more addresses")
    if not 1 <= channel.port <= 65535:
        yield ConfigProblem(("port",), "a port lies between 1 and 65535; 587 is usual, 465 for TLS")
    if channel.username and channel.password is None:
        yield ConfigProblem(("username",), "there is a username but no password; add password")
    if (channel.port, channel.security) in ((465, "starttls"), (587, "tls")):
        right = "tls" if channel.port == 465 else "starttls"
        yield ConfigProblem(
            ("security",),
            f"port {channel.port} speaks {right}, not {channel.security}; write security: {right}, "
            f"or port: {587 if channel.port == 465 else 465}",
            "warning",
        )
    if channel.security == "none" and channel.password is not None:
        yield ConfigProblem(
            ("security",), "the password would travel unprotected; use starttls or tls", "warning"
        )
    if channel.unsubscribe and not channel.unsubscribe.startswith("https://"):
        yield ConfigProblem(("unsubscribe",), "one-click unsubscribe needs an https:// address")


def _address(address: str, loc: Loc) -> Iterator[ConfigProblem]:
    try:
        read_mail_address(address)
    except ValueError as error:
        yield ConfigProblem(loc, str(error))


def _secret_url(url: SecretStr) -> Iterator[ConfigProblem]:
    if fault := url_fault(url.get_secret_value()):
        yield ConfigProblem(("url",), fault)
