"""The API under `/api/v1`: the same data and acts as the pages, as JSON."""
