"""What the running command was called with, as far as the printer of its end needs it. Imports nothing."""


class State:
    """Of this process; one command runs in it."""

    as_json = False
    printed = False
    """True once the one JSON document is out."""
