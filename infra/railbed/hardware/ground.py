"""What a node must bring before anything is installed on it: else the installation stops half-way, or nothing of it works. Pure.

What could not be read refuses nothing.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.hardware.observation import Nic, Observation
from railbed.hardware.rails import LAYERS, RATE_TOLERANCE, Mapping, Wanted, Why, candidates, mapped
from railbed.text import few

SecureBoot = Literal["off", "mok", "signed"]
SIGNING_OPTIONS = (
    "Three ways (`software.module_signing` of the spec): `off`, turned off in the machine's firmware; `mok`, a key of the site "
    "that is enrolled on every node, and that DKMS signs with; `signed`, an image with the distribution's signed modules "
    "(linux-modules-nvidia-…-server-open of Ubuntu)"
)
DRIVER = "nvidia"
VERSION = re.compile(r"^(\d{1,5})\.(\d{1,5})\.(\d{1,6})$")
SPOKEN = {"infiniband": "InfiniBand", "ethernet": "Ethernet"}
LINK_TYPE = {"infiniband": "IB", "roce": "ETH"}
"""Transport → value of LINK_TYPE_P1 (NVIDIA's mlxconfig)."""


class Ground(FrozenModel):
    """What the contract says of the nodes."""

    secure_boot: SecureBoot = "off"
    """How the site lets the kernel load modules that are built on nodes."""
    certificate_sha256: str = ""
    """Of the site's own certificate, with ``mok``."""
    mirrored: bool = False
    """Whether packages come from a mirror of the site: what sources of the image have says nothing of it."""
    own_cards: bool = False
    """Whether links and firmware of the cards are the site's to set; a cloud's are not, on its bare metal neither."""
    rails_named: bool = False
    """Whether the catalogue, or a site's overlay of it, names the rails' cards: then nothing has to be inferred."""
    rails_routed: bool = False
    """Whether rails are routed links whose interfaces only the node can name: without these nothing of them is set."""
    nic_firmware: dict[str, str] = Field(default_factory=dict)
    """First number of a card's firmware, which is its generation → the oldest that goes with the release."""


def refused(
    seen: Observation, ground: Ground, wanted: Wanted | None, rails: Mapping | None = None
) -> list[str]:
    """Why nothing may be installed; empty where nothing speaks against it.

    ``wanted`` is None without RDMA rails; ``rails``: what `mapped` says of the two, where that is known already.
    """
    found = [_secure_boot(seen, ground), _headers(seen, ground)]
    if wanted is not None:
        rails = rails or mapped(seen, wanted)
        other = _link_type(seen, wanted) if ground.own_cards else ""
        found += [other, "" if other else _lacking(seen, ground, wanted, rails)]
        found += [_firmware(seen, ground, rails) if ground.own_cards else ""]
    return [problem for problem in found if problem]


def _secure_boot(seen: Observation, ground: Ground) -> str:
    if not seen.secure_boot:
        return ""
    if ground.secure_boot == "off":
        return (
            f"secure boot is on, and the kernel takes no module that is built on the node. {SIGNING_OPTIONS}"
        )
    if ground.secure_boot == "mok" and ground.certificate_sha256 not in seen.enrolled:
        there = few([one[:12] for one in seen.enrolled]) or "none"
        return (
            f"secure boot is on, and the site's certificate {ground.certificate_sha256[:12]} is not enrolled "
            f"(enrolled: {there}). "
            "`mokutil --import` asks for it, and a person confirms it at the console of the next boot"
        )
    if ground.secure_boot == "signed" and not seen.signers.get(DRIVER):
        has = "has no signer" if DRIVER in seen.signers else "is not installed"
        return f"secure boot is on, and module {DRIVER} {has}: it comes signed with the image, or not at all. {SIGNING_OPTIONS}"
    return ""


def _headers(seen: Observation, ground: Ground) -> str:
    if seen.headers is not False or ground.mirrored:
        return ""
    return (
        f"no package source has linux-headers-{seen.kernel}: modules cannot be built for the kernel that runs. Boot one whose "
        "headers the sources have, or add its source"
    )


def _link_type(seen: Observation, wanted: Wanted) -> str:
    """Cards that speak the other protocol, where none beside a GPU speaks the fabric's and they are enough for its rails.

    One that speaks it shows that cards were set: what is lacking then is dead, and the other may be for storage.
    """
    layer = LAYERS.get(wanted.transport, "")
    if wanted.transport not in LINK_TYPE or wanted.nics_per_rail is None:
        return ""
    cards = [nic for nic in seen.nics if not nic.virtual and nic.near]
    other = [nic for nic in cards if nic.link_layer not in (layer, "") and _fits(nic, wanted.nic_gbps)]
    needed = wanted.rails * wanted.nics_per_rail
    if any(nic.link_layer == layer for nic in cards) or not 0 < needed <= len(other):
        return ""
    named = few([f"{nic.device} ({nic.address})" for nic in other])
    which = "each" if len(other) == needed else f"the {needed} of them that are rails"
    return (
        f"{named} speak {SPOKEN[other[0].link_layer]}, and the fabric is {SPOKEN[layer]}. "
        f"`mlxconfig -d ADDRESS set LINK_TYPE_P1={LINK_TYPE[wanted.transport]}` for {which} and a cold boot change it"
    )


def _lacking(seen: Observation, ground: Ground, wanted: Wanted, rails: Mapping) -> str:
    """Rails that cannot be mapped though the cards' driver is there: a card is missing, or two are equally near to a GPU.

    One rail's card at its full rate shows that the driver knows this kind of card. Where cards have names, and on a cloud, only
    what is not there counts: a guest's bridges may be the host's, and what shows them may come with the installation. Routed
    rails of a site need names of interfaces too: without them they would be refused later, after the packages.
    """
    if rails.why not in (Why.FEW, Why.AMBIGUOUS) or wanted.nic_gbps is None:
        return ""
    there = candidates(seen, wanted)
    if not any(nic.rate_gbps is not None for nic in there):
        return ""
    complete = len(seen.gpus) == wanted.gpus and len(there) >= wanted.rails * (wanted.nics_per_rail or 0)
    named = ground.rails_named and not ground.rails_routed
    if complete and (named or not ground.own_cards):
        return ""
    if rails.why is Why.FEW:
        return f"cards or GPUs are missing: {rails.unproven}. Repair the node, or take it out of its pool"
    return (
        f"it is not known which cards are the rails: {rails.unproven}. Where no slot can be changed, an overlay of the "
        "catalogue's machine names them (`rdma_devices`, `netdevs`)"
    )


def _fits(nic: Nic, rate_gbps: float | None) -> bool:
    seen = nic.rate_gbps
    return seen is None or rate_gbps is None or abs(seen - rate_gbps) <= RATE_TOLERANCE * rate_gbps


def _firmware(seen: Observation, ground: Ground, rails: Mapping) -> str:
    """Of the rails' cards: a storage card may have what it came with. Where rails are not mapped, nobody knows which they are."""
    old = {}
    for nic in seen.nics:
        has = VERSION.match(nic.firmware)
        least = VERSION.match(ground.nic_firmware.get(has[1], "")) if has else None
        if has and least and tuple(map(int, has.groups())) < tuple(map(int, least.groups())):
            old[nic.device] = f"{nic.device} has {nic.firmware}, not {least[0]} or newer"
    outdated = [old[nic.device] for nic in rails.nics if nic.device in old]
    if not outdated:
        return ""
    return f"firmware of rails' cards is older than the release allows: {few(outdated)}. Bring it up with the maker's tool"
