"""InfiniBand: what a subnet manager is given for one subnet. Files of OpenSM, and the same for UFM.

A plane is a subnet of its own. Switches need no configuration: ports, speeds and MTU are the subnet manager's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from railbed.errors import Unsupported
from railbed.fabric import Fabric, Names
from railbed.fabric.cables import cables
from railbed.fabric.infiniband import described
from railbed.platforms.metal.switches import partitions
from railbed.platforms.metal.switches.facts import facts
from railbed.platforms.metal.switches.guids import Guids
from railbed.platforms.metal.switches.partitions import Partition

TEMPLATE = Path(__file__).with_name("opensm.conf.j2")
FOLDER = "/etc/opensm"
"""Where OpenSM's files lie on its host."""
CONFIG, PARTITIONS, ROOTS, NAMES = "opensm.conf", "partitions.conf", "root_guids.conf", "ib-node-name-map"
UFM_SETTINGS, UFM_KEYS = "ufm-gv.cfg", "ufm-pkeys.json"
MANAGERS = ("nvidia", "opensm")
"""NVIDIA's subnet manager (in UFM and DOCA), and the one of linux-rdma."""
DEFAULT_KEY = 0x7FFF
DEFAULT = f"Default={DEFAULT_KEY:#06x}, ipoib : ALL=limited, ALL_SWITCHES=full, SELF=full ;"
GUIDS_PER_LINE = 64


@dataclass
class Subnet:
    """One plane of the plan."""

    plane: int
    planes: int
    tiers: int
    roots: list[str]
    """Switches of the top tier."""
    switches: list[str]
    nics: dict[str, list[str]] = field(default_factory=dict)
    """Node → descriptions of its NICs here."""

    @property
    def name(self) -> str:
        """Folder of its files."""
        return f"subnet{self.plane}" if self.planes > 1 else "subnet"


@dataclass(frozen=True)
class Manager:
    """A subnet manager, and what it is asked for."""

    kind: str = "nvidia"
    sharp: bool = True

    def engine(self, tiers: int) -> str:
        """Routing engine for so many tiers."""
        return facts().nvidia_engine if self.kind == "nvidia" else facts().opensm_engines[str(tiers)]


def subnets(fabric: Fabric, names: Names) -> list[Subnet]:
    """One subnet a plane. Raises Unsupported without spines: each leaf is then a subnet, with a manager of its own."""
    request = fabric.request
    if request.rail_only:
        raise Unsupported(
            "InfiniBand", "a fabric without spines as one subnet",
            "every leaf needs a subnet manager of its own; leave out --rail-only", path="--rail-only",
        )  # fmt: skip
    named = names.checked(request.planes)
    found = []
    for plane in range(request.planes):
        tiers = [
            named.switch_names(tier, plane, count)
            for tier, count in (("leaf", fabric.leaf), ("spine", fabric.spine), ("core", fabric.core))
            if count
        ]
        found.append(
            Subnet(plane, request.planes, fabric.tiers, tiers[-1], [n for tier in tiers for n in tier])
        )
    extras = {named.extra_name(index) for index in range(request.extra_endpoints)}
    for cable in cables(fabric, names):
        if cable.tier == "node_leaf" and cable.source not in extras:
            found[cable.plane].nics.setdefault(cable.source, []).append(described(cable))
    return found


def render(
    subnet: Subnet, manager: Manager, guids: Guids | None, wanted: list[Partition] | None
) -> dict[str, str]:
    """File name → text. Without GUIDs opensm.conf alone: closed partitions without members would part all nodes."""
    if guids is None:
        return {CONFIG: _config(subnet, manager, known=False)}
    asked = partitions.whole(list(subnet.nics)) if wanted is None else wanted
    keys = {one.pkey: (one, partitions.members(one, subnet.nics, guids)) for one in asked}
    named = [(guids.switches[name], name) for name in subnet.switches if name in guids.switches]
    return {
        CONFIG: _config(subnet, manager, known=True),
        PARTITIONS: _partitions(keys),
        ROOTS: "".join(f"{guid}\n" for guid, name in sorted(named) if name in subnet.roots),
        NAMES: "".join(f'{guid} "{name}"\n' for guid, name in sorted(named)),
        UFM_SETTINGS: _settings(manager),
        UFM_KEYS: json.dumps([_request(one, found) for one, found in keys.values()], indent=1) + "\n",
    }


@cache
def _template() -> Template:
    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - no HTML
    return made.from_string(TEMPLATE.read_text())


def _config(subnet: Subnet, manager: Manager, *, known: bool) -> str:
    text = _template().render(
        manager=manager.kind, tiers=subnet.tiers, plane=subnet.plane, planes=subnet.planes, known=known,
        engine=manager.engine(subnet.tiers), folder=FOLDER, root_file=ROOTS, partition_file=PARTITIONS, map_file=NAMES,
        sharp=facts().sharp_enable if manager.sharp else facts().sharp_disable,
        virtual_lanes=facts().sharp_virtual_lanes,
    )  # fmt: skip
    return text.rstrip("\n") + "\n"


def _partitions(keys: Mapping[int, tuple[Partition, dict[str, str]]]) -> str:
    """A partition takes several lines where one would be longer than UFM accepts."""
    lines = [DEFAULT]
    for key, (partition, found) in sorted(keys.items()):
        flags = ", ipoib" if partition.ipoib else ""
        ordered = sorted(found.items())
        for start in range(0, max(len(ordered), 1), GUIDS_PER_LINE):
            some = ", ".join(f"{guid}={how}" for guid, how in ordered[start : start + GUIDS_PER_LINE])
            lines.append(f"{partition.name}={key:#06x}{flags} : {some} ;")
    return "".join(f"{line}\n" for line in lines)


def _settings(manager: Manager) -> str:
    known = facts()
    settings = [known.ufm_default_membership, *([known.ufm_sharp] if manager.sharp else [])]
    return "".join(f"[{one.section}]\n{one.key} = {one.value}\n" for one in settings)


def _request(partition: Partition, found: dict[str, str]) -> dict[str, Any]:
    """One call of UFM's REST API."""
    ordered = sorted(found.items())
    return {
        "method": "POST",
        "path": facts().ufm_pkeys_path,
        "body": {
            "pkey": f"{partition.pkey:#x}",
            "ip_over_ib": partition.ipoib,
            "index0": False,
            "guids": [guid for guid, _ in ordered],
            "memberships": [how for _, how in ordered],
        },
    }


def comparable(file: str, text: str, rendered: str) -> str:
    """Without comments; of opensm.conf and gv.cfg only the keys that railbed sets."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    if file in (CONFIG, UFM_SETTINGS):
        asked = {line.split()[0] for line in rendered.splitlines() if line and not line.startswith("#")}
        lines = [line for line in lines if line.split()[0] in asked]
    return "".join(f"{line}\n" for line in lines)
