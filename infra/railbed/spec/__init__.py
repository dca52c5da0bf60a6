"""What is wanted: the typed, strict spec of one cluster, read from the stack file.

Imports the catalogue and what is below. It asks no cloud anything, and works nothing out: that is the plan's.
"""

from railbed.spec.cluster import ClusterSpec
from railbed.spec.editing import with_release
from railbed.spec.explaining import Explained, explain, schema
from railbed.spec.reading import from_config, load, spec_hash

__all__ = [
    "ClusterSpec",
    "Explained",
    "explain",
    "from_config",
    "load",
    "schema",
    "spec_hash",
    "with_release",
]
