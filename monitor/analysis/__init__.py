"""From an embedded story to decisions: one path for the service, replay and backtest."""
