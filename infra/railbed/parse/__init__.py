"""Output of tools as data: one parser for each tool, those of `railbed parse` in ``registry``.

Pure. A parser of the registry never raises: what it could not read is kept. Imports inputs and what is below; no verdicts
here, those are in ``railbed.judge``.
"""
