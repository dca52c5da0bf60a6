"""GPU-hours and cost of a month for each account. Pure.

A GPU that is allocated counts, used or not: nobody else could have it. GPU-hours = GPUs × seconds / 3600, over every run of a
job; cost = GPU-hours × list price of a node / its GPUs. What has no published price costs None, which is unknown and never 0.
"""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass

from railbed.errors import UsageError
from railbed.parse.sacct import AccountedJob


@dataclass(frozen=True)
class Used:
    """What one account used in a month."""

    account: str
    jobs: int
    users: int
    gpu_hours: float
    cost: float | None
    """In the price's currency; None: nobody published a price."""
    failed_gpu_hours: float
    """Of runs that ended as FAILED, NODE_FAIL, OUT_OF_MEMORY or TIMEOUT."""


BADLY = ("FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT", "BOOT_FAIL")


def month(text: str) -> tuple[str, str]:
    """``2026-12`` → the first moment and that of the next month, as sacct takes them. Raises UsageError for anything else."""
    match = re.fullmatch(r"(\d{4})-(\d{2})", text)
    if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < 1970:
        raise UsageError(
            "that is no month",
            code="USAGE_MONTH",
            path="--month",
            found=text,
            allowed="YYYY-MM",
            hint="write e.g. 2026-12",
        )
    first = datetime.date(int(match[1]), int(match[2]), 1)
    after = first + datetime.timedelta(days=calendar.monthrange(first.year, first.month)[1])
    return f"{first}T00:00:00", f"{after}T00:00:00"


def by_account(
    jobs: Iterable[AccountedJob], known: Iterable[str], price_per_gpu_hour: float | None
) -> list[Used]:
    """One row for each account, those of ``known`` also without jobs; by name."""
    rows: dict[str, list[AccountedJob]] = {name: [] for name in known}
    for job in jobs:
        rows.setdefault(job.account, []).append(job)
    return [_used(name, runs, price_per_gpu_hour) for name, runs in sorted(rows.items())]


def _used(name: str, runs: list[AccountedJob], price: float | None) -> Used:
    hours = _hours(runs)
    return Used(
        account=name, jobs=len({run.id for run in runs}), users=len({run.user for run in runs}), gpu_hours=round(hours, 4),
        cost=None if price is None else round(hours * price, 2),
        failed_gpu_hours=round(_hours([run for run in runs if run.state in BADLY]), 4),
    )  # fmt: skip


def _hours(runs: list[AccountedJob]) -> float:
    return sum(run.gpus * run.seconds for run in runs) / 3600
