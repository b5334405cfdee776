"""Work on its way between stages: Redis Streams with consumer groups, and nothing lost."""
