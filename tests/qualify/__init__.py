"""Qualification: what takes longer than a test may. Run by name, its results stand in docs/qualification.md."""
