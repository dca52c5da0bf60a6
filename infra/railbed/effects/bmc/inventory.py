"""A machine's identity and inventory from its BMC."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from sushy import PROCESSOR_TYPE_CPU, PROCESSOR_TYPE_GPU, exceptions

from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.power import named
from railbed.effects.bmc.target import BmcError

BYTES_PER_GBYTE = 10**9
BASEBOARD = "HGX_"
"""NVIDIA's HGX baseboard is a Redfish system of its own (``HGX_Baseboard_0``), and the host's GPUs are listed there
(docs.nvidia.com, NVIDIA Infra Controller, Redfish endpoints reference)."""
NIC = re.compile(r"\bnic\b|connectx|network.?adapter", re.IGNORECASE)
OPTIONAL = ("BMC_ANSWER", "BMC_LACKS")
"""What a part of the inventory may answer without spoiling the rest; it is then listed as unread."""


@dataclass(frozen=True)
class Identity:
    """Who the machine says it is."""

    serial: str
    uuid: str
    manufacturer: str
    model: str
    power: str

    @property
    def emulated(self) -> bool:
        """True for sushy-tools' emulator: whatever is built on it is simulated."""
        return self.manufacturer == "Sushy Emulator"


@dataclass(frozen=True)
class Drive:
    """One disk. ``gbytes`` is 10⁹ bytes; None where the BMC does not show it."""

    name: str
    model: str
    gbytes: int | None
    serial: str = ""


@dataclass(frozen=True)
class Inventory:
    """What is in the machine. None or an empty list, with a line in ``unread``, is unknown, not absent."""

    firmware: dict[str, str] = field(default_factory=dict)
    """``bios``, ``bmc``, ``nic`` (several versions joined by ``, ``) and the BMC's own component names."""
    cpus: int | None = None
    memory_gib: int | None = None
    gpus: int | None = None
    models: dict[str, int] = field(default_factory=dict)
    """Processor model → how many."""
    drives: list[Drive] = field(default_factory=list)
    macs: list[str] = field(default_factory=list)
    """Of the host's network cards, lower case."""
    unread: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


def identify(bmc: Bmc) -> Identity:
    """Serial number, UUID, maker, model and power. Raises IdentityError where the serial number is another's."""

    def read(system: Any) -> Identity:
        return Identity(
            system.serial_number, system.uuid or "", system.manufacturer or "", system.model or "",
            named(system.power_state),
        )  # fmt: skip

    return bmc.act("read its identity", read)


def take(bmc: Bmc) -> Inventory:
    """The whole inventory; a part that the BMC does not show is listed in ``unread``."""
    unread: list[str] = []

    def part(name: str, effect: Callable[[Any], Any]) -> Any:
        try:
            return bmc.act(f"read {name}", effect)
        except BmcError as problem:
            if problem.code not in OPTIONAL:
                raise
            unread.append(f"{name}: {problem.message}")
            return None

    bios = part("the BIOS version", lambda system: system.bios_version)
    managers = part("the BMC's firmware", lambda system: [m.firmware_version for m in system.managers])
    components = part("the firmware of components", lambda _: _components(bmc)) or {}
    firmware = {
        key: value
        for key, value in (
            ("bios", bios), ("bmc", managers[0] if managers else None), ("nic", _nics(components)),
        )
        if value
    }  # fmt: skip
    processors = part("processors", lambda system: list(_processors(bmc, system)))
    kinds = [_kind(one) for one in processors or []]
    return Inventory(
        firmware={**{name: version for name, (version, _) in components.items()}, **firmware},
        cpus=kinds.count("cpu") if processors else None,
        memory_gib=part("memory", lambda system: system.memory_summary and system.memory_summary.size_gib),
        gpus=kinds.count("gpu") if processors else None,
        models=dict(Counter(one.model or "unnamed" for one in processors or [])),
        drives=part("drives", _drives) or [],
        macs=part("network cards", _macs) or [],
        unread=unread,
    )


def _components(bmc: Bmc) -> dict[str, tuple[str, bool]]:
    """Component → version, and whether it is a network card."""
    found: dict[str, tuple[str, bool]] = {}
    for item in bmc.root().get_update_service().firmware_inventory.get_members():
        if item.version:
            related = " ".join(str(link) for link in item.related_item or [])
            card = "/NetworkAdapters/" in related or bool(NIC.search(f"{item.identity} {item.name}"))
            found[item.identity] = (item.version, card)
    return found


def _nics(components: dict[str, tuple[str, bool]]) -> str:
    return ", ".join(sorted({version for version, card in components.values() if card}))


def _processors(bmc: Bmc, system: Any) -> Iterator[Any]:
    yield from system.processors.get_members()
    for path in bmc.root().get_system_collection().members_identities:
        if path.rsplit("/", 1)[-1].startswith(BASEBOARD) and path != system.path:
            yield from bmc.root().get_system(path).processors.get_members()


def _kind(processor: Any) -> str:
    """By its type; a maker of GPUs decides only where the BMC gives no type (Grace is an NVIDIA CPU)."""
    if processor.processor_type is None:
        return "gpu" if "nvidia" in (processor.manufacturer or "").lower() else "other"
    return {PROCESSOR_TYPE_CPU: "cpu", PROCESSOR_TYPE_GPU: "gpu"}.get(processor.processor_type, "other")


def _drives(system: Any) -> list[Drive]:
    try:
        listed = [drive for store in system.storage.get_members() for drive in store.drives]
    except exceptions.MissingAttributeError:
        listed = []
    if not listed:
        listed = [device for store in system.simple_storage.get_members() for device in store.devices]
    return [
        Drive(
            one.name or "unnamed", one.model or "",
            round(one.capacity_bytes / BYTES_PER_GBYTE) if one.capacity_bytes else None,
            getattr(one, "serial_number", None) or "",
        )
        for one in listed
    ]  # fmt: skip


def _macs(system: Any) -> list[str]:
    return sorted(mac.lower() for mac in system.ethernet_interfaces.summary if mac)
