"""There is nothing to look at before nothing is built."""

from __future__ import annotations

import datetime

from railbed.plan import ClusterPlan
from railbed.platforms.findings import Finding
from railbed.platforms.tencentcloud.support import REASON, WAY_ROUND


def look(_plan: ClusterPlan, _today: datetime.date) -> list[Finding]:
    """One finding that stops everything."""
    return [Finding("platform", False, REASON, WAY_ROUND)]
