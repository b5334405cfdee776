"""How often topics ring for nothing: nine things that did not happen, in a week of headlines.

python -m benchmarks.quiet --data ../shared/data [--from 2025-11-03] [--days 7] [--topics FILE]
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from benchmarks.labelled import rows
from monitor.analysis.offline import offline_analysis
from monitor.analysis.replay import ReplayStory, replay
from monitor.config.schema import Config, Topic
from monitor.model import Story
from monitor.observability import logs

# Named and described as a desk would, each near to much of the news.
NOTHING = """
- {name: Coup in Portugal, description: "The armed forces or police seize power in Lisbon."}
- {name: Dam failures in Scandinavia, description: "Collapse, breach or evacuation below a dam in Norway, Sweden or Finland."}
- {name: Bank run in Switzerland, description: "Depositors or clients withdraw money from a Swiss bank in panic; rescue by the state."}
- {name: Nuclear accident in France, description: "Radioactive release or core damage at a French reactor."}
- {name: Cholera in Canada, description: "Cases and outbreaks of cholera in Canada, and what authorities do."}
- {name: Submarine cable cuts near New Zealand, description: "Damage or sabotage of undersea cables around New Zealand."}
- {name: Strike of air traffic controllers in Japan, description: "Walkouts of controllers at Japanese airports, and cancelled flights."}
- {name: Secession vote in Bavaria, description: "A referendum or a bill on Bavaria leaving Germany."}
- {name: Assassination of a Nordic minister, description: "A member of government in Denmark, Norway, Sweden, Finland or Iceland killed or shot at."}
"""  # noqa: E501


def main() -> None:
    """Replay a week and print every alert."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--from", dest="start", default="2025-11-03")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--topics", type=Path, help="other topics, in YAML")
    parser.add_argument("--model", default="", help="another embedding.model")
    options = parser.parse_args()
    raw = yaml.safe_load(options.topics.read_text("utf-8") if options.topics else NOTHING)
    listed = raw["topics"] if isinstance(raw, dict) else raw
    topics = tuple(Topic(**{"id": f"t{at}", **one}) for at, one in enumerate(listed))
    settings = {"embedding": {"model": options.model}} if options.model else {}
    analysis, encoder = offline_analysis(Config(topics=topics, **settings))
    begin = datetime.fromisoformat(options.start).replace(tzinfo=UTC)
    end = begin + timedelta(days=options.days)
    lines = []
    for at, row in enumerate(rows(options.data / "headlines_2025-07_2026-01.tsv.gz")):
        seen = datetime.fromisoformat(row["first_seen"]).replace(tzinfo=UTC)
        if begin <= seen < end:
            when = seen.timestamp()
            story = Story(id=f"h{at}", title=row["title"], source=row["source"],
                          published=when, seen_at=when)  # fmt: skip
            lines.append(ReplayStory(at, story))
    count = 0
    for _, outcome, _ in replay(lines, analysis, encoder, window=Config().events.window):
        for alert in outcome.alerts:
            if not alert.is_update:
                count += 1
                print(f"  {alert.topic_name}: {outcome.item.story.title}")
    print(f"{count} first alerts of {len(topics)} topics in {len(lines)} headlines")


if __name__ == "__main__":
    logs.configure()
    main()
