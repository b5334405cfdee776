"""The topic tuner: what a change would do, what it would have told, and saving it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk.trial import archive_a_day, known_phrases
from tests.desk.world import DeskWorld

STRICT = "id: energy\nname: Energy infrastructure strikes\nsensitivity: strict\n"


@pytest.fixture
async def tuner(world: DeskWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DeskWorld:
    """A desk with a day of stories, an embedder that answers, and a folder of its own."""
    await known_phrases(world, monkeypatch)
    await archive_a_day(world)
    rows = [{"id": topic.id, "name": topic.name} for topic in world.config.topics]
    lines = "".join(f"- id: {row['id']}\n  name: {row['name']}  # kept\n" for row in rows)
    (tmp_path / "topics.yaml").write_text(f"topics:\n{lines}")
    world.desk.folder = tmp_path
    return world


async def test_a_trial_shows_what_would_be_told(tuner: DeskWorld) -> None:
    """Stories beside the threshold, one alert a happening, a copy told once, and the diff."""
    async with await tuner.someone() as anna:
        page = (await anna.post("/topics/energy", data={"yaml": STRICT})).text
    told = page.partition("Alerts it would have sent")[2].partition("<h3>")[0]
    assert told.count("missiles hit a power plant") == 1  # d2 is a copy of d1
    below = page.partition("Just below the threshold")[2].partition("<h3>")[0]
    assert "Harbour festival" in below
    assert "+  sensitivity: strict" in page and "b/topics.yaml" in page
    assert 'action="/topics/energy/save"' in page
    assert not await tuner.store.exists(tuner.keys("config"))


async def test_changed_words_are_compared_without_the_judge(tuner: DeskWorld) -> None:
    """Where the words change the page says that the judge has not read the stories yet."""
    async with await tuner.someone() as anna:
        same = (await anna.post("/topics/energy", data={"yaml": STRICT.replace("\n", "\r\n")})).text
        assert STRICT in same  # as a browser sends it, and no line more
        changed = STRICT.replace("strikes", "attacks")
        other = (await anna.post("/topics/energy", data={"yaml": changed})).text
    assert "the judge has not read" not in same and "the judge has not read" in other


async def test_saving_changes_the_file_and_nothing_else(tuner: DeskWorld) -> None:
    """An editor saves; the file holds the change and the other topics as they were."""
    before = (tuner.desk.folder / "topics.yaml").read_text()
    async with await tuner.someone() as anna:
        answer = await anna.post("/topics/energy/save", data={"yaml": STRICT})
        assert answer.status_code == 303 and answer.headers["location"].endswith("done=saved")
        bad = await anna.post("/topics/energy/save", data={"yaml": "id: talks\nname: Talks\n"})
        assert bad.status_code == 400 and "the id stays" in bad.text
    after = (tuner.desk.folder / "topics.yaml").read_text()
    assert after.partition("- id: talks")[2] == before.partition("- id: talks")[2]
    assert "  sensitivity: strict" in after


async def test_a_closed_folder_offers_no_saving(
    tuner: DeskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder is read-only the diff is there and the button is not."""
    monkeypatch.setattr("monitor.desk.pages.topics.os.access", lambda path, mode: False)
    async with await tuner.someone() as anna:
        page = (await anna.post("/topics/energy", data={"yaml": STRICT})).text
        saved = await anna.post("/topics/energy/save", data={"yaml": STRICT})
    assert "/save" not in page and "commit the change" in page and "+  sensitivity" in page
    assert saved.status_code == 400 and "commit the change" in saved.text
