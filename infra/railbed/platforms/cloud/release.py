"""Nodes that leave a pool: named one by one, so that no provider chooses whom to end."""

from __future__ import annotations

from railbed.model.claims import Part


class Gone(Part):
    """A node that is drained and idle, and leaves the cluster."""

    pool: str
    """Its pool's present name."""
    name: str
    id: str
    """The provider's instance id."""
