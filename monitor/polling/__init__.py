"""From a due feed to stored stories: fetch, parse, decide, commit."""
