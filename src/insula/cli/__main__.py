"""`python -m insula.cli` is the command `insula`."""

from insula.cli import main

main()
