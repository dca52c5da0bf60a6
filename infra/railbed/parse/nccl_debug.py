"""Reads NCCL's own log (NCCL_DEBUG=INFO, NVIDIA/nccl): plugin, network, channels, GPUDirect, NVLS, algorithms.

The lines may lie between those of any other program. Never raises on any text.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from railbed.parse.lines import bare_lines, bounded

LINE = re.compile(r"NCCL (INFO|WARN|TRACE)\s+(.*)$")
VERSION = re.compile(r"\bNCCL version (\d[\w.+-]*)")
PLUGIN = re.compile(
    r"NET/Plugin ?: ?(?:Loaded net plugin|Plugin name set by env to|Using) (\S.*?)(?: \(v\d+\))?$"
    r"|NET/(OFI) (?:Selected [Pp]rovider is|Initializing aws-ofi-nccl)"
)
NO_PLUGIN = re.compile(r"NET/Plugin ?: ?(?:No plugin found|Could not find)|Using internal net")
PLUGIN_LOAD, RETURNED = "Plugin load ", re.compile(r"returned \d")
NETWORK = re.compile(r"^Using (?:network|non-device net plugin version \d+ network) ?(\S.*)$")
DEVICES = re.compile(r"^NET/(IB|Socket|OFI|IBext\w*) ?: Using (.*)$")
DEVICE = re.compile(r"\[\d+\]([\w.@-]+)")
NO_DEVICE = re.compile(r"^NET/(\w+) ?: No device found")
CHANNEL = re.compile(r"^Channel \d+(?:/\d+)? ?: ")
VIA = " via "
TRANSPORT = re.compile(r"^[\w .-]+(?:/|$)")
COUNTS = re.compile(
    r"^(\d{1,9}) coll channels(?:, (\d{1,9}) collnet channels)?(?:, (\d{1,9}) nvls channels)?, (\d{1,9}) p2p channels"
)
COMM = re.compile(r"\bnranks (\d{1,7})\b(?: nNodes (\d{1,7})\b)?", re.IGNORECASE)
NVLS = re.compile(r"^NVLS multicast support is (not )?available")
GDR = re.compile(r"GPU ?Direct RDMA (Enabled|Disabled)|^NET/\w+ ?: GPU Direct RDMA (Enabled|Disabled)")
CHOICE = re.compile(r"(\d{1,18}) Bytes -> Algo (\w+) proto (\w+)")
NAME_KEPT = 40
COLLECTIVE = re.compile(r"(\w+): $")
"""What stands in front of a choice, of which so many characters are read."""
SET = re.compile(r"^(NCCL_\w+) set (?:by environment )?to (.*?)\.?$")
FURNITURE = re.compile(
    r"Bootstrap ?:|Channel \d+/\d+ :(?: +\d+)+$|Trees \[|Connected (?:all|NVLS|binomial)|Setting affinity|threadThresholds|"
    r"P2P Chunksize|cudaDriverVersion|NVLS (?:Head|comm|Creating)|comm 0x|Launch mode|TUNER/Plugin|PROFILER/Plugin|"
    r"MNNVL |CC |Check P2P Type|Latency/AlgBw|\s*\w+ \| "
)
"""Lines of every log that say nothing about the way that data take."""
ALGORITHMS = ("TREE", "RING", "COLLNET_DIRECT", "COLLNET_CHAIN", "NVLS", "NVLS_TREE", "PAT")
PROTOCOLS = ("LL", "LL128", "SIMPLE")
"""Older versions print the place in these lists."""


@dataclass
class NcclLog:
    """What NCCL said about how it runs. Counts are over all processes whose lines are there."""

    version: str | None = None
    plugin: str | None = None
    """Net plugin; empty where NCCL said that it found none."""
    network: str | None = None
    """``IB``, ``Socket``, ``AWS Libfabric``, …"""
    nics: dict[str, None] = field(default_factory=dict)
    """Each once, in the order named."""
    ranks: int | None = None
    nodes: int | None = None
    channels: dict[str, int] = field(default_factory=dict)
    """``coll``, ``collnet``, ``nvls``, ``p2p``: the least that any process has."""
    transports: dict[str, int] = field(default_factory=dict)
    """``P2P``, ``SHM``, ``NET/IB``, … → connections."""
    gpudirect_connections: int = 0
    """Network connections that read or write GPU memory directly."""
    gpudirect_disabled: bool = False
    """True where NCCL said so in words."""
    nvls_available: bool | None = None
    algorithms: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    lines: int = 0
    """Lines that were NCCL's."""

    @property
    def devices(self) -> list[str]:
        """Network adapters that NCCL uses."""
        return list(self.nics)

    @property
    def network_connections(self) -> int:
        """Connections that leave a node, by any transport."""
        return sum(n for name, n in self.transports.items() if name.startswith("NET/"))

    @property
    def uses_sockets(self) -> bool | None:
        """True where NCCL talks TCP between nodes; None where the log does not say."""
        if self.network_connections:
            return any(name.startswith("NET/Socket") for name in self.transports)
        return None if self.network is None else self.network.startswith("Socket")

    @property
    def gpudirect(self) -> bool | None:
        """True where every network connection is GPUDirect, False where one is not; None where the log is silent."""
        if self.network_connections:
            return self.gpudirect_connections >= self.network_connections
        return False if self.gpudirect_disabled else None

    @property
    def nvls(self) -> bool | None:
        """True where NVLS channels are there, False where NCCL has none; None where the log does not say."""
        if "nvls" in self.channels:
            return self.channels["nvls"] > 0
        return False if self.nvls_available is False else None


def read(text: str) -> NcclLog:
    """What NCCL's lines in ``text`` say."""
    log = NcclLog()
    transports: Counter[str] = Counter()
    unread: list[str] = []
    for line in bare_lines(text):
        version = VERSION.search(line)
        if version:
            log.version = log.version or version.group(1)
        match = LINE.search(line)
        if not match:
            if not version:
                unread.append(line)
            continue
        log.lines += 1
        level, said = match.groups()
        if level == "WARN":
            log.warnings.append(said)
        elif not _channel(log, transports, said) and not (_network(log, said) or _rest(log, said)):
            unread.append(line)
    log.transports = dict(transports)
    log.warnings, log.unread = bounded(log.warnings), bounded(unread)
    return log


def _channel(log: NcclLog, transports: Counter[str], said: str) -> bool:
    _, via, name = said.rpartition(VIA)
    if not via or not CHANNEL.match(said) or not TRANSPORT.match(name):
        return False
    parts = name.split("/")
    kind = "/".join(parts[:2]) if parts[0] == "NET" and len(parts) > 1 else parts[0]
    transports[kind] += 1
    if kind.startswith("NET/") and "GDRDMA" in name:
        log.gpudirect_connections += 1
    return True


def _network(log: NcclLog, said: str) -> bool:
    plugin, network, devices = PLUGIN.search(said), NETWORK.match(said), DEVICES.match(said)
    if plugin:
        log.plugin = plugin.group(1) or plugin.group(2)
    elif NO_PLUGIN.search(said) or RETURNED.search(said.partition(PLUGIN_LOAD)[2]):
        log.plugin = log.plugin or ""
    elif network:
        log.network = network.group(1).strip()
    elif devices:
        found = DEVICE.findall(devices.group(2).split("; OOB")[0])
        log.nics.update(dict.fromkeys(found))
    elif GDR.search(said):
        log.gpudirect_disabled = log.gpudirect_disabled or "Disabled" in said
    else:
        return bool(NO_DEVICE.match(said))
    return True


def _rest(log: NcclLog, said: str) -> bool:
    counts, comm, nvls, choice, known = (
        COUNTS.match(said), COMM.search(said), NVLS.match(said), CHOICE.search(said), SET.match(said),
    )  # fmt: skip
    if counts:
        for place, name in enumerate(("coll", "collnet", "nvls", "p2p")):
            value = counts.group(place + 1)
            if value is not None:
                log.channels[name] = min(int(value), log.channels.get(name, int(value)))
    elif nvls:
        log.nvls_available = nvls.group(1) is None and log.nvls_available is not False
    elif choice:
        before = said[max(choice.start() - NAME_KEPT, 0) : choice.start()]
        log.algorithms.append(_choice(choice, COLLECTIVE.search(before)))
    elif known:
        log.environment[known.group(1)] = known.group(2)
    elif comm:
        log.ranks = max(int(comm.group(1)), log.ranks or 0)
        if comm.group(2):
            log.nodes = max(int(comm.group(2)), log.nodes or 0)
    else:
        return bool(FURNITURE.match(said))
    return True


def _choice(match: re.Match[str], collective: re.Match[str] | None) -> dict[str, Any]:
    size, algorithm, protocol = match.groups()
    return {
        "collective": collective.group(1) if collective else None,
        "size_bytes": int(size),
        "algorithm": _by_place(algorithm, ALGORITHMS),
        "protocol": _by_place(protocol, PROTOCOLS),
    }


def _by_place(word: str, names: tuple[str, ...]) -> str:
    at = int(word) if word.isascii() and word.isdecimal() and len(word) < 3 else -1
    return names[at] if 0 <= at < len(names) else word.upper()


def plain(text: str) -> dict[str, Any]:
    """The same as JSON data. ``gpudirect``, ``nvls`` and ``uses_sockets`` are null where the log does not say."""
    log = read(text)
    known = asdict(log)
    del known["nics"]
    return {
        **known,
        "devices": log.devices,
        "uses_sockets": log.uses_sockets,
        "gpudirect": log.gpudirect,
        "nvls": log.nvls,
    }
