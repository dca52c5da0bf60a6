"""What tools print, read: one parser for each tool, all in ``registry``.

Pure, and it never raises: what could not be read is kept. Imports inputs and what is below; no verdicts here, those are in
``railbed.judge``.
"""
