"""Documents as bytes to well-formed text, before anything parses them."""
