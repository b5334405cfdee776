"""`python -m monitor.cli` is `wirewatch`."""

from monitor.cli import main

main(prog_name="wirewatch")
