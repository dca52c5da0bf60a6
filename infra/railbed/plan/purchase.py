"""The purchase guard: what destroy cannot give back must be typed by its buyer, and a budget holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from railbed.errors import SpecError
from railbed.plan.parts import ClusterPlan, Price, Purchase, Warned
from railbed.spec import ClusterSpec, spares
from railbed.spec.cluster import Block
from railbed.spec.metal import MetalPlatform

UNACKNOWLEDGED = "NOT_ACKNOWLEDGED"


def bought(spec: ClusterSpec, where: str) -> list[Purchase]:
    """Everything in ``spec`` that stays done although the cluster is destroyed: overwritten disks, paid capacity."""
    return [
        Purchase(words=words, path=f"{where}.{key}", acknowledged=words in spec.acknowledge)
        for words, key in (*_installed(spec), *_blocks(spec))
    ]


def _installed(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """Installing a machine overwrites its system disk, erasing all its disks; only its owner knows what is on them."""
    place = spec.platform
    if not isinstance(place, MetalPlatform) or place.installer is None:
        return
    yield f"the system disks of {len(place.machines)} machines are overwritten", "platform.installer"
    erased: Counter[str] = Counter(place.setup_of(machine).erase for machine in place.machines)
    for kind, what in (("metadata", "the partition tables of all disks"), ("full", "all disks")):
        if erased[kind]:
            yield f"{what} of {erased[kind]} machines are erased", "platform.machines"


def _blocks(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    for index, pool in enumerate(spec.pools):
        block = pool.capacity
        if isinstance(block, Block):
            nodes = pool.nodes + spares.of(pool)
            words = f"{nodes} x {pool.machine} in {block.id} from {block.starts} to {block.ends}"
            yield words, f"pools[{index}].capacity"


def warnings(purchases: list[Purchase]) -> Iterator[Warned]:
    """One for each purchase that nobody acknowledged; ``require`` refuses to build with one."""
    for one in purchases:
        if not one.acknowledged:
            yield Warned(code=UNACKNOWLEDGED, path=one.path, message=_wanted(one))


def require(plan: ClusterPlan) -> None:
    """Raises SpecError for the first purchase that the spec does not acknowledge: nothing is made before it does."""
    for one in plan.purchases:
        if not one.acknowledged:
            raise SpecError(
                "the spec asks for what destroy cannot give back, and does not acknowledge it",
                path=one.path,
                allowed=one.words,
                hint=_wanted(one),
                code=UNACKNOWLEDGED,
            )


def _wanted(purchase: Purchase) -> str:
    return f"destroy cannot give this back: write it into `acknowledge` to have it: {purchase.words!r}"


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
