"""Every command of the docs is typed, page by page, against a service that runs.

The lines of all `sh` blocks, and the commands in the prose (`docker compose ps` in a table), are
run with bash in the order they stand, in a folder laid out as the page assumes. Each must leave
with the right exit code and without a traceback; `tests/docs/plans.py` says what else must come of
it. What runs for ever is started, awaited until its log says that it works, left running for the
commands that follow, and stopped by SIGTERM, with exit code 0, when another block starts something
and at the end of the page.

What is not as it is for a reader:

- SUBSTITUTES, below: addresses of examples become those of outlets here, ids become real ones.
- `make test` and `make lint` are only resolved (`make -n`): they are what runs this. That is the
  only exception. What make would install is there already (VENV, with its stamps).
- Docker and kubectl are stand-ins (`tests/support/docker/`) that know the repository's files, run
  its store, its stages and the commands given, and refuse what does not exist. Git is real, on a
  repository of this machine.
- `embedding.model` is `hashing`, which loads in no time. `make demo`, and the console blocks of the
  same pages, which test_docs.py runs, have the packaged model.

Programs that measure (`python -m benchmarks.…`) and `deploy/accept-compose.sh` need hours or an
engine and are not run: test_docs.py sees to it that they exist and have the options named.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.docs.pages import NAMES, PAGES, ROOT, Command, blocks, commands
from tests.docs.plan_backup import BACKUP
from tests.docs.plans import (
    ANALYSTS,
    CONTRIBUTING,
    DELIVERY,
    DEPLOY,
    DESK,
    NEWSROOMS,
    OPERATORS,
    README,
    SUBSCRIPTIONS,
    TUTORIAL,
    Plan,
    Step,
)
from tests.docs.terminal import CommandResult, DocsTerminal
from tests.docs.world import DocsWorld

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

# An example on a page, and what stands for it here.
SUBSTITUTES = (
    (r"https://example\.org/story\b", "{story}"),
    (r"https://example\.org/rss\.xml\b", "{feed}"),
    (r"https://example\.org\b", "{site}"),
    (r"/etc/wirewatch/config\b", "{live}"),
    (r"\blocalhost:9464\b", "localhost:{port}"),
    (r"\bexplain URL\b", "explain {story}"),
    (r"\b1a2b3c4d\b", "{silence}"),
    (r"--topic ID\b", "--topic undersea-cables"),
    (r"\bfeeds pause ID\b", "feeds pause wire"),
    (r"\bID\b", "{dead}"),
    (r"\bTRACE\b", "{trace}"),
)
PLANS = {
    "README.md": README,  # first: it takes longest
    "docs/how-to/backup.md": BACKUP,
    "docs/how-to/operators.md": OPERATORS,
    "docs/how-to/deploy.md": DEPLOY,
    "docs/how-to/analysts.md": ANALYSTS,
    "docs/how-to/newsrooms.md": NEWSROOMS,
    "docs/how-to/subscriptions.md": SUBSCRIPTIONS,
    "docs/explanation/delivery.md": DELIVERY,
    "docs/how-to/desk.md": DESK,
    "docs/tutorial.md": TUTORIAL,
    "CONTRIBUTING.md": CONTRIBUTING,
}
AT_ONCE = 3  # pages read at the same time
# In the prose these are names of commands; what they do is run with the words they need elsewhere.
NAMED = {
    "wirewatch mcp", "wirewatch explain", "wirewatch replay", "wirewatch demo", "docker compose",
    "wirewatch missed", "wirewatch feedback", "wirewatch topics tune", "wirewatch routes test",
}  # fmt: skip
GENERATED = ("docs/reference/", "CHANGELOG.md")


def bare(text: str) -> str:
    """Return a command without its comment."""
    return re.split(r"\s+# ", text)[0].strip()


def in_blocks() -> set[str]:
    """Return every command in a block of any page: in the prose it need not be run again."""
    found = {bare(one.text) for page in PAGES for one in commands(page) if not one.inline}
    for page in PAGES:
        for block in blocks(page):
            if block.language == "console":
                found |= {bare(line[2:]) for line in block.text.splitlines() if line[:2] == "$ "}
    return found


def typed(page: Path) -> list[Command]:
    """Return the commands of a page that are run for it."""
    known = in_blocks()
    return [
        one
        for one in commands(page)
        if not one.inline or not (one.text in known or one.text in NAMED)
    ]


def step_for(plan: Plan, text: str) -> tuple[str, Step]:
    """Return what goes with a command: a step named as it, or as it begins."""
    found = [name for name in plan.steps if bare(text) == name or bare(text).startswith(f"{name} ")]
    name = max(found, key=len, default="")
    return name, plan.steps.get(name, Step())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def readings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey_url: str
) -> AsyncIterator[dict[str, asyncio.Task[None]]]:
    """The pages, each being read by a reader of its own, a few at a time; a test waits for its own.

    Most of the time a reader waits: for a service to stop, for half a minute of made-up news.
    """
    asked = [name for name in PLANS if any(f"[{name}]" in x.nodeid for x in request.session.items)]
    folders = {name: tmp_path_factory.mktemp("page") for name in asked}
    places, in_turn = asyncio.Semaphore(AT_ONCE), asyncio.Lock()
    async with DocsWorld(tmp_path_factory.mktemp("shared")) as shared:

        async def read(name: str) -> None:
            if PLANS[name].shared:
                async with in_turn, places:
                    if not shared.service.alive():
                        await shared.start_service()
                    await read_page(name, shared, folders[name])
                return
            async with places, DocsWorld(folders[name] / "world") as world:
                world.values["store"] = valkey_url
                await read_page(name, world, folders[name])

        tasks = {name: asyncio.create_task(read(name)) for name in asked}
        yield tasks
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        if shared.service.process is not None:
            assert shared.service.alive(), shared.service.said()
            assert shared.service.stop() == 0
            assert "Traceback" not in shared.service.said()


@pytest.mark.parametrize("name", PLANS)
async def test_every_command_of_a_page_works(
    name: str, readings: dict[str, asyncio.Task[None]]
) -> None:
    """Typed in order, each command ends as the page says, and does what it is there for."""
    await readings[name]


async def read_page(name: str, world: DocsWorld, folder: Path) -> None:
    """Do what a reader of a page does, from its first command to its last."""
    plan = PLANS[name]
    terminal = world.terminal(folder / plan.folder, **plan.env)
    await plan.lay(world, terminal)
    running = 0  # the block that started what runs now
    for command in typed(ROOT / name):
        _, step = step_for(plan, command.text)
        try:
            if step.works and command.block != running:
                await terminal.stop()
                running = command.block
            await do(command, step, world, terminal)
        except Exception as error:
            error.add_note(f"at {name}:{command.line}: {command.text}")
            raise
    await terminal.stop()


async def do(command: Command, step: Step, world: DocsWorld, terminal: DocsTerminal) -> None:
    """Type one command, and look at what came of it."""
    if step.before is not None:
        await step.before(world, terminal)
    line = with_substitutes(command.text, world)
    if step.works:
        env = {key: value.format(port=world.port) for key, value in step.env.items()}
        await terminal.start(line, step.works, **env)
    else:
        check(await terminal.run(step.instead.replace("{}", line), step.answer), step, line)
    if step.after is not None:
        await step.after(world, terminal)


def check(result: CommandResult, step: Step, line: str) -> None:
    """Hold a command to its exit code, and what it said to what it should have."""
    allowed = {step.code}
    if re.search(r"\btar\b", line) and "file changed as we read it" in result.said:
        allowed.add(1)  # the page says so
    assert result.code in allowed, f"left with {result.code}:\n{result.said}"
    assert "Traceback" not in result.said, result.said
    assert re.search(step.says, result.said), f"not {step.says!r}, but:\n{result.said}"


def with_substitutes(text: str, world: DocsWorld) -> str:
    """Replace the examples of a page by what there is here."""
    values = {
        "story": "https://wire.example/cable",
        "feed": world.outlets.url("wire"),
        "site": world.outlets.url("site"),
        "port": str(world.port),
        **world.values,
    }
    for pattern, stands_for in SUBSTITUTES:
        text = re.sub(pattern, lambda _, word=stands_for: word.format(**values), text)
    return text


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(GENERATED)])
async def test_no_command_is_left_out(name: str) -> None:
    """A page with commands has a plan, whose every step is a command of the page."""
    there = typed(ROOT / name)
    assert bool(there) == (name in PLANS), f"{name}: {[one.text for one in there]}"
    if there:
        used = {step_for(PLANS[name], one.text)[0] for one in there}
        assert set(PLANS[name].steps) - used == set(), "steps without a command"


async def test_every_substitute_is_needed() -> None:
    """Each example that is replaced stands on a page; one that is gone from them must go."""
    text = "\n".join(one.text for page in PAGES for one in typed(page))
    assert [pattern for pattern, _ in SUBSTITUTES if not re.search(pattern, text)] == []
