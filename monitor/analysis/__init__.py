"""The steps of a story's way: what joins pure decisions to the store and the outside world."""
