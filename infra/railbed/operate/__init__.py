"""Keeping the cluster healthy: looking at nodes, draining, repairing, giving back. Never ends a user's job."""

from railbed.operate import losses
from railbed.operate.shrink import leaving, require_idle
from railbed.operate.upgrading import Planned as PlannedUpgrade
from railbed.operate.upgrading import Upgraded
from railbed.operate.upgrading import plan as plan_upgrade
from railbed.operate.upgrading import run as upgrade

__all__ = ["PlannedUpgrade", "Upgraded", "leaving", "losses", "plan_upgrade", "require_idle", "upgrade"]
