"""The stages of the service, and the streams between them, by name."""

from __future__ import annotations

PIPELINE = ("poller", "embedder", "triage", "notifier")  # without one of these no alert arrives
STAGES = (*PIPELINE, "desk")
STREAMS = ("stories", "vectors")
