"""What was decided about a story, as plain data: for the archive, `explain` and `replay`."""

from __future__ import annotations

from typing import Any

from monitor.analysis.story_analysis import StoryDecision
from monitor.editors.severity import grounds
from monitor.model import Assignment, Match


def match_record(match: Match) -> dict[str, Any]:
    """Return one match as JSON-ready data."""
    record: dict[str, Any] = {
        "topic": match.topic,
        "score": round(match.score, 4),
        "line": match.line,
        "fired": match.fired,
        "evidence": match.evidence,
        "nearest": match.nearest,
        "terms": list(match.terms),
        "reason": match.reason.value if match.reason else "fired",
        "by": match.judged,
        **({"moved": match.moved} if match.moved else {}),
        **({"second": match.second} if match.second else {}),
    }
    return record


def decision_record(outcome: StoryDecision, at: float) -> dict[str, Any]:
    """Return everything decided about one story as JSON-ready data; `at` is when."""
    assignment = outcome.assignment
    return {
        "at": at,
        "event": assignment.event,
        "copy_of": assignment.copy_of or None,
        "copy_kind": assignment.copy_kind,
        "why": assignment.why,
        "similarity": round(assignment.similarity, 4),
        "novelty": assignment.novelty,
        "severity": outcome.severity,
        "severity_grounds": grounds(outcome.item) if outcome.severity else "",
        "trust": outcome.item.story.trust,
        "sources": list(assignment.sources),
        "outlets": list(assignment.outlets),
        "trusts": list(assignment.trusts),
        "matches": [match_record(match) for match in outcome.matches],
        "alerts": [
            {
                "id": alert.id,
                "topic": alert.topic,
                "event": alert.event,
                "reason": alert.reason.value,
                "parent": alert.parent,
            }
            for alert in outcome.alerts
        ],
        "suppressions": [
            {"topic": held.topic, "reason": held.reason.value, "detail": held.detail}
            for held in outcome.suppressions
        ],
    }


def recorded_assignment(story: str, record: dict[str, Any]) -> Assignment:
    """Return where a story was found to belong, from its `decision_record`."""
    return Assignment(
        story=story,
        event=str(record.get("event", "")) or f"alone-{story}",
        copy_of=record.get("copy_of") or "",
        copy_kind=record.get("copy_kind", ""),
        why=record.get("why", ""),
        novelty=record.get("novelty", ""),
        sources=tuple(record.get("sources", ())),
        outlets=tuple(record.get("outlets", ())),
        trusts=tuple(record.get("trusts", ())),
    )
