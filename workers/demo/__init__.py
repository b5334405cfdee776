"""The demonstration: made-up outlets on this machine, half a minute of news, the real service."""
