"""The purchase guard: what destroy cannot give back must be typed by its buyer, and a budget holds."""

from __future__ import annotations

from collections.abc import Iterator

from railbed.errors import SpecError
from railbed.plan.parts import ClusterPlan, Price, Purchase, Warned
from railbed.spec import ClusterSpec, spares
from railbed.spec.cluster import Block
from railbed.spec.platforms import MetalPlatform

UNACKNOWLEDGED = "NOT_ACKNOWLEDGED"


def bought(spec: ClusterSpec, where: str) -> list[Purchase]:
    """Everything in ``spec`` that stays done although the cluster is destroyed: paid capacity, overwritten disks."""
    installed = _installed(spec, where)
    return [*installed, *_blocks(spec, where)]


def _installed(spec: ClusterSpec, where: str) -> list[Purchase]:
    """Installing a machine overwrites its system disk; only its owner knows whether something is on it."""
    if not isinstance(spec.platform, MetalPlatform) or spec.platform.installer is None:
        return []
    count = len(spec.platform.machines)
    words = f"the system disks of {count} machines are overwritten"
    return [Purchase(words=words, path=f"{where}.platform.installer")]


def _blocks(spec: ClusterSpec, where: str) -> list[Purchase]:
    return [
        Purchase(
            words=(
                f"{pool.nodes + spares.of(pool)} x {pool.machine} in {pool.capacity.id} "
                f"from {pool.capacity.starts} to {pool.capacity.ends}"
            ),
            path=f"{where}.pools[{index}].capacity",
        )
        for index, pool in enumerate(spec.pools)
        if isinstance(pool.capacity, Block)
    ]


def warnings(purchases: list[Purchase], spec: ClusterSpec) -> Iterator[Warned]:
    """One for each purchase that nobody acknowledged; ``require`` refuses to build with one."""
    for purchase in purchases:
        if purchase.words not in spec.acknowledge:
            message = (
                f"destroy cannot give this back: write it into `acknowledge` to have it: {purchase.words!r}"
            )
            yield Warned(code=UNACKNOWLEDGED, path=purchase.path, message=message)


def require(plan: ClusterPlan) -> None:
    """Raises SpecError for the first purchase that the spec does not acknowledge: nothing is made before it does."""
    for warning in plan.warnings:
        if warning.code == UNACKNOWLEDGED:
            raise SpecError(
                "the spec asks for what destroy cannot give back, and does not acknowledge it",
                path=warning.path,
                allowed=next(p.words for p in plan.purchases if p.path == warning.path),
                hint=warning.message,
                code=UNACKNOWLEDGED,
            )


def within_budget(spec: ClusterSpec, price: Price | None, where: str) -> None:
    """Raises SpecError where the known part of the price is over a limit of ``budget``."""
    if price is None:
        return
    for key, limit, cost, unit in (
        ("hourly_usd", spec.budget.hourly_usd, price.hourly, "USD/h"),
        ("term_usd", spec.budget.term_usd, price.term, "USD"),
    ):
        if limit is not None and cost is not None and cost > limit:
            more = f", without {', '.join(price.unknown)}" if price.unknown else ""
            raise SpecError(
                f"the cluster costs {cost:,.2f} {unit}{more}: over the budget",
                path=f"{where}.budget.{key}",
                found=round(cost, 2),
                allowed=f"<= {limit:,.2f} {unit}",
                hint="raise the budget, or take fewer nodes",
                code="BUDGET",
            )
