"""Wirewatch, the library: everything the service knows, decides and says.

Imports point downward only (see docs/architecture.md): words and values at the bottom
(`model`, `reasons`, `errors`, `clock`), pure decisions above them (`feeds`, `match`, `events`,
`alerts`, `delivery`), state beside them (`store`), and the pipelines that join them on top.
"""
