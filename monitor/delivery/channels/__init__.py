"""One module for each kind of channel, with its renderer beside it."""
