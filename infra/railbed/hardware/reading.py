"""Document of a node → Observation. Never raises: what cannot be read is None, or absent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from railbed.hardware import pci
from railbed.hardware.document import Document, Interface, PciFunction, Port, Read
from railbed.hardware.observation import Cpu, Drive, Gid, Gpu, LinkLayer, Mount, Near, Nic, Observation
from railbed.parse import nccl_topology, nvidia_smi
from railbed.text import shown

NVIDIA, AMAZON = "0x10de", "0x1d0f"
"""PCI vendors (pci.ids)."""
GPU_CLASS, NETWORK_CLASS = "0x03", "0x02"
GPU_FIELDS = ["index", "uuid", "pci.bus_id", "name", "memory.total"]
SECTOR_BYTES = 512
"""Unit of ``/sys/block/*/size`` (Documentation/ABI/stable/sysfs-block)."""
KIB = 1024
LISTED = re.compile(r"^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$")
MEMORY = re.compile(r"^MemTotal:\s+(\d{1,15}) kB$")
RATE = re.compile(r"^([0-9.]{1,10}) Gb/sec")
PKEY = re.compile(r"0x[0-9a-f]{4}")
CODED = re.compile(r"^\d+: (\S+)$")
"""``4: ACTIVE``, ``5: LinkUp``."""
OS_WORD = re.compile(r"^(ID|VERSION_ID)=\"?([\w.-]{1,40})\"?$", re.M)
BLOCK = re.compile(r"^[\w.:-]{1,255}$")
MOST_CPUS = 4096


@lru_cache(pci.KEPT)
def listed(text: Read) -> tuple[int, ...]:
    """Numbers of a list of the kernel, e.g. ``0-3,8``; empty for anything else."""
    if not text or not LISTED.match(text):
        return ()
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), min(int(last or first), MOST_CPUS) + 1)
    return tuple(found[:MOST_CPUS])


def read(document: Document) -> Observation:
    """Everything in the document."""
    cores = _cores(document)
    memory = MEMORY.match(document.meminfo)
    places = _places(document)
    gpus = _gpus(document, places, cores)
    words = dict(OS_WORD.findall(document.os_release))
    return Observation(
        cpu=_cpu(cores),
        memory_mib=int(memory[1]) // KIB if memory else None,
        numa_nodes=len(document.numa),
        gpus=gpus,
        nics=_nics(document, gpus, places),
        paths={address: path for address, (path, _) in places.items()},
        drives=[
            Drive(
                name=one.name,
                address=pci.path(one.path)[1],
                model=one.model or "",
                serial=one.serial or "",
                gbytes=sum(int(n) for n in one.sectors if n and n.isdecimal()) * SECTOR_BYTES / 1e9,
            )
            for one in document.nvme
        ],
        mounts=[Mount(source=row[0], path=row[1], kind=row[2]) for row in document.mounts if len(row) >= 3],
        boot_line=document.cmdline or "",
        secure_boot=document.secure_boot,
        enrolled=document.enrolled,
        signers={shown(name): who for name, who in document.signers.items()},
        headers=document.headers,
        os=shown(" ".join(filter(None, [words.get("ID"), words.get("VERSION_ID")]))),
        kernel=document.kernel or "",
        block=document.block if document.block and BLOCK.match(document.block) else "",
        driver_said="" if any(gpu.uuid for gpu in gpus) else document.gpus,
    )


Core = tuple[int, tuple[int, ...]]
"""Socket and CPUs of a core."""
Cores = tuple[Core, ...]
"""In the order in which Slurm counts cores: over the sockets, then by the first CPU."""


def _cores(document: Document) -> Cores:
    found = {
        (int(socket), cpus)
        for socket, cores in document.cpus.items()
        if socket.isdecimal() and len(socket) < 6
        for cpus in map(listed, cores)
        if cpus
    }
    return tuple(sorted(found))


@lru_cache(pci.KEPT)
def _near_cores(cores: Cores, local: Read) -> tuple[int, ...]:
    near = frozenset(listed(local))
    return tuple(number for number, (_, cpus) in enumerate(cores) if near.issuperset(cpus))


def _cpu(cores: Cores) -> Cpu | None:
    """None where sockets or cores differ: no one number would be true."""
    sockets = Counter(socket for socket, _ in cores)
    threads = {len(cpus) for _, cpus in cores}
    every = [cpu for _, cpus in cores for cpu in cpus]
    if len(threads) != 1 or len(set(sockets.values())) != 1 or len(set(every)) != len(every):
        return None
    return Cpu(
        sockets=len(sockets), cores_per_socket=len(cores) // len(sockets), threads_per_core=min(threads)
    )  # fmt: skip


Places = dict[str, tuple[tuple[str, ...], int | None]]
"""PCI address → the bridges above it, and its NUMA node."""


def _numa(function: PciFunction) -> int | None:
    """None where the firmware names none (-1)."""
    text = function.numa_node or ""
    return int(text) if text.isdecimal() and len(text) < 5 else None


def _places(document: Document) -> Places:
    """Of GPUs and cards. The provider's topology file stands above the buses that a virtual machine sees."""
    found: Places = {
        one.address: (pci.path(one.path)[0], _numa(one))
        for one in document.pci
        if one.kind.startswith((GPU_CLASS, NETWORK_CLASS)) and pci.ADDRESS.fullmatch(one.address)
    }
    listed_devices = nccl_topology.plain(document.topology)["devices"] if document.topology else []
    for device in listed_devices:
        if device["address"] in found:
            found[device["address"]] = (tuple(device["above"]), device["numa"])
    return found


def _gpus(document: Document, places: Places, cores: Cores) -> list[Gpu]:
    functions = [
        one
        for one in document.pci
        if one.address in places and one.kind.startswith(GPU_CLASS) and one.vendor == NVIDIA
    ]
    functions.sort(key=lambda one: pci.order(one.address))
    topology_rows = {
        pci.normal(str(row.get("pci.bus_id"))): row
        for row in nvidia_smi.plain(document.gpus, GPU_FIELDS)["gpus"]
    }
    minors = {pci.normal(address): int(text) for address, text in document.minors.items() if text.isdecimal()}
    found = []
    for index, one in enumerate(functions):
        row = topology_rows.get(one.address, {})
        memory = row.get("memory.total")
        found.append(
            Gpu(
                index=index,
                address=one.address,
                numa=places[one.address][1],
                cores=list(_near_cores(cores, one.local_cpulist)),
                minor=minors.get(one.address),
                uuid=str(row.get("uuid") or ""),
                model=str(row.get("name") or ""),
                memory_mib=memory if isinstance(memory, int) else None,
            )
        )
    return found


def _nics(document: Document, gpus: list[Gpu], places: Places) -> list[Nic]:
    functions = {one.address: one for one in document.pci}
    interfaces = [(pci.path(one.path)[1], one) for one in document.net]
    found = []
    for device in document.rdma:
        address = pci.path(device.path)[1]
        function = functions.get(address)
        bridges, numa = places.get(address, ((), None))
        beside = [one for at, one in interfaces if at == address]
        for port in device.ports:
            number = int(port.number) if port.number.isdecimal() and len(port.number) < 6 else 0
            rate = RATE.match(port.rate or "")
            # Soft RoCE says 2.5 Gb/s of every interface (Linux, drivers/infiniband/sw/rxe/rxe_param.h: RXE_PORT_ACTIVE_SPEED).
            up = _word(port.phys_state) == "LinkUp" and not device.software
            found.append(
                Nic(
                    device=device.name,
                    port=number,
                    netdev=_netdev(beside, number, len(device.ports)),
                    address=address,
                    link_layer=_link_layer(port, function),
                    rate_gbps=float(rate[1]) if rate and up else None,
                    state=_word(port.state),
                    physical_state=_word(port.phys_state),
                    gids=list(_gids(port)),
                    pkeys=_pkeys(port),
                    firmware=device.fw_ver or "",
                    numa=numa,
                    virtual=function is not None and function.virtual,
                    near=_near(gpus, bridges, numa, places),
                )
            )
    return found


def _near(gpus: list[Gpu], bridges: tuple[str, ...], numa: int | None, places: Places) -> list[Near]:
    ranks = [(gpu.index, pci.distance(places[gpu.address][0], bridges, gpu.numa, numa)[0]) for gpu in gpus]
    return [Near(gpu=index, rank=rank) for index, rank in ranks if rank.behind_one_switch]


def _word(text: Read) -> str:
    coded = CODED.match(text or "")
    return coded[1] if coded else ""


def _link_layer(port: Port, function: PciFunction | None) -> LinkLayer:
    """The kernel says ``Unspecified`` of EFA's: there the vendor decides."""
    if port.link_layer == "InfiniBand":
        return "infiniband"
    if port.link_layer == "Ethernet":
        return "ethernet"
    return "efa" if function is not None and function.vendor == AMAZON else ""


def _gids(port: Port) -> Iterable[Gid]:
    for one in port.gids:
        if one.index.isdecimal() and len(one.index) < 6:
            yield Gid(index=int(one.index), gid=one.gid, kind=one.type or "")


def _pkeys(port: Port) -> dict[int, int]:
    entries = [one for one in port.pkeys if one.index.isdecimal() and len(one.index) < 6]
    return {int(one.index): int(one.pkey, 16) for one in entries if PKEY.fullmatch(one.pkey)}


def _netdev(beside: list[Interface], port: int, ports: int) -> str:
    """The interface of a port. Cards with one device for each port share neither; older ones number ports by ``dev_port``."""
    if ports > 1:
        beside = [one for one in beside if one.dev_port == str(port - 1)]
    return beside[0].name if len(beside) == 1 else ""
