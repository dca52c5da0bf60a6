"""Fetches the parts of a release, each checked before it lies under its name."""

from railbed.effects.mirror.manifest import Fetched
from railbed.effects.mirror.mirror import LOCAL, empty, mirror

__all__ = ["LOCAL", "Fetched", "empty", "mirror"]
