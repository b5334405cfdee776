"""HTTP with limits: guarded addresses, the transport, the fetcher, the routes we serve."""
