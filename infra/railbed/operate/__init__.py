"""Keeping the cluster healthy: node states, drains, repair, upgrade in waves, losses of a destroy. Never ends a user's job.

Imports the stages configure and validate, effects and the contract; never a spec, a plan or a platform.
"""

from railbed.operate import losses
from railbed.operate.cited import cited_reports
from railbed.operate.fallen import HoldResult, require_scheduler
from railbed.operate.fallen import hold as hold_fallen
from railbed.operate.joining import joining
from railbed.operate.shrink import leaving, require_idle
from railbed.operate.timer import units as timer_units
from railbed.operate.upgrading import Planned as PlannedUpgrade
from railbed.operate.upgrading import Upgraded
from railbed.operate.upgrading import plan as plan_upgrade
from railbed.operate.upgrading import run as upgrade

__all__ = [
    "HoldResult",
    "PlannedUpgrade",
    "Upgraded",
    "cited_reports",
    "hold_fallen",
    "joining",
    "leaving",
    "losses",
    "plan_upgrade",
    "require_idle",
    "require_scheduler",
    "timer_units",
    "upgrade",
]
