"""Keeping the cluster healthy: looking at nodes, draining, repairing, giving back. Never ends a user's job."""
