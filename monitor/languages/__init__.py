"""The language of a story, and a headline that the newsroom can read."""
