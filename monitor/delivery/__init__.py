"""Alerts to people: the outbox, the sender, and what a send leaves behind."""
