"""Copies and events: which stories repeat one another, which report the same happening."""

from monitor.events.index import EventIndex
from monitor.events.owners import Owners

__all__ = ["EventIndex", "Owners"]
