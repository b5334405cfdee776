"""Wirewatch for language models: the Model Context Protocol over HTTP and standard input.

It only reads. `protocol` speaks JSON-RPC, `tools` looks things up, `untrusted` marks what strangers
wrote.
"""
