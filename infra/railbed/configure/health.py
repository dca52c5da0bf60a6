"""Nodes' drain settings: `health` of their expectations (`validate/node/drains.py` reads it). Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from railbed import defaults
from railbed.laws.drain_limit import Limit

LIMIT = Limit(
    window_s=defaults.DRAIN_WINDOW_S, window_share=defaults.DRAIN_WINDOW_SHARE, breaker_share=defaults.DRAIN_BREAKER_SHARE,
    breaker_least=defaults.DRAIN_BREAKER_LEAST, all_share=defaults.DRAIN_ALL_SHARE,
)  # fmt: skip


def settings() -> dict[str, Any]:
    """The same for every node of every cluster."""
    return {
        "mark": defaults.HEALTHCHECK_PREFIX,
        "report_mark": defaults.HEALTH_REPORT_PREFIX,
        "automatic": list(defaults.AUTOMATIC_DRAINS),
        "confirm_s": defaults.HEALTH_CONFIRM_S,
        "start_check_s": defaults.HEALTH_START_CHECK_S,
        "start_confirm_s": defaults.HEALTH_START_CONFIRM_S,
        "hung_s": defaults.HEALTH_HUNG_S,
        "passes": defaults.HEALTH_RETURN_PASSES,
        "returns": defaults.HEALTH_RETURNS,
        "returns_window_s": defaults.HEALTH_RETURNS_WINDOW_S,
        "spread_s": defaults.DRAIN_SPREAD_S,
        "settle_s": defaults.DRAIN_SETTLE_S,
        "limit": asdict(LIMIT),
    }
