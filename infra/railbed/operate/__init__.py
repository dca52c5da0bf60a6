"""Keeping the cluster healthy: looking at nodes, draining, repairing, giving back. Never ends a user's job."""

from railbed.operate.shrink import leaving, require_idle

__all__ = ["leaving", "require_idle"]
