"""YAML to typed settings; every mistake is reported with its file, line and remedy."""
