"""What a cluster costs by the catalogue's list prices. What nobody published is said, not guessed."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from railbed.catalog import FilesystemOffer, Machine
from railbed.claims import FrozenModel

HOURS_PER_MONTH = 730
CURRENCY = "USD"


class Estimate(FrozenModel):
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
    hourly, unknown, regions, dates = 0.0, [], [], []
    for machine, nodes in machines:
        if machine.price_usd_per_hour is None:
            unknown.append(f"{nodes} × {machine.key}")
            continue
        hourly += nodes * machine.price_usd_per_hour
        regions.append(machine.price_region)
        dates.append(_date(machine, "price_usd_per_hour"))
    for offer, capacity_tib, step in filesystems:
        monthly = _per_tib_month(offer, step)
        if monthly is None:
            unknown.append(f"{capacity_tib:g} TiB of {offer.key}")
        else:
            hourly += capacity_tib * monthly / HOURS_PER_MONTH
            dates.append(_date(offer, "price_usd_per_tib_month"))
    where = ", ".join(sorted({region for region in regions if region}))
    return Estimate(
        hourly=hourly,
        monthly=hourly * HOURS_PER_MONTH,
        term=None if days is None else hourly * 24 * days,
        unknown=unknown,
        note=", ".join(part for part in ("list price, on demand", where, _as_of(dates)) if part),
    )


def _date(entry: Machine | FilesystemOffer, fact: str) -> str:
    """The day on which a price was read; empty for one of a user's own file without a source."""
    source = entry.provenance.get(fact)
    return str(source.checked) if source else ""


def _as_of(dates: Sequence[str]) -> str:
    known = sorted(date for date in dates if date)
    return f"as of {known[0]}" if known else ""


def _per_tib_month(offer: FilesystemOffer, step: float | None) -> float | None:
    prices = offer.price_usd_per_tib_month
    return prices.get("any", None if step is None else prices.get(f"{step:g}"))
