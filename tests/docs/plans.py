"""What stands around the commands of each page: how its folder is laid out, what must come of each.

A command without a step must exit with 0 and print no traceback. The hooks do what the page assumes
has happened (a story was told, a delivery failed), and look at what the command has done.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from monitor.alerting.subscription_store import SubscriptionStore
from monitor.config.opml import read_opml
from monitor.config.subscription_schema import StoredSubscription
from monitor.store.client import connect
from monitor.store.keys import Keys
from tests.docs.pages import ROOT, blocks
from tests.docs.terminal import DocsTerminal
from tests.docs.world import CABLE, NEXT, DocsWorld
from tests.support.docker.engine import Engine
from tests.support.waiting import until

Hook = Callable[[DocsWorld, DocsTerminal], Awaitable[None]]
PREFIX = "docs-operators"
LOOKED = r"already out there"


@dataclass(frozen=True)
class Step:
    """What goes with one command.

    `says` must be found in its output (a regular expression); `works` in the log of one that runs
    for ever; `answer` is typed when it asks; `instead` is run in its place, where `{}` is itself.
    """

    code: int = 0
    says: str = ""
    works: str = ""
    answer: str = ""
    instead: str = "{}"
    env: dict[str, str] = field(default_factory=dict)
    before: Hook | None = None
    after: Hook | None = None


@dataclass(frozen=True)
class Plan:
    """How a page is laid out, and its steps by command. `shared`: on the service all pages share.

    `folder` is the name of the folder, `env` what its reader has exported.
    """

    lay: Hook
    steps: dict[str, Step]
    shared: bool = False
    folder: str = "page"
    env: dict[str, str] = field(default_factory=dict)


async def _checkout(world: DocsWorld, terminal: DocsTerminal) -> None:
    world.check_out(terminal.folder)
    world.configure(terminal.folder)
    terminal.env["SLACK_BOT_TOKEN"] = world.slack.bot_token


# --- README.md


async def _slack_has_a_test(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert any("test" in str(post).lower() for post in world.slack.posts())


async def _the_sample_is_from_the_demo(world: DocsWorld, terminal: DocsTerminal) -> None:
    """The alert that the README shows is one that `make demo` prints, but for its times."""

    def timeless(text: str) -> str:
        text = re.sub(r"\d\d:\d\d:\d\d UTC", "HH:MM:SS UTC", text)
        return " ".join(re.sub(r"\d+ s ago", "S s ago", text).split())

    (sample,) = [one for one in blocks(ROOT / "README.md") if one.language == "text"]
    assert timeless(sample.text) in timeless(terminal.said), terminal.said


README = Plan(
    _checkout,
    {
        "make demo": Step(
            says=r"(?s)first report.*held back: .* copy of .*That was the demonstration",
            after=_the_sample_is_from_the_demo,
        ),
        "make run": Step(works=LOOKED),
        "wirewatch check": Step(says="Usable, with 1 warning: 1 feed, 1 topic"),
        'wirewatch topics try "a headline"': Step(says=r"(?s)a headline.*undersea-cables"),
        "wirewatch test-alert": Step(says="world-desk +sent", after=_slack_has_a_test),
        "wirewatch status": Step(says="(?s)1 ok.*all is well"),
        "make test-fast": Step(instead="make -n test-fast", says="not slow"),
        "make test": Step(instead="make -n test", says="-m pytest"),
        "make lint": Step(instead="make -n lint", says="ruff check .*mypy"),
    },
)


# --- CONTRIBUTING.md


async def _copy(world: DocsWorld, terminal: DocsTerminal) -> None:
    world.check_out(terminal.folder, copy=True)
    (terminal.folder / "workers/crooked.py").write_text('"""Crooked."""\nx = [ 1,2 ]\n')
    (terminal.folder / "docs/reference/cli.md").write_text("old")


async def _it_is_straight(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert "x = [1, 2]" in (terminal.folder / "workers/crooked.py").read_text()


async def _it_is_renewed(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert "## wirewatch run" in (terminal.folder / "docs/reference/cli.md").read_text()


CONTRIBUTING = Plan(
    _copy,
    {
        "make test-fast": README.steps["make test-fast"],
        "make test": README.steps["make test"],
        "make lint": README.steps["make lint"],
        "make format": Step(after=_it_is_straight),
        "make docs": Step(after=_it_is_renewed),
    },
)


# --- pages on the service that all share


async def _on_the_shared_service(world: DocsWorld, terminal: DocsTerminal) -> None:
    (terminal.folder / "config").symlink_to(world.service.config)
    terminal.env["SLACK_BOT_TOKEN"] = world.slack.bot_token


async def _a_live_folder(world: DocsWorld, terminal: DocsTerminal) -> None:
    """The live configuration is a stricter one: the difference must show."""
    live = terminal.folder / "live"
    shutil.copytree(terminal.folder / "config", live)
    topics = yaml.safe_load((live / "topics.yaml").read_text())
    topics["topics"][0]["require"] = {"all": ["sturgeon"]}
    (live / "topics.yaml").write_text(yaml.safe_dump(topics))
    world.values["live"] = str(live)


async def _a_list_of_feeds(world: DocsWorld, terminal: DocsTerminal) -> None:
    world.outlets.publish("second", "Bakers brace for a dearer winter")
    (terminal.folder / "subscriptions.opml").write_text(
        "<opml version='2.0'><body><outline text='ports'><outline type='rss' text='Second' "
        f"xmlUrl='{world.outlets.url('second')}'/></outline></body></opml>"
    )


async def _it_is_read(world: DocsWorld, terminal: DocsTerminal) -> None:
    async def asked() -> bool:
        return world.outlets.requests.get("second", 0) > 0

    made = yaml.safe_load((terminal.folder / "config/feeds/subscriptions.yaml").read_text())
    assert made["feeds"][0]["tags"] == ["ports"]
    await until(asked)  # the running service has taken it over


async def _both_are_in_the_list(world: DocsWorld, terminal: DocsTerminal) -> None:
    outlines, faults = read_opml((terminal.folder / "subscriptions.opml").read_bytes())
    assert not faults
    assert {one.url for one in outlines} == {
        world.outlets.url("wire"),
        world.outlets.url("second"),
    }


ANALYSTS = Plan(
    _on_the_shared_service,
    {
        'wirewatch topics try "Missiles knock out two power stations in the east"': Step(
            says=r"Missiles knock out(?s:.*)undersea-cables"
        ),
        "wirewatch topics list": Step(says=r"undersea-cables .*2 examples"),
        "wirewatch backtest": Step(says=rf"fires .*{CABLE}"),
        "wirewatch backtest --against /etc/wirewatch/config": Step(
            before=_a_live_folder, says=r"undersea-cables: \+\d alerts"
        ),
        "wirewatch feedback https://example.org/story --topic undersea-cables --bad": Step(
            says=f"Noted: “{CABLE}” does not belong to undersea-cables"
        ),
        "wirewatch topics answers undersea-cables": Step(
            says=rf"(?s)undersea-cables: not relevant.*“{CABLE}”"
        ),
        "wirewatch topics tune undersea-cables": Step(says="Undersea cables: 1 answers"),
        "wirewatch explain URL": Step(says=rf"(?s){CABLE}.*world-desk: sent"),
        "wirewatch feeds discover https://example.org": Step(says=r"/wire +wire "),
        "wirewatch feeds inspect https://example.org/rss.xml": Step(says=CABLE),
        "wirewatch feeds list": Step(says=r"wire +ok"),
        "wirewatch feeds import subscriptions.opml": Step(
            before=_a_list_of_feeds, says="1 feed written", after=_it_is_read
        ),
        "wirewatch feeds export --output subscriptions.opml": Step(after=_both_are_in_the_list),
    },
    shared=True,
)


async def _both_channels_have_it(world: DocsWorld, terminal: DocsTerminal) -> None:
    world.values["posts"] = str(len(world.slack.posts()))
    assert any("test" in str(taken.mail["Subject"]).lower() for taken in world.smtp.mails)


async def _only_slack_has_another(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert len(world.slack.posts()) == int(world.values["posts"]) + 1


async def _note_the_silence(world: DocsWorld, terminal: DocsTerminal) -> None:
    rows = json.loads((await terminal.run("wirewatch silence list --json")).said)
    (world.values["silence"],) = [row["id"] for row in rows if row["reason"] == "on it"]


NEWSROOMS = Plan(
    _on_the_shared_service,
    {
        "wirewatch test-alert": Step(
            says="(?s)night-editor +sent.*world-desk +sent", after=_both_channels_have_it
        ),
        "wirewatch test-alert --channel world-desk": Step(
            says="world-desk +sent", after=_only_slack_has_another
        ),
        'wirewatch silence add topic=undersea-* --for 6h --reason "on it"': Step(
            says="silenced until", after=_note_the_silence
        ),
        "wirewatch silence list": Step(says=r"topic=undersea-\* .*reader +on it"),
        "wirewatch silence end 1a2b3c4d": Step(says=": over"),
    },
    shared=True,
)


async def _somebody_subscribes(world: DocsWorld, terminal: DocsTerminal) -> None:
    world.slack.people["U0123ABCD"] = ""
    client = connect(world.store_url(world.service.folder))
    await SubscriptionStore(client, Keys()).add(StoredSubscription(slack="U0123ABCD", by="ana"))
    await client.aclose()


async def _she_has_a_test(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert ["test" in str(post) for post in world.slack.direct("U0123ABCD")] == [True]


SUBSCRIPTIONS = Plan(
    _on_the_shared_service,
    {
        "wirewatch subscriptions list": Step(
            before=_somebody_subscribes, says=r"#1 +U0123ABCD +all at once"
        ),
        "wirewatch test-alert --channel dm.u0123abcd": Step(
            says="dm.u0123abcd +sent", after=_she_has_a_test
        ),
        "wirewatch subscriptions remove 1": Step(says="1: over"),
    },
    shared=True,
)
DESK = Plan(
    _on_the_shared_service,
    {"wirewatch desk open": Step(says="sign-in/link")},
    shared=True,
)
DELIVERY = Plan(
    _on_the_shared_service,
    {"wirewatch routes test --topic ID": Step(says="world-desk .*sent at once")},
    shared=True,
)


# --- docs/tutorial.md, docs/how-to/operators.md

TUTORIAL = Plan(_checkout, {"wirewatch run": Step(works=LOOKED)})


async def _with_an_env_file(world: DocsWorld, terminal: DocsTerminal) -> None:
    world.check_out(terminal.folder)
    world.configure(terminal.folder, store={"prefix": PREFIX})
    rows = {"SLACK_BOT_TOKEN": world.slack.bot_token, "REDIS_URL": world.values["store"]}
    text = "".join(f"{name}={value}\n" for name, value in rows.items())
    (terminal.folder / ".env").write_text(text)


async def _a_dead_letter(world: DocsWorld, terminal: DocsTerminal) -> None:
    title = NEXT if world.told(CABLE) else CABLE
    await world.dead_letter(world.values["store"], PREFIX, title)


async def _it_is_told_after_all(world: DocsWorld, terminal: DocsTerminal) -> None:
    await world.slack.until(lambda: world.told(CABLE) == 1)
    assert await world.dead(world.values["store"], PREFIX) == []


async def _it_is_gone_for_good(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert await world.dead(world.values["store"], PREFIX) == []
    assert world.told(NEXT) == 0


OPERATORS = Plan(
    _with_an_env_file,
    {
        # It does not read .env, so the token is missing, and that is said.
        "make run": Step(works=rf"(?s)SLACK_BOT_TOKEN.*data in ./data.*{LOOKED}"),
        "wirewatch run": Step(
            works=rf"(?s)alerts go to night-editor, world-desk; shared store.*{LOOKED}"
        ),
        "wirewatch run --only poller": Step(works="feeds_in_force"),
        "wirewatch run --only embedder": Step(works="embedder_ready"),
        "wirewatch run --only triage": Step(works="lease_taken"),
        "wirewatch run --only notifier": Step(
            works="http_listening", env={"WIREWATCH_HTTP": "127.0.0.1:{port}"}
        ),
        "wirewatch status": Step(says=r"(?s)1 embedder, 1 notifier, 1 poller.*all is well"),
        "wirewatch feeds list --failing": Step(says="what is wrong|No feed needs attention"),
        "wirewatch feeds pause ID": Step(says="wire is paused until"),
        "wirewatch feeds resume": Step(says="wire is polled again"),
        "curl -s localhost:9464/readyz": Step(says=r'(?s)"ready": true.*"store": "ok"'),
        "wirewatch dead list": Step(code=1, before=_a_dead_letter, says=CABLE),
        "wirewatch dead show ID": Step(says="invalid_blocks"),
        "wirewatch dead requeue all": Step(
            says="back in the queue of the notifier", after=_it_is_told_after_all
        ),
        "wirewatch dead drop ID": Step(
            before=_a_dead_letter, answer="y\n", says=": dropped", after=_it_is_gone_for_good
        ),
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 wirewatch run": Step(
            works=r"(?s)traces_on.*feeds_in_force"
        ),
    },
)


# --- docs/how-to/deploy.md


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=reader", "-c", "user.email=reader@desk.example")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


async def _a_clone(world: DocsWorld, terminal: DocsTerminal) -> None:
    """The folder is a clone of a repository on this machine, with a configuration of its own."""
    upstream = world.folder / "upstream"
    world.check_out(upstream, copy=True)
    _git(upstream, "init", "-q")
    _git(upstream, "add", ".")
    _git(upstream, "commit", "-q", "-m", "Begin")
    _git(world.folder, "clone", "-q", str(upstream), str(terminal.folder))
    world.configure(terminal.folder)


async def _change_the_password(world: DocsWorld, terminal: DocsTerminal) -> None:
    path = terminal.folder / ".env"
    text = path.read_text().replace("STORE_PASSWORD=\n", "STORE_PASSWORD=letters0and9digits\n")
    path.write_text(f"{text}SLACK_BOT_TOKEN={world.slack.bot_token}\n")


async def _all_are_healthy(world: DocsWorld, terminal: DocsTerminal) -> None:
    async def healthy() -> bool:
        said = (await terminal.run("docker compose ps")).said
        assert "(unhealthy)" not in said
        return said.count("(healthy)") == 6

    await until(healthy)


async def _tell_a_story(world: DocsWorld, terminal: DocsTerminal) -> None:
    """A story goes through all stages; note the trace id that their lines have in common."""
    world.outlets.publish("wire", CABLE, guid="cable")
    await world.slack.until(lambda: world.told(CABLE) == 1, 60)
    traces = []
    for stage in ("poller", "notifier"):
        said = (await terminal.run(f"docker compose logs {stage}")).said
        traces.append(set(re.findall(r'"trace": "(\w+)"', said)))
    (world.values["trace"],) = traces[0] & traces[1]


async def _each_ended_by_itself(world: DocsWorld, terminal: DocsTerminal) -> None:
    engine = Engine(Path(terminal.env["STANDIN_FOLDER"]))
    ran = [item for item in engine.containers() if item.group]
    assert {item.service for item in ran} == {
        "store", "poller", "embedder", "triage", "triage-standby", "notifier"
    }  # fmt: skip
    assert {item.name: engine.code(item) for item in ran if engine.code(item)} == {}
    assert not any(engine.alive(item) for item in ran)


async def _news_upstream(world: DocsWorld, terminal: DocsTerminal) -> None:
    (world.folder / "upstream/NEWS").write_text("newer")
    _git(world.folder / "upstream", "add", "NEWS")
    _git(world.folder / "upstream", "commit", "-q", "-m", "Newer")


async def _the_news_is_here(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert (terminal.folder / "NEWS").read_text() == "newer"


DEPLOY = Plan(
    _a_clone,
    {
        "cp .env.example .env": Step(after=_change_the_password),
        "docker compose up -d": Step(says="poller-1  Started", after=_all_are_healthy),
        "docker compose ps": Step(says=r"wirewatch-embedder-1 .*\(healthy\)"),
        "docker compose exec notifier wirewatch status --config /config": Step(
            says="(?s)2 triage.*all is well"
        ),
        "docker compose up -d --scale poller=4 --scale embedder=4": Step(
            says="(?s)poller-4  Started.*embedder-4  Started"
        ),
        "docker compose --profile monitoring up -d": Step(says="grafana-1  Started"),
        "docker compose logs | grep TRACE": Step(
            before=_tell_a_story, says="(?s)poller-1 .*notifier-1 "
        ),
        "docker compose stop": Step(after=_each_ended_by_itself),
        "git pull": Step(before=_news_upstream, after=_the_news_is_here),
        "docker compose build": Step(says="poller  Built"),
        "kubectl apply -k deploy/kubernetes": Step(
            says=r"(?s)statefulset.apps/store created.*secret/wirewatch-store created"
        ),
    },
    folder="wirewatch",
    env={"STANDIN_STAGES": "yes"},
)
