"""Software releases: which versions go together, what has to be fetched, bills of materials, the form of signing keys.

Pure: no files, no clock, no network. Imports claims and the catalogue. Fetching is in ``railbed.effects.mirror``.
"""
