"""Logs, metrics, traces, and the redaction they share."""
