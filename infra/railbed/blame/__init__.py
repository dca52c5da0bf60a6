"""Who is to blame: the fewest parts that explain every failure of a validation.

Pure: imports claims and nothing else. The search among pairs of nodes that a
validation runs where they leave it open is ``railbed.fault_search``.
"""

from railbed.blame.verdicts import DIRECT, INFERRED, culprits

__all__ = ["DIRECT", "INFERRED", "culprits"]
