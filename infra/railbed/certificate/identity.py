"""What a machine shows of itself: serial number, machine id, GPUs and NICs as they were measured on it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from railbed.certificate.manifest import readable
from railbed.claims import FrozenModel, Verdict
from railbed.parse import nvidia_smi
from railbed.text import few, plain, shown

CLAIM = "node.identity"
"""The claim that measures it."""
PART = "machine"
"""What is to blame where it fails."""
NAMED = 3
"""Cards and nodes that a reason names; more are counted."""
GPU_FIELDS = ["index", "uuid", "serial"]
LONGEST = 200
"""Characters of one value; a UUID has 36, an OCID about 100."""
GPU_ID = re.compile(r"GPU-[0-9a-f-]{8,64}")
SERIAL = re.compile(r"[A-Za-z0-9._-]{2,64}")
"""Of a GPU; boards without one say 0."""
CARD = re.compile(r"[A-Za-z0-9._:@-]{1,64}")
MACHINE_ID = re.compile(r"[0-9a-f]{32}")
GUID = re.compile(r"[0-9a-f]{4}(:[0-9a-f]{4}){3}")
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
NOTHING = re.compile(r"[0:]*")
PERMANENT = "0"
"""``addr_assign_type`` of an address that is the card's own: NET_ADDR_PERM in linux/netdevice.h."""
PLACEHOLDERS = frozenset(
    {
        "0",
        "default string",
        "n/a",
        "none",
        "o.e.m.",
        "oem",
        "system serial number",
        "to be filled by o.e.m.",
        "unknown",
    }
)
"""What firmware says where its maker filled in nothing (systemd, hwdb.d/20-dmi-id.hwdb: "mostly meaningless"). Lower case."""
FIRMWARE = ("product_serial", "chassis_serial", "board_serial", "product_uuid", "board_asset_tag")

Value = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(readable)]
"""One identity as the machine printed it."""
Line = Annotated[str, AfterValidator(shown)]


class Card(FrozenModel):
    """One card as sysfs shows it: an RDMA device with its GUID, or an interface with its address."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    name: Line
    guid: Line | None = None
    mac: Line | None = None
    assigned: Line | None = None
    """``addr_assign_type`` of the address."""


class Shown(FrozenModel):
    """What the node printed (``validate/node/test_identity.py``); None where it could not read it."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    container: Line | None = None
    """Kind of container that it runs in; None on a machine of its own."""
    machine_id: Line | None = None
    instance_id: Line | None = None
    dmi: dict[Line, Line | None] = Field(default_factory=dict)
    cards: list[Card] = Field(default_factory=list)
    gpus: Annotated[str, AfterValidator(plain)] | None = None
    """What nvidia-smi printed, one line a GPU: GPU_FIELDS."""


class Gpu(FrozenModel):
    """One GPU, in the driver's order."""

    uuid: Value
    serial: Value | None
    """None where the board has none, or does not show it."""


class Nic(FrozenModel):
    """One network card: the GUID of an RDMA device, or the permanent address of an interface."""

    name: Value
    guid: Value | None = None
    mac: Value | None = None


class Identity(FrozenModel):
    """What one node showed. What it could not show is None or empty, with the reason in ``absent``."""

    serial: Value | None = None
    """Product serial number of the firmware's tables (DMI)."""
    machine_id: Value | None = None
    instance_id: Value | None = None
    """As the cloud's metadata service gave it to cloud-init."""
    firmware: dict[Value, Value] = Field(default_factory=dict)
    """Other values of the firmware's tables by which a provider may know the machine."""
    gpus: list[Gpu] = Field(default_factory=list)
    nics: list[Nic] = Field(default_factory=list)
    absent: dict[Value, Value] = Field(default_factory=dict)
    """``serial``, ``gpus``, … → why it is not shown."""
    simulated: list[Value] = Field(default_factory=list)
    """Those that a stand-in for hardware showed, e.g. ``gpus``."""

    @property
    def measured(self) -> bool:
        """Whether anything at all identifies the machine."""
        return bool(self.serial or self.machine_id or self.instance_id or self.gpus or self.nics)

    @property
    def described(self) -> str:
        """How much of it there is, in words."""
        return f"{len(self.gpus)} GPUs and {len(self.nics)} NICs known by their own ids"


def of(seen: Shown, gpus: int, *, simulated: bool) -> Identity:
    """The identity in what a node printed; ``gpus`` is how many it should have, ``simulated`` whether they are stand-ins."""
    firmware = {} if seen.container else {name: v for name in FIRMWARE if (v := _filled(seen.dmi.get(name)))}
    serial = firmware.pop("product_serial", None)
    machine_id = seen.machine_id if MACHINE_ID.fullmatch(seen.machine_id or "") else None
    instance_id = _filled(seen.instance_id)
    devices = _gpus(seen.gpus) if gpus else []
    nics = [nic for card in seen.cards if (nic := _nic(card)) is not None]
    without = sorted({card.name for card in seen.cards} - {nic.name for nic in nics})
    no_nic = (
        f"{few(without, NAMED)}: no id of the card's own, only what software set"
        if without
        else "no card is shown"
    )
    reasons = {
        "serial": "" if serial else _no_serial(seen),
        "machine_id": "" if machine_id else "/etc/machine-id holds none",
        "instance_id": "" if instance_id else "cloud-init left none on the node",
        "gpus": f"nvidia-smi showed {len(devices)} of {gpus}: {shown(seen.gpus or 'nothing', 80)}"
        if len(devices) != gpus else "",
        "nics": no_nic if without or not nics else "",
    }  # fmt: skip
    return Identity(
        serial=serial, machine_id=machine_id, instance_id=instance_id, firmware=firmware, gpus=devices, nics=nics,
        absent={name: shown(why, LONGEST) for name, why in reasons.items() if why},
        simulated=["gpus"] if simulated and devices else [],
    )  # fmt: skip


def _filled(value: str | None) -> str | None:
    """``value`` where the firmware's maker wrote something."""
    return value if value and len(value) <= LONGEST and value.lower() not in PLACEHOLDERS else None


def _no_serial(seen: Shown) -> str:
    if seen.container:
        return f"in a container ({seen.container}) the firmware's tables are those of its host"
    if "product_serial" not in seen.dmi:
        return "the kernel shows no table of the firmware with it"
    value = seen.dmi["product_serial"]
    if value is None:
        return "it cannot be read"
    return f"the firmware has a placeholder: {value!r}" if value else "the firmware has none"


def _gpus(table: str | None) -> list[Gpu]:
    rows = nvidia_smi.plain(table or "", GPU_FIELDS)["gpus"]
    return [
        Gpu(uuid=row["uuid"], serial=row["serial"] if SERIAL.fullmatch(row["serial"] or "") else None)
        for row in rows
        if GPU_ID.fullmatch(row["uuid"] or "")
    ]


def _nic(card: Card) -> Nic | None:
    guid, mac = (card.guid or "").lower(), (card.mac or "").lower()
    if not CARD.fullmatch(card.name):
        return None
    if GUID.fullmatch(guid) and not NOTHING.fullmatch(guid):
        return Nic(name=card.name, guid=guid)
    if card.assigned == PERMANENT and MAC.fullmatch(mac) and not NOTHING.fullmatch(mac):
        return Nic(name=card.name, mac=mac)
    return None


KINDS = {"serial": "serial number", "machine_id": "machine id", "instance_id": "instance id"}
ALSO = {"serial": ("chassis_serial", "board_serial"), "instance_id": ("board_asset_tag", "product_uuid")}
"""Where else the id of a kind may stand in the firmware's tables. A BMC may call the chassis's or the board's number the
system's; EC2 puts the instance's id into the tag (AWS, "Detect whether a host is an EC2 instance"), others are its UUID."""


def judge(kind: str, wanted: str, seen: Identity) -> tuple[Verdict, str, str | None]:
    """(verdict, reason, what was measured): whether this is the machine that the contract calls ``wanted``.

    Fail only where the node itself shows an id of the same kind and form that is another one: what only the firmware has
    may be another number of the same machine. What cannot be compared is unproven.
    """
    own: str | None = getattr(seen, kind)
    others = [value for name in ALSO.get(kind, ()) if (value := seen.firmware.get(name))]
    for value in [own, *others]:
        if value and _same(value, wanted):
            return Verdict.PASS, f"its {KINDS[kind]} is the contract's; {seen.described}", value
    if own and (kind != "instance_id" or _form(own) == _form(wanted)):
        reason = f"another machine answers: its {KINDS[kind]} is {own}, and the contract has {wanted}"
        return Verdict.FAIL, reason, own
    if own:
        reason = f"{own} cannot be compared with the contract's {KINDS[kind]} {wanted}"
        return Verdict.UNPROVEN, reason, own
    return Verdict.UNPROVEN, f"the node shows no {KINDS[kind]}: {seen.absent.get(kind, 'unknown')}", None


def _same(one: str, other: str) -> bool:
    """Equal; of UUIDs also with the first three groups turned round, as some firmware has them (SMBIOS 2.6, §7.2.1)."""
    if one.casefold() == other.casefold():
        return True
    try:
        return UUID(one).bytes_le == UUID(other).bytes
    except ValueError:
        return False


def _form(value: str) -> str:
    """What ids of one kind have in common: a UUID, a number, or what stands before the first dash or dot."""
    try:
        UUID(value)
        return "uuid"
    except ValueError:
        return "number" if value.isdigit() else re.split(r"[-.]", value, maxsplit=1)[0]


def shared(seen: Mapping[str, Identity]) -> dict[str, str]:
    """Node → what it has in common with another one, though every machine has its own: machine id or GPUs."""
    holders: dict[str, list[str]] = {}
    for name, one in seen.items():
        for value in {one.machine_id, *(gpu.uuid for gpu in one.gpus)} - {None}:
            holders.setdefault(str(value), []).append(name)
    found: dict[str, str] = {}
    for value, names in holders.items():
        for name in names if len(names) > 1 else []:
            found.setdefault(name, f"{value} is also that of {few([n for n in names if n != name], NAMED)}")
    return found


def changes(before: Identity, now: Identity) -> list[str]:
    """What is another one than before. What only one of the two shows is none: other claims look for what is missing."""
    found = [
        f"{KINDS[kind]} {getattr(now, kind)}, before {getattr(before, kind)}"
        for kind in KINDS
        if getattr(before, kind) and getattr(now, kind) and getattr(before, kind) != getattr(now, kind)
    ]
    known = {gpu.uuid for gpu in before.gpus}
    found += [f"GPU {gpu.uuid} was not there" for gpu in now.gpus if known and gpu.uuid not in known]
    cards = {nic.guid or nic.mac for nic in before.nics}
    return found + [
        f"NIC {nic.name} {nic.guid or nic.mac} was not there"
        for nic in now.nics
        if cards and (nic.guid or nic.mac) not in cards
    ]
