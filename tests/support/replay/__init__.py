"""Whole clusters that answer as recorded: every command that validation sends to a node is told what a real one said.

Only `railbed.effects.remote.run` and its Session are replaced; questions, runners, parsers, judges and the certificate are
production's. What was recorded where stands in tests/validation/data/replay/README.md.
"""
