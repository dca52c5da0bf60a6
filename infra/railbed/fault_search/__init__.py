"""The search for what is to blame: tests in rounds, adaptive group testing, and what their results say.

Nodes in pairs, rails in pairs, the links between switches by flows over known paths. Pure; imports the planner of fabrics,
claims and errors. What explains the verdicts of a validation is ``railbed.blame``.
"""

from railbed.fault_search.decision import Decision, decide
from railbed.fault_search.record import Record, lines, read
from railbed.fault_search.rounds import next_round
from railbed.fault_search.search import Search, begin

__all__ = ["Decision", "Record", "Search", "begin", "decide", "lines", "next_round", "read"]
