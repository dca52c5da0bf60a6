"""What a spec asks of a filesystem offer: that it is the platform's, and sold in that size and at that throughput."""

from __future__ import annotations

from railbed import catalog
from railbed.errors import CatalogError, SpecError, UsageError
from railbed.laws import storage
from railbed.spec.cluster import ClusterSpec, FilesystemSpec
from railbed.spec.platforms import machines_of

SIZE_TOLERANCE_TIB = 0.01
"""Providers print sizes in GiB; a spec's TiB may be rounded."""


def check(spec: ClusterSpec, filesystem: FilesystemSpec, where: str) -> None:
    """Raises the first SpecError that ``filesystem`` deserves; ``where`` is its key path."""
    try:
        offer = catalog.load_filesystem(filesystem.offer)
    except CatalogError as unknown:
        raise at(unknown, f"{where}.offer") from None
    if offer.key.split("/", 1)[0] not in (spec.platform.kind, machines_of(spec.platform)):
        raise SpecError(
            f"platform {spec.platform.kind} has no filesystem offer {offer.key}",
            path=f"{where}.offer",
            found=offer.key,
            allowed=[k for k in catalog.keys("filesystems") if k.startswith(spec.platform.kind + "/")],
            hint="choose an offer of the platform",
        )
    step = _step(filesystem, offer, where)
    _whole_throughput(filesystem, offer, where)
    _size(filesystem, offer, step, where)
    servers = min(spec.compute_nodes, offer.max_copies)
    if filesystem.copies is not None and filesystem.copies > servers:
        raise SpecError(
            f"{filesystem.copies} copies need as many data servers; each compute node is one, and there are "
            f"{spec.compute_nodes}",
            path=f"{where}.copies",
            found=filesystem.copies,
            allowed=f"1 to {servers}",
            hint="ask for fewer copies or more nodes",
            code="SPEC_SUM",
        )


def at(wrong: UsageError, path: str) -> SpecError:
    """The same error at a key of the spec."""
    code = wrong.code if isinstance(wrong, CatalogError) else None
    return SpecError(
        wrong.message, path=path, found=wrong.found, allowed=wrong.allowed, hint=wrong.hint, code=code
    )


def _step(filesystem: FilesystemSpec, offer: catalog.FilesystemOffer, where: str) -> catalog.Step | None:
    """The step that the spec buys, where the offer sells steps; what sells none is the platform's to refuse."""
    if not offer.steps:
        return None
    try:
        return storage.step_of(offer, filesystem.mbytes_per_s_per_tib)
    except UsageError as unsold:
        raise at(unsold, f"{where}.mbytes_per_s_per_tib") from None


def _whole_throughput(filesystem: FilesystemSpec, offer: catalog.FilesystemOffer, where: str) -> None:
    try:
        storage.whole_mbytes_per_s(offer, filesystem.capacity_tib, filesystem.mbytes_per_s_per_tib)
    except UsageError as unsold:
        raise at(unsold, f"{where}.mbytes_per_s_per_tib") from None


def _size(
    filesystem: FilesystemSpec, offer: catalog.FilesystemOffer, step: catalog.Step | None, where: str
) -> None:
    least = step.min_tib if step is not None and step.min_tib is not None else offer.min_capacity_tib
    most, size = offer.max_capacity_tib, filesystem.capacity_tib
    if (least is not None and size < least - SIZE_TOLERANCE_TIB * bool(step)) or (
        most is not None and size > most
    ):
        raise SpecError(
            f"{offer.key} is not offered in that size",
            path=f"{where}.capacity_tib",
            found=size,
            allowed=" ".join(
                part
                for part in (f"{least:g}" if least else "", f"to {most:g}" if most else "or more", "TiB")
                if part
            ),
            hint="choose a size within the offer",
        )
    if step is None or step.increment_tib is None:
        return
    steps = (size - (least or 0)) / step.increment_tib
    if abs(steps - round(steps)) * step.increment_tib > SIZE_TOLERANCE_TIB and not _whole(
        size, step.increment_tib
    ):
        below = (least or 0) + int(steps) * step.increment_tib
        raise SpecError(
            f"{offer.key} is sold in steps of {step.increment_tib:g} TiB",
            path=f"{where}.capacity_tib",
            found=size,
            allowed=f"{below:.6g} or {below + step.increment_tib:.6g} TiB",
            hint="choose the size below or above",
        )


def _whole(size: float, increment: float) -> bool:
    """True for a whole number of increments: some providers sell those besides the smallest size."""
    return abs(size / increment - round(size / increment)) * increment <= SIZE_TOLERANCE_TIB
