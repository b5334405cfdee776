"""State in Redis or Valkey: one table of keys, one module for each owner, Lua for atomic steps."""
