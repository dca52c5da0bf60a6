"""Who is to blame: what to run next to find out, and what the results say.

``culprits`` explains the verdicts of a validation. The rest plans tests in rounds and decodes their results: nodes
in pairs, rails in pairs, the links between switches by flows over known paths. Pure.
"""

from railbed.model.blame.decision import Decision, decide
from railbed.model.blame.record import Record, lines, read
from railbed.model.blame.rounds import next_round
from railbed.model.blame.search import Search, begin
from railbed.model.blame.verdicts import DIRECT, INFERRED, culprits

__all__ = [
    "DIRECT",
    "INFERRED",
    "Decision",
    "Record",
    "Search",
    "begin",
    "culprits",
    "decide",
    "lines",
    "next_round",
    "read",
]
