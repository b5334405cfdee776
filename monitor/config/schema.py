"""The settings, typed: one class for each part of the configuration, with its defaults.

Field descriptions are the reference documentation (docs/reference/configuration.md and the JSON
Schemas are generated from them), so they are written for the person who fills in the file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from monitor.config.mail_addresses import Addresses
from monitor.config.services import LanguageModelSettings, TranslationSettings
from monitor.config.services import Settings as Settings
from monitor.config.subscription_schema import DigestTimes, StoredSubscription
from monitor.config.subscription_schema import Subscription as Subscription
from monitor.config.topic_schema import Gate as Gate
from monitor.config.topic_schema import MinSources as MinSources
from monitor.config.topic_schema import Topic as Topic
from monitor.config.topic_schema import TopicAlerting as TopicAlerting
from monitor.config.value_types import (
    Days,
    Duration,
    Mentions,
    Slug,
    TimeOfDay,
    Words,
    Zone,
    ZoneOrNone,
    as_list,
)


class FeedSource(Settings):
    """One feed to watch."""

    id: Slug = Field(
        description="Short name, for logs, topics and commands. Default: made from name or url."
    )
    url: str = Field(
        description="Address of the feed (http or https). May hold ${VARIABLES}.", repr=False
    )
    name: str = Field("", description="Outlet as readers know it. Default: the feed's own title.")
    owner: str = Field(
        "", description="Who owns the outlet; outlets of one owner count as one source."
    )
    trust: Literal["", "wire", "official", "established", "local", "state", "unknown"] = Field(
        "",
        description="How far it may be relied on; see docs/how-to/trust.md. Default: by a table "
        "of hosts, else unknown.",
    )
    tags: Words = Field((), description="Words to select feeds by, in topics and routes.")
    language: str = Field("", description="Language of the feed (en, uk, …) if it does not say.")
    kind: Literal["auto", "feed", "sitemap"] = Field(
        "auto", description="auto tells feeds and news sitemaps apart by themselves."
    )
    interval: Duration | None = Field(None, description="Poll this often, whatever the rhythm.")
    full_text: bool = Field(
        False, description="Fetch each article's page for its full text, where robots.txt allows."
    )
    undated: Literal["old", "news"] = Field(
        "old", description="What an item without a date is in a feed that dates its items."
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Extra request headers; sent to this feed's host only."
    )
    username: str = Field("", description="For feeds behind HTTP Basic authentication.")
    password: SecretStr | None = Field(None, description="Write ${VARIABLE}, never the password.")
    websub: bool = Field(True, description="Subscribe to the feed's hub where it names one.")
    enabled: bool = Field(True, description="false keeps the feed in the file but does not poll.")


MENTION = "Whom critical alerts call: @here, @channel, or the ID of a user (U…) or user group (S…)."


class ChannelSettings(Settings):
    """What every channel may have."""

    timezone: ZoneOrNone = Field(
        "", description="Zone of the times in its messages (IANA). Default: ops.timezone."
    )


class TerminalChannel(ChannelSettings):
    """Alerts in the terminal of `wirewatch run` (and in the notifier's output)."""

    type: Literal["terminal"] = Field(description="The kind of channel.")
    colour: bool = Field(True, description="Use colours where the terminal has them.")


class SlackChannel(ChannelSettings):
    """A Slack channel, posted to as a bot (threads, edits, buttons, look-up before a resend)."""

    type: Literal["slack"] = Field(description="The kind of channel.")
    token: SecretStr = Field(description="Bot token. Write ${SLACK_BOT_TOKEN}.")
    channel: str = Field(description="Channel ID (C0123ABCD), not its name.")
    app_token: SecretStr | None = Field(
        None, description="App-level token for buttons by Socket Mode. Write ${SLACK_APP_TOKEN}."
    )
    signing_secret: SecretStr | None = Field(
        None, description="For buttons by signed HTTP. Write ${SLACK_SIGNING_SECRET}."
    )
    mention: Mentions = Field((), description=MENTION)
    api_url: str = Field("https://slack.com/api/", description="Another host for tests, gateways.")


class SlackWebhookChannel(ChannelSettings):
    """A Slack incoming webhook: can post, but neither thread nor edit."""

    type: Literal["slack_webhook"] = Field(description="The kind of channel.")
    url: SecretStr = Field(description="Webhook URL. Write ${SLACK_WEBHOOK_URL}.")
    mention: Mentions = Field((), description=MENTION)


class EmailChannel(ChannelSettings):
    """E-mail over SMTP."""

    type: Literal["email"] = Field(description="The kind of channel.")
    host: str = Field(description="The mail server.")
    port: int = Field(587, description="587 is usual for starttls, 465 for tls.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="none only inside a trusted network."
    )
    username: str = Field("", description="Log in under this name. Default: no login.")
    password: SecretStr | None = Field(None, description="Write ${SMTP_PASSWORD}.")
    sender: str = Field(alias="from", description="Wirewatch <alerts@example.org>")
    to: Addresses = Field(
        description="One or more addresses: a list, or one line with commas or semicolons."
    )
    list_id_domain: str = Field("", description="Domain for List-Id. Default: the sender's.")
    unsubscribe: str = Field("", description="https address for one-click unsubscribe (RFC 8058).")
    ca_file: str = Field(
        "", description="Certificates for private mail servers: a file beside this one."
    )


class WebhookChannel(ChannelSettings):
    """A signed JSON webhook (schema in docs/reference/webhook.md)."""

    type: Literal["webhook"] = Field(description="The kind of channel.")
    url: SecretStr = Field(description="Where to post. Write ${VARIABLE} if it holds a secret.")
    secret: SecretStr | None = Field(None, description="Key of the HMAC-SHA256 signature.")
    format: Literal["wirewatch", "ninjs"] = Field("wirewatch", description="Form of the body.")


class AppriseChannel(ChannelSettings):
    """Anything Apprise knows: Teams, Discord, Telegram, PagerDuty, …"""

    type: Literal["apprise"] = Field(description="The kind of channel.")
    url: SecretStr = Field(description="An Apprise URL. Write ${VARIABLE}.")


Channel = Annotated[
    TerminalChannel
    | SlackChannel
    | SlackWebhookChannel
    | EmailChannel
    | WebhookChannel
    | AppriseChannel,
    Field(discriminator="type"),
]


class TimeInterval(Settings):
    """A named stretch of the week. Start inclusive, end exclusive; may cross midnight."""

    start: TimeOfDay = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description='"22:00"')
    end: TimeOfDay = Field(pattern=r"^([01]\d|2[0-4]):[0-5]\d$", description='"07:00"')
    days: Days = Field((), description="Default: every day.")
    timezone: Zone = Field("UTC", description="IANA name, such as Europe/London.")


Intervals = Annotated[
    tuple[TimeInterval, ...],
    BeforeValidator(as_list, json_schema_input_type=TimeInterval | list[TimeInterval]),
]


class RouteMatch(Settings):
    """What a route takes. Every key given must hold; within a key any value will do."""

    topics: Words = Field((), description="Ids of topics; `*` stands for any letters.")
    labels: Words = Field((), description="Labels of topics.")
    urgency: Words = Field((), description="low, normal, high, critical.")
    severity: Words = Field((), description="routine, notable, major, flash.")
    trust: Words = Field(
        (), description="Trust of the story's source: wire, official, established, local, …"
    )
    feeds: Words = Field((), description="Ids of the feeds a story came from.")
    tags: Words = Field((), description="Tags of the feeds a story came from.")
    languages: Words = Field((), description="Languages of stories.")


class DigestPlan(Settings):
    """Send on a schedule instead of at once."""

    cron: str = Field("", description='Five fields, as for cron: "0 7,18 * * mon-fri".')
    at: DigestTimes = Field((), description='Instead of cron, times of every day: ["08:00"].')
    timezone: Zone = Field("UTC", description="IANA name, such as Europe/London.")
    say_nothing_new: bool = Field(False, description="Send a line even when there was nothing.")


class MissedPlan(Settings):
    """Say each day what outside lists of happenings had and was not told. Off without `lists`."""

    lists: Words = Field(
        (),
        description="Feeds by address (your own, a wire's), or files beside this one: a feed, or a "
        "table of day and text.",
    )
    to: Words = Field((), description="Channels that get the message.")
    cron: str = Field("15 7 * * *", description="When: five fields, as for cron.")
    timezone: Zone = Field("UTC", description="IANA name, such as Europe/London.")
    back: Duration = Field(86400.0, description="How far back the happenings reach.")


class Route(Settings):
    """A branch of the routing tree. What a branch does not set, it inherits."""

    match: RouteMatch = Field(default_factory=RouteMatch, description="Default: everything.")
    to: Words = Field((), description="Channels.")
    quiet_hours: Words = Field((), description="Names of time intervals in which alerts are held.")
    mention: Mentions = Field((), description=f"In Slack, instead of the channel's own. {MENTION}")
    digest: DigestPlan | None = Field(None, description="Send on a schedule, not at once.")
    go_on: bool = Field(
        False, alias="continue", description="Look at the following branches as well."
    )
    routes: tuple[Route, ...] = Field((), description="Branches; the first that matches takes it.")


class StoreSettings(Settings):
    """Where state lives."""

    url: SecretStr | None = Field(
        None, description="redis:// or valkey:// address. Default: an embedded Valkey in data_dir."
    )
    data_dir: str = Field("./data", description="Folder of the embedded Valkey.")
    prefix: str = Field("ww", pattern=r"^[a-z0-9-]{1,20}$", description="First part of every key.")
    allow_unsafe: bool = Field(
        False, description="Start on a store that may lose or evict data. Not for newsrooms."
    )
    keep_stories: Duration = Field(14 * 86400.0, description="For explain and backtest.")
    keep_seen: Duration = Field(90 * 86400.0, description="How long an entry is remembered.")
    keep_receipts: Duration = Field(30 * 86400.0, description="The notification log.")
    keep_history: Duration = Field(
        365 * 86400.0, description="Alerts and what became of them, for the desk's history."
    )


class EmbeddingSettings(Settings):
    """The model that turns text into vectors."""

    model: str = Field(
        "multilingual-e5-small",
        description="The encoder that comes with Wirewatch (it has a judge), a folder, or the name "
        "of a sentence-transformers model.",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto takes bf16 where the processor computes in it."
    )
    batch_size: int = Field(64, ge=1, le=1024, description="Texts the model takes at once.")
    linger: Duration = Field(0.25, description="How long a batch waits to fill.")
    max_passages: int = Field(24, ge=1, le=200, description="Passages of one story, at most.")
    threads: int = Field(0, ge=0, description="0: as many as the machine has.")
    second_look: str = Field(
        "", description="No longer used; the judge reads every story near a topic."
    )


class PollingSettings(Settings):
    """How feeds are fetched."""

    min_interval: Duration = Field(60.0, description="Floor of the adaptive interval.")
    max_interval: Duration = Field(900.0, description="Ceiling of the adaptive interval.")
    start_interval: Duration = Field(120.0, description="Until a feed's rhythm is known.")
    concurrency: int = Field(64, ge=1, le=2000, description="Fetches at once in one poller.")
    host_spacing: Duration = Field(1.0, description="Least time between requests to one host.")
    timeout: Duration = Field(6.5, description="For one fetch as a whole.")
    max_wire_bytes: int = Field(8_000_000, ge=10_000, description="Of one answer, as it comes.")
    max_body_bytes: int = Field(16_000_000, ge=10_000, description="After decompression.")
    max_redirects: int = Field(5, ge=0, le=10, description="Of one fetch.")
    max_retry_after: Duration = Field(86400.0, description="Cap on what a server may ask for.")
    allow_hosts: Words = Field((), description="Internal hosts or networks (CIDR) to allow.")
    allow_ports: tuple[int, ...] = Field(
        (80, 443, 8000, 8008, 8080, 8443), description="Ports feeds may be fetched from."
    )
    contact: str = Field("", description="URL or address put into the User-Agent.")
    baseline_stories: int = Field(
        20, ge=0, le=500, description="Of a feed's first reading, so many are analysed (silently)."
    )
    stale_after: Duration = Field(7 * 86400.0, description="Unknown entries older than this.")
    parser_processes: int = Field(0, ge=0, le=64, description="0: one for each processor.")
    parse_timeout: Duration = Field(3.0, description="For one document.")
    parse_memory: int = Field(
        64_000_000,
        ge=32_000_000,
        description="Bytes one document may cost its parser, over the parser's idle size.",
    )
    max_cache_age: Duration = Field(
        21600.0, description="Cap on how long cache headers and <ttl> may keep us away."
    )
    max_backlog: int = Field(
        50_000,
        ge=100,
        description="While so many stories wait, only feeds of which none waits are polled.",
    )
    public_url: str = Field("", description="Where hubs can reach us, for WebSub.")


class EventSettings(Settings):
    """How stories gather into events."""

    window: Duration = Field(72 * 3600.0, description="How long an event stays open.")
    owners_file: str = Field(
        "", description="YAML beside this file: which outlets belong together."
    )


class OpsSettings(Settings):
    """What operators want to know, and where."""

    http_host: str = Field("127.0.0.1", description="Where /metrics, /healthz, /readyz answer.")
    http_port: int = Field(0, ge=0, le=65535, description="0: no HTTP.")
    log_format: Literal["human", "json"] = Field("human", description="json for log collectors.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged."
    )
    timezone: Zone = Field(
        "UTC", description="Zone of the times in messages (IANA); a channel may have its own."
    )
    languages: Words = Field(
        ("en",),
        description="Languages the newsroom reads. Alerts in others name theirs, and show a "
        "headline in the first of these where there is one.",
    )
    notices_to: Words = Field(
        (), description="Channels for the watchdog's notices. Default: the log only."
    )
    notice_every: Duration = Field(
        3600.0,
        description="The same notice, at most this often; on feeds and topics, any of one kind.",
    )
    canary_every: Duration = Field(300.0, description="How often a synthetic story is sent round.")


class DeskSettings(Settings):
    """The desk: pages, feeds and an API, and who may use them."""

    enabled: bool = Field(True, description="false: `wirewatch run` opens no desk.")
    host: str = Field(
        "127.0.0.1",
        description="Where the desk answers. Elsewhere than on this machine it needs "
        "`user_header`, an API token, or `published_on_loopback`.",
    )
    port: int = Field(
        8484, ge=0, le=65535, description="If it is taken and not set here, another free one."
    )
    user_header: str = Field(
        "",
        pattern=r"^[A-Za-z0-9-]{0,80}$",
        description="Header in which a reverse proxy names the person: X-Forwarded-User.",
    )
    trusted_proxies: Words = Field(
        (), description="Addresses or networks (CIDR) of the proxies whose header counts."
    )
    editors: Words = Field(
        (),
        description="People named by the proxy who may change things; `*` for all. Others read.",
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s<>\"]+)?$",
        description="Where people reach the desk: mails then link to it, to answer and to mute.",
    )
    published_on_loopback: bool = Field(
        False, description="In a container: its port is published on the host's loopback only."
    )


class WirewatchFile(Settings):
    """`wirewatch.yaml`: everything but feeds and topics."""

    store: StoreSettings = Field(default_factory=StoreSettings, description="Where state lives.")
    embedding: EmbeddingSettings = Field(
        default_factory=EmbeddingSettings, description="The model that turns text into vectors."
    )
    polling: PollingSettings = Field(
        default_factory=PollingSettings, description="How feeds are fetched."
    )
    events: EventSettings = Field(
        default_factory=EventSettings, description="How stories gather into events."
    )
    ops: OpsSettings = Field(default_factory=OpsSettings, description="Health, logs, notices.")
    translation: TranslationSettings = Field(
        default_factory=TranslationSettings,
        description="A translation service for headlines in other languages (optional).",
    )
    language_model: LanguageModelSettings = Field(
        default_factory=LanguageModelSettings, description="A second judge near a line (optional)."
    )
    missed: MissedPlan = Field(
        default_factory=MissedPlan, description="A daily message of what was missed (optional)."
    )
    desk: DeskSettings = Field(
        default_factory=DeskSettings, description="Pages, feeds and an API, and who may use them."
    )
    channels: dict[Slug, Channel] = Field(
        default_factory=dict, description="Where alerts can be sent, by name."
    )
    time_intervals: dict[Slug, Intervals] = Field(
        default_factory=dict, description="Named stretches of the week, for quiet hours."
    )
    route: Route = Field(
        default_factory=Route,
        description="The routing tree. A root without `to` means every configured channel, "
        "or the terminal where there is none.",
    )
    subscriptions: dict[Slug, Subscription] = Field(
        default_factory=dict, description="What single people are sent, by a name for each."
    )


class Config(WirewatchFile):
    """The whole configuration, read, joined and checked."""

    feeds: tuple[FeedSource, ...] = ()
    topics: tuple[Topic, ...] = ()
    subscribed: dict[str, StoredSubscription] = Field(default_factory=dict)  # those in the store

    def subscribers(self) -> dict[str, Subscription]:
        """Return every subscription by its name; those made in Slack are numbered ("#7")."""
        return {**self.subscriptions, **self.subscribed}

    def topic(self, topic_id: str) -> Topic | None:
        """Return the topic of that id, or None."""
        return next((topic for topic in self.topics if topic.id == topic_id), None)

    def zone(self, channel: str) -> str:
        """Return the time zone of the readers of a channel, or of a person who subscribes."""
        settings = self.channels.get(channel)
        if settings is not None:
            return settings.timezone or self.ops.timezone
        personal = (one for one in self.subscribers().values() if one.recipient == channel)
        return next((one.timezone for one in personal if one.timezone), self.ops.timezone)
