"""What is wanted: the typed, strict spec of one cluster, read from the stack file. Asks no cloud anything."""

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
