"""Who is to blame: the fewest parts that explain every failure of a validation.

Pure: imports claims and nothing else. The search that plans tests of its own is ``railbed.toolbox.fault_search``.
"""

from railbed.blame.verdicts import DIRECT, INFERRED, culprits

__all__ = ["DIRECT", "INFERRED", "culprits"]
