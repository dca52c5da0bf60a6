"""What a cluster costs by the catalogue's list prices. What nobody published is said, not guessed."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from railbed.catalog import FilesystemOffer, Machine
from railbed.model.claims import Part

HOURS_PER_MONTH = 730
CURRENCY = "USD"


class Estimate(Part):
    """Costs per hour of what has a price, and what has none."""

    hourly: float
    monthly: float
    """730 hours."""
    term: float | None = None
    """The whole term, where its length is known."""
    unknown: list[str] = Field(default_factory=list)
    """Parts without a published price."""
    note: str

    @property
    def nothing_known(self) -> bool:
        """True where no part has a price."""
        return bool(self.unknown) and self.hourly == 0


def estimate(
    machines: Sequence[tuple[Machine, int]],
    filesystems: Sequence[tuple[FilesystemOffer, float, float | None]],
    days: float | None = None,
) -> Estimate:
    """The price of ``(machine, nodes)`` and ``(offer, TiB, MB/s per TiB)``, spares included."""
    hourly, unknown, regions = 0.0, [], []
    for machine, nodes in machines:
        if machine.price_usd_per_hour is None:
            unknown.append(f"{nodes} × {machine.key}")
            continue
        hourly += nodes * machine.price_usd_per_hour
        regions.append(machine.price_region)
    for offer, capacity_tib, step in filesystems:
        monthly = _per_tib_month(offer, step)
        if monthly is None:
            unknown.append(f"{capacity_tib:g} TiB of {offer.key}")
        else:
            hourly += capacity_tib * monthly / HOURS_PER_MONTH
    where = ", ".join(sorted({region for region in regions if region}))
    return Estimate(
        hourly=hourly,
        monthly=hourly * HOURS_PER_MONTH,
        term=None if days is None else hourly * 24 * days,
        unknown=unknown,
        note="list price, on demand" + (f", {where}" if where else ""),
    )


def _per_tib_month(offer: FilesystemOffer, step: float | None) -> float | None:
    prices = offer.price_usd_per_tib_month
    return prices.get("any", None if step is None else prices.get(f"{step:g}"))
