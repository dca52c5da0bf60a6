"""What measurements prove: verdicts on collectives, rails, byte counters, conditions and drift, and causes of slow ones.

Pure: no files, no clock, no network. Imports the laws and what is below. It neither measures nor knows a contract: that is
``railbed.validate``.
"""
