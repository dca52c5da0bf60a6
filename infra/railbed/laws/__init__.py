"""What hardware can, should and must reach: bandwidth, latency, storage, long jobs, prices, and how many nodes may drain.

Pure: no files, no clock, no network. Imports claims, the catalogue and parsers. No measurement is judged here: that is
``railbed.judge``.
"""
