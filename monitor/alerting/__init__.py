"""From a match to an alert: the decision, gates, routes, quiet hours, silences, digests."""
