"""Who is to blame: the fewest parts that explain every failure of a validation."""

from railbed.model.blame.verdicts import DIRECT, INFERRED, culprits

__all__ = ["DIRECT", "INFERRED", "culprits"]
