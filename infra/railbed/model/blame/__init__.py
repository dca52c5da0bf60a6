"""Who is to blame: what to run next to find out, and what the results say.

``culprits`` explains the verdicts of a validation. The rest plans tests in rounds and decodes their results: nodes
in pairs, rails in pairs, the links between switches by flows over known paths.
"""

from railbed.model.blame.verdicts import DIRECT, INFERRED, culprits

__all__ = ["DIRECT", "INFERRED", "culprits"]
