"""Documents to entries: RSS, Atom, JSON Feed, sitemaps, pages, in sandboxed processes."""
