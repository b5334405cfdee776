"""The nouns of Wirewatch, as frozen values. See docs/reference/vocabulary.md.

Instants are Unix seconds (UTC, `float`); durations are seconds. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from monitor.reasons import AlertReason, SuppressionReason

Vector = npt.NDArray[np.float32]  # shape (d,), unit length
Matrix = npt.NDArray[np.float32]  # shape (n, d), rows of unit length


@dataclass(frozen=True, slots=True)
class Entry:
    """One parsed item of a feed, cleaned: plain text, http(s) link, no control characters.

    `guid` is the publisher's own identifier, byte for byte, or "". `published` is what the
    publisher claims, or None; it is never trusted on its own. `outlet` is whose report a feed that
    gathers others' says it is (RSS `source`). `fingerprint` is the hash of what
    the entry says and `length` how much that is (`identity.content_hash`); they are there even
    where summary and content were left out, because the reader has them already.
    """

    guid: str
    title: str
    link: str = ""
    summary: str = ""
    content: str = ""
    published: float | None = None
    updated: float | None = None
    author: str = ""
    language: str = ""
    outlet: str = ""
    fingerprint: str = ""
    length: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """A de-duplicated, cleaned entry: the unit that is embedded and told.

    `body` is the full text where the feed (or the article page) gives one; paragraphs are
    separated by blank lines. `published` is the publisher's time made plausible (never in the
    future); `seen_at` is when a poll first met it. `revises` is the id of the story of which this
    is an edited version. `baseline` marks what was already out there when the feed was first read.
    `outlet` is whose report the feed says it is, where it gathers those of others; `source` and
    `owner` never follow from that. `trace` is the id of the fetch it came from and follows it to
    the receipt.
    """

    id: str
    title: str
    url: str = ""
    summary: str = ""
    body: str = ""
    feed_id: str = ""
    source: str = ""
    owner: str = ""
    trust: str = ""  # of its source, a word of `Trust`; "" in stories of earlier versions
    tags: tuple[str, ...] = ()
    language: str = ""
    published: float = 0.0
    seen_at: float = 0.0
    author: str = ""
    outlet: str = ""
    revises: str = ""
    baseline: bool = False
    stale: bool = False
    trace: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict without empty fields, id and title apart."""
        kept = ("id", "title")
        return {k: v for k, v in asdict(self).items() if k in kept or v not in ("", (), False)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild a story from `to_dict`; unknown keys are ignored (newer writers, older readers).

        Raises:
            KeyError: `id` or `title` is missing.
        """
        known = {name: data[name] for name in cls.__slots__ if name in data}
        known["id"], known["title"] = str(data["id"]), str(data["title"])
        known["tags"] = tuple(known.get("tags", ()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a story short enough for the model to read whole.

    `kind` is "title" (the headline alone), "lead" (title and summary) or "body". `text` is what
    is shown as evidence; `embedded` is what the model reads (a body passage carries its headline).
    """

    index: int
    kind: str
    text: str
    embedded: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What the topic judge said of a story.

    `topics` names all the topics that it was asked about; those that the encoder already kept out
    have no answer. An answer is a logit and the passage that was read. Topics go by
    `topic_judge.fingerprint`, so that an edited topic has no answer until it is judged anew.
    `second` is what a desk's own language model said: whether it belongs, and why.
    """

    topics: str
    answers: Mapping[str, tuple[float, int]]
    second: Mapping[str, tuple[bool, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddedStory:
    """A story with its passages and one unit vector for each, in the same order.

    `happening` is a unit vector of headline and lead in which reports of one happening are near
    one another, whatever their subject has in common with others; empty where the model has no
    such view. `levels` is how likely the story is at least routine, notable, major and flash
    (severity); empty where it was not read for that.
    """

    story: Story
    passages: tuple[Passage, ...]
    vectors: Matrix  # shape (len(passages), d)
    model: str  # fingerprint of the model that made the vectors
    happening: Vector = field(default_factory=lambda: np.zeros(0, np.float32))
    judged: Judged | None = None  # None: no judge was there, or it failed
    levels: tuple[float, ...] = ()

    def headline_and_lead(self, most: int | None = None) -> str:
        """Return what models read of a story at once, at most so many characters of the lead."""
        leads = [passage.text for passage in self.passages if passage.kind == "lead"]
        return f"{self.passages[0].text}. {leads[0][:most]}" if leads else self.passages[0].text


@dataclass(frozen=True, slots=True)
class Match:
    """One story against one topic.

    `score` is calibrated, 0 to 1, and means the same for every topic and model; `line` is the
    score from which the topic fires. `raw` is the model's own similarity (a cosine), for the
    curious. `evidence` is the passage that decided, `nearest` the phrase of the topic closest to
    it. When `fired` is false, `reason` says why. `moved` says, in a sentence, whose answer moved
    the line for this story, "" if none did. `second` is what a desk's own language model said.
    """

    topic: str
    score: float
    line: float
    fired: bool
    raw: float = 0.0
    evidence: str = ""
    passage: int = 0
    nearest: str = ""
    terms: tuple[str, ...] = ()
    reason: SuppressionReason | None = None
    moved: str = ""
    second: str = ""
    # "judge", "encoder" (no answer was there), "screened" (kept from the judge), "agreed" (judge
    # and language model), "language_model" (held back by it)
    judged: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a story belongs: its event, whether it is a copy, and what it adds.

    `copy_of` is the id of the story it repeats, or "". `why` is a short human sentence.
    `similarity` is the score that decided (0 to 1). `novelty` is the sentence of the story, word
    for word, that says what is new against the event so far ("" if nothing is).
    `sources` are the owners that reported the event independently, this story included; `outlets`
    are their names as readers know them, in the same order.
    """

    story: str
    event: str
    copy_of: str = ""
    copy_kind: str = ""
    new_event: bool = False
    similarity: float = 0.0
    why: str = ""
    novelty: str = ""
    corrects: tuple[str, ...] = ()  # earlier stories of its own owner that it corrects
    sources: tuple[str, ...] = ()
    trusts: tuple[str, ...] = ()  # of each of `sources`, the best word of `Trust` it has
    size: int = 1
    merged: tuple[str, ...] = ()  # ids of events that this one absorbed just now
    moved: tuple[tuple[str, str, str], ...] = ()  # (story, from event, to event): parted just now
    repeated: bool = False  # the story was assigned before: nothing may change
    copy_of_old: bool = False  # it repeats what its own owner had at baseline, or stale
    novelty_kind: str = ""  # "correction", "outcome", "number", "status" or "name"
    outlets: tuple[str, ...] = ()


MACHINE = "machine translation"


@dataclass(frozen=True, slots=True)
class Alert:
    """Topic x event: the decision to tell someone, with its reason and its grounds.

    `id` is deterministic (topic, event, story, reason), so deciding twice tells once.
    `parent` is the id of the topic's first alert on this event; equal to `id` for a first alert.
    `sources` are owners, who count; `outlets` are their names as readers know them, in the same
    order, and `trusts` a word of `Trust` for each. `novelty` is the sentence of the story that is
    new to the event, word for word; `note` holds words of our own: a spike's figures, a level that
    rose. `was` is the headline that a correction took back. `foreign` is the name of the story's
    language where the newsroom does not read it; `gist` is then a headline that it reads, and
    `gist_from` the outlet that wrote it, or MACHINE. `recap` is what a desk's own language model
    makes of the event's lines so far, `recap_of` their outlets. All six are filled in before
    sending. `also` names the other topics that a message tells of with this alert.
    """

    id: str
    topic: str
    topic_name: str
    event: str
    reason: AlertReason
    story: Story
    score: float
    line: float
    evidence: str = ""
    nearest: str = ""
    terms: tuple[str, ...] = ()
    novelty: str = ""
    sources: tuple[str, ...] = ()
    story_count: int = 1
    urgency: str = "normal"
    decided_at: float = 0.0
    parent: str = ""
    updates: str = "thread"
    topic_tags: tuple[str, ...] = ()
    severity: str = ""  # a word of `Severity`; "" where it is not known
    gravest: str = ""  # the gravest level told of the event, this alert's included
    outlets: tuple[str, ...] = ()
    trusts: tuple[str, ...] = ()
    was: str = ""
    foreign: str = ""
    gist: str = ""
    gist_from: str = ""
    recap: str = ""
    recap_of: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    note: str = ""

    @property
    def is_update(self) -> bool:
        """Whether this follows an earlier alert of the same topic and event."""
        return self.parent not in ("", self.id)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        data = {name: getattr(self, name) for name in self.__slots__ if name != "story"}
        data["story"] = self.story.to_dict()
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild an alert from `to_dict`; unknown keys are ignored."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        known["story"] = Story.from_dict(data["story"])
        known["reason"] = AlertReason(data["reason"])
        for name in ("terms", "sources", "topic_tags", "outlets", "trusts", "also", "recap_of"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Suppression:
    """Topic x story: the decision not to tell, and why."""

    topic: str
    story: str
    event: str
    reason: SuppressionReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert on its way to one channel.

    `id` is `alert.id@channel`. `kind` is "alert", "update", "digest" or "notice" (a word from
    operations, without alert: `notice` holds its text). `attempts` counts sends that were begun.
    A digest carries its `alerts`, best first, and a title in `notice`; beside an `alert`, `alerts`
    are those of other topics that its message tells as well;
    `more` counts those of a flood that it does not list;
    `mention` is whom a critical alert calls by its route, instead of by its channel;
    `follows` is the notification under whose message it goes (the further pages of a digest).
    `remaining` are the recipients still to be reached after a part was. `silence` is the id of the
    silence that a notice tells of, for an undo button.
    """

    id: str
    channel: str
    kind: str
    alert: Alert | None = None
    alerts: tuple[Alert, ...] = ()
    follows: str = ""
    remaining: tuple[str, ...] = ()
    notice: str = ""
    more: str = ""
    mention: tuple[str, ...] = ()
    silence: str = ""
    created_at: float = 0.0
    due: float = 0.0
    attempts: int = 0
    held_for: str = ""
    last_error: str = ""
    trace: str = ""

    @property
    def listed(self) -> tuple[Alert, ...]:
        """The alerts that a digest lists; none where one alert is the message."""
        return () if self.alert else self.alerts

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        data = {name: getattr(self, name) for name in self.__slots__ if "alert" not in name}
        data["alert"] = self.alert.to_dict() if self.alert else None
        data["alerts"] = [alert.to_dict() for alert in self.alerts]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild a notification from `to_dict`; unknown keys are ignored."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        known["alert"] = Alert.from_dict(data["alert"]) if data.get("alert") else None
        known["alerts"] = tuple(Alert.from_dict(item) for item in data.get("alerts", ()))
        known["remaining"] = tuple(data.get("remaining", ()))
        known["mention"] = tuple(data.get("mention", ()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a notification.

    `state` is "sent" (the channel took it), "dropped" (a silence held it back), "folded" (it went
    into a digest) or "dead" (set aside as a dead letter); `note` says more. `ref` is the channel's
    own handle: Slack "channel:ts", an e-mail's Message-ID, "" where the service gives none.
    `thread` is the handle under which updates go. `until` is when the silence that
    dropped it ends.
    """

    notification: str
    channel: str
    at: float
    ref: str = ""
    thread: str = ""
    attempts: int = 1
    note: str = ""
    state: str = ""  # "" in records of earlier versions; see `receipt_state`
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Thread:
    """The message on one channel that updates of an alert go under.

    `ref` is the channel's own handle ("C012:1700000000.000100", a Message-ID). `alert` is what the
    message shows now, `subject` the subject line of an e-mail. `digest` marks a message that holds
    many alerts: updates go under it, but it is not edited.
    """

    ref: str
    alert: Alert | None = None
    subject: str = ""
    digest: bool = False


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is remembered of a feed between polls; written only together with what it covers.

    `version` rises by one with every commit and guards against two pollers deciding at once.
    `rhythm` holds 168 decayed counts of items by hour of the week (UTC, Monday 00 first).
    """

    feed_id: str
    url: str
    version: int = 0
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    last_poll: float = 0.0
    last_success: float = 0.0
    next_due: float = 0.0
    interval: float = 0.0
    failures: int = 0
    last_reason: str = ""
    last_error: str = ""
    status: int = 0
    latency: float = 0.0
    polls: int = 0
    unchanged: int = 0
    items: int = 0
    last_item: float = 0.0
    baselined: bool = False
    ended: bool = False
    redirect_to: str = ""
    redirect_since: float = 0.0
    title: str = ""
    hub: str = ""
    topic_url: str = ""
    rhythm: tuple[float, ...] = field(default_factory=tuple)
    rhythm_at: float = 0.0
    started: float = 0.0
    heat: float = 0.0  # new items of late, halved every half hour; tightens the interval
    heat_at: float = 0.0
    ttl: float = 0.0  # what the document itself asks for, seconds
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    source_key: str = ""  # digest of the configured address, to notice when it changes
    validated_key: str = ""  # digest of the address that gave etag and last_modified
    moved_to: str = ""  # adopted permanent redirect
    link: str = ""
    language: str = ""
    recent: tuple[str, ...] = ()  # the last polls, see `monitor.polling.recent_polls`
