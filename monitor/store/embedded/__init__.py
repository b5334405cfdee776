"""The Valkey server that `wirewatch run` starts for itself, and its repair."""
