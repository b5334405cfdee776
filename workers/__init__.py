"""Wirewatch, the processes: each module is one worker, `runtime` is what they stand on."""
