"""One topic in English and reports in Russian and Ukrainian, through `wirewatch replay`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from monitor.cli import main

TOPIC = """\
- id: energy
  name: Energy infrastructure strikes
  description: >
    Missile, drone or sabotage attacks on power plants, electricity grids, refineries, oil depots
    or gas pipelines.
"""
STORIES = [
    {
        "id": "en",
        "title": "Drones hit a power substation in Odesa, 40,000 homes without electricity",
        "summary": "Russian drones struck an electricity substation in Odesa overnight, the "
        "regional operator said. Repair crews are at work.",
        "source": "Harbour Daily",
    },
    {
        "id": "ru",
        "title": "Беспилотники ударили по подстанции в Одессе, без света 40 тысяч домов",
        "summary": "Ночью российские дроны попали в электрическую подстанцию в Одессе, сообщил "
        "областной оператор. Ремонтные бригады уже работают.",
        "source": "Вечерний вестник",
    },
    {
        "id": "uk",
        "title": "Дрони вдарили по підстанції в Одесі, без світла 40 тисяч осель",
        "summary": "Уночі російські безпілотники влучили в електричну підстанцію в Одесі, "
        "повідомив обласний оператор. Ремонтні бригади вже працюють.",
        "source": "Південний кур'єр",
        "language": "ru",  # the feed says the wrong one
    },
    {
        "id": "football",
        "title": "Одесский клуб обыграл гостей из Львова и вышел в четвертьфинал кубка",
        "summary": "Единственный гол забили на последних минутах матча.",
        "source": "Вечерний вестник",
    },
    {
        "id": "fishing",
        "title": "Рибалки Одеси страйкують через ціни на пальне",
        "summary": "Човни стоять у порту другий день, перемовини тривають.",
        "source": "Південний кур'єр",
    },
]


def decided(folder: Path) -> dict[str, dict[str, Any]]:
    """What the product decides on the stories, by id."""
    (folder / "topics.yaml").write_text(TOPIC, encoding="utf-8")
    stories, out = folder / "stories.jsonl", folder / "out.jsonl"
    rows = [
        {**row, "url": f"https://{row['id']}.example/1", "published": 1_767_225_600 + 600 * at}
        for at, row in enumerate(STORIES)
    ]
    stories.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    run = CliRunner().invoke(
        main, ["replay", str(stories), "--out", str(out), "--config", str(folder)]
    )
    assert run.exit_code == 0, run.output
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return {row["id"]: row for row in found}


def test_a_strike_reported_in_three_languages_is_one_event_of_the_english_topic(
    tmp_path: Path,
) -> None:
    """The Russian and the Ukrainian report fire the topic and join the English report's event;
    other news of the same city in these languages does neither."""
    rows = decided(tmp_path)
    fired = {
        name: [match["topic"] for match in row["matches"] if match["fired"]]
        for name, row in rows.items()
    }
    assert fired == {"en": ["energy"], "ru": ["energy"], "uk": ["energy"],
                     "football": [], "fishing": []}  # fmt: skip
    assert rows["ru"]["event"] == rows["en"]["event"] == rows["uk"]["event"]
    assert len({row["event"] for row in rows.values()}) == 3
    told = {name: [alert["reason"] for alert in row["alerts"]] for name, row in rows.items()}
    assert told["en"] == ["first"] and "first" not in told["ru"] + told["uk"]
