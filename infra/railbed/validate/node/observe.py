"""What this machine is made of, as the kernel and the driver print it: one JSON document on standard output.

It reads and judges nothing; ``railbed.hardware`` on the operator's machine takes the document apart. Everything comes from
sysfs, procfs and the firmware's variables, save the GPUs' UUIDs (the driver's tool), who signed modules (modinfo) and whether
package sources have the kernel's headers (apt). ``--root`` puts another folder in front of all paths:
recorded trees are read as a node is. Python 3.9, standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import struct
import sys
import time
from typing import Any, Optional

# Python is started with -I, which finds nothing beside the program.
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))

from railbed.validate.node.probe import Probe

VERSION = 1
"""Of the document."""
PCI, RDMA, NET, NVME, CPU, NUMA = (
    "/sys/bus/pci/devices", "/sys/class/infiniband", "/sys/class/net", "/sys/class/nvme", "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)  # fmt: skip
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""UEFI 2.10, 3.3 "Globally Defined Variables": four bytes of attributes, then one that is 1 where it is on."""
MOK = "/sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23"
"""Certificates that a person enrolled beside the firmware's, as shim shows them to the running system (rhboot/shim, MokVars.txt):
four bytes of attributes, then signature lists."""
X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
LIST, OWNER = struct.Struct("<16sIII"), 16
"""Head of a list: kind, its size, size of its own header, size of one signature; this begins with its owner (UEFI 2.10, 32.4)."""
SIGNED = ("nvidia", "mlx5_core", "lnet")
"""Kernel modules whose signer is reported."""
MODULES, LISTS = "/lib/modules", "/var/lib/apt/lists"
ASK_S = 3.0
NO_PACKAGE = ["E: No packages found"]
"""All that apt-cache(8) says where lists have no package of a name; with status 100, as for every error of apt."""
KINDS = ("0x02", "0x03")
"""PCI classes that are read: network cards, and displays and 3D controllers (PCI Code and ID Assignment)."""
GPU_FIELDS = "index,uuid,pci.bus_id,name,memory.total"
GPU_QUERY = ["nvidia-smi", "--query-gpu=" + GPU_FIELDS, "--format=csv,noheader,nounits"]
OF_DOMAINS = re.compile(r"\bGB[23]00\b")
"""Names of GPUs whose NVLink reaches other nodes."""
DOMAIN_QUERY = ["nvidia-smi", "--query-gpu=fabric.clusterUuid,fabric.cliqueId", "--format=csv,noheader"]
"""NVLink domain and partition of it, the same for all GPUs of a node (nvidia.github.io/k8s-test-infra/guides/topograph;
Azure/cyclecloud-slurm, azure-slurm/slurmcc/topology.py)."""
DOMAIN = re.compile(r"^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}), *(\d{1,10})$", re.M)
NO_DOMAIN = "00000000-0000-0000-0000-000000000000"
DRIVER = "/proc/driver/nvidia/gpus"
DEVICE_MINOR = re.compile(r"^Device Minor:\s*(\d{1,4})\s*$", re.M)
GPU_S = 5.0
"""nvidia-smi answers within about a second where the persistence daemon runs, and loads the driver first where it does not."""
TOPOLOGY = ("/opt/microsoft/ndv5-topo.xml", "/etc/topology/ndv5-topo.xml")
"""Where Azure's images keep the topology that a virtual machine's own PCI buses do not show (Azure/azhpc-images)."""
TOPOLOGY_NAMED = re.compile(r"^\s*NCCL_TOPO_FILE\s*=\s*(\S+)", re.M)
CHASSIS = "/sys/class/dmi/id/chassis_asset_tag"
BLOCKS = {
    "OracleCloud.com": (
        "http://169.254.169.254/opc/v2/host/rdmaTopologyData/customerLocalBlock", {"Authorization": "Bearer Oracle"},
    )
}  # fmt: skip
"""Chassis of a provider → where its metadata service has the instance's block of the network, which the provider's
API does not (oracle-quickstart/oci-hpc; NVIDIA/topograph docs/providers/oci.md; cloud-init, DataSourceOracle)."""
BLOCK_S = 2.0
"""The service is on the host itself, and answers within milliseconds."""
MOST = {"gids": 32, "pkeys": 128, "mounts": 256, "devices": 256, "text": 65_536}
"""More than a machine has; a broken one must not fill the operator's memory."""
NO_PKEY = "0x0000"
NO_GID = "0000:0000:0000:0000:0000:0000:0000:0000"


def _line(probe: Probe, path: str) -> Optional[str]:
    text = probe.read(path)
    return None if text is None else text.strip()[:4096]


def _fields(probe: Probe, folder: str, names: tuple[str, ...]) -> dict[str, Optional[str]]:
    return {name: _line(probe, f"{folder}/{name}") for name in names}


def _cpus(probe: Probe) -> dict[str, list[str]]:
    """Socket → the CPUs of each of its cores that are on line."""
    found: dict[str, set[str]] = {}
    for name in probe.names(CPU):
        if re.fullmatch(r"cpu\d+", name):
            socket = _line(probe, f"{CPU}/{name}/topology/physical_package_id")
            core = _line(probe, f"{CPU}/{name}/topology/thread_siblings_list")
            if socket is not None and core is not None:
                found.setdefault(socket, set()).add(core)
    return {socket: sorted(cores) for socket, cores in found.items()}


def _numa(probe: Probe) -> dict[str, Optional[str]]:
    names = [name for name in probe.names(NUMA) if re.fullmatch(r"node\d+", name)]
    return {name[4:]: _line(probe, f"{NUMA}/{name}/cpulist") for name in names}


def _pci(probe: Probe) -> list[dict[str, Any]]:
    """GPUs and network cards: where each hangs in the tree, from the host bridge down."""
    found: list[dict[str, Any]] = []
    for address in probe.names(PCI):
        kind = _line(probe, f"{PCI}/{address}/class") or ""
        if kind.startswith(KINDS):
            one: dict[str, Any] = {
                "address": address,
                "class": kind,
                "path": probe.target(f"{PCI}/{address}"),
            }
            one.update(_fields(probe, f"{PCI}/{address}", ("vendor", "device", "numa_node", "local_cpulist")))
            one["virtual"] = "physfn" in probe.names(f"{PCI}/{address}")
            found.append(one)
    return found[: MOST["devices"]]


def gids(probe: Probe, port: str) -> list[dict[str, Any]]:
    """The GIDs of a port that are set; what kind one is can be read of no other."""
    found = []
    for index in sorted(probe.names(f"{port}/gids"), key=lambda name: (len(name), name)):
        gid = _line(probe, f"{port}/gids/{index}")
        if gid and gid != NO_GID:
            kind = _line(probe, f"{port}/gid_attrs/types/{index}")
            found.append({"index": index, "gid": gid, "type": kind})
        if len(found) == MOST["gids"]:
            break
    return found


def _pkeys(probe: Probe, port: str) -> list[dict[str, Any]]:
    """The partition keys of a port that are set. An Ethernet port has one, which means nothing."""
    found = []
    for index in sorted(probe.names(f"{port}/pkeys"), key=lambda name: (len(name), name)):
        key = _line(probe, f"{port}/pkeys/{index}")
        if key and key != NO_PKEY:
            found.append({"index": index, "pkey": key})
    return found[: MOST["pkeys"]]


def _device(probe: Probe, base: str) -> tuple[str, bool]:
    """Where an RDMA device hangs, and whether it is software on an interface (rdma_rxe, siw).

    That has no device of its own: its ``parent`` names the interface.
    """
    own = probe.target(f"{base}/device")
    parent = "" if own else _line(probe, f"{base}/parent")
    if not parent or "/" in parent:
        return own, False
    return probe.target(f"{NET}/{parent}/device"), True


def _rdma(probe: Probe) -> list[dict[str, Any]]:
    found = []
    for name in probe.names(RDMA):
        base = f"{RDMA}/{name}"
        path, software = _device(probe, base)
        one: dict[str, Any] = {"name": name, "path": path, "software": software}
        one.update(_fields(probe, base, ("fw_ver", "node_guid", "hca_type")))
        one["ports"] = []
        for number in probe.names(f"{base}/ports"):
            port = f"{base}/ports/{number}"
            row: dict[str, Any] = {"number": number}
            row.update(_fields(probe, port, ("link_layer", "state", "phys_state", "rate")))
            row["gids"] = gids(probe, port)
            if row["link_layer"] == "InfiniBand":
                row["pkeys"] = _pkeys(probe, port)
            one["ports"].append(row)
        found.append(one)
    return found[: MOST["devices"]]


def _net(probe: Probe) -> list[dict[str, Any]]:
    """Interfaces of cards; what no card stands behind is left out."""
    found = []
    for name in probe.names(NET):
        device = probe.target(f"{NET}/{name}/device")
        if device:
            one: dict[str, Any] = {"name": name, "path": device}
            one.update(_fields(probe, f"{NET}/{name}", ("operstate", "mtu", "speed", "type", "dev_port")))
            found.append(one)
    return found[: MOST["devices"]]


def _nvme(probe: Probe) -> list[dict[str, Any]]:
    """NVMe controllers, with the sectors (512 bytes, whatever the drive's own) of their namespaces."""
    found = []
    for name in probe.names(NVME):
        one: dict[str, Any] = {"name": name, "path": probe.target(f"{NVME}/{name}/device")}
        one.update(_fields(probe, f"{NVME}/{name}", ("model", "serial", "firmware_rev")))
        spaces = [
            entry for entry in probe.names("/sys/block") if re.fullmatch(re.escape(name) + r"n\d+", entry)
        ]
        one["sectors"] = [_line(probe, f"/sys/block/{space}/size") for space in spaces]
        found.append(one)
    return found[: MOST["devices"]]


def _mounts(probe: Probe) -> list[list[str]]:
    """Source, folder and kind of every mount that has a device or a server; asking one for its size could hang."""
    rows = [line.split() for line in (probe.read("/proc/mounts") or "").splitlines()]
    kept = [row[:3] for row in rows if len(row) >= 3 and ("/" in row[0] or ":" in row[0])]
    return kept[: MOST["mounts"]]


def _minors(probe: Probe) -> dict[str, str]:
    """GPU → number of its device file, as the driver gave it (NVIDIA driver README, "/proc/driver/nvidia")."""
    found = {}
    for address in probe.names(DRIVER):
        minor = DEVICE_MINOR.search(probe.read(f"{DRIVER}/{address}/information") or "")
        if minor:
            found[address] = minor.group(1)
    return found


def _secure_boot(probe: Probe) -> Optional[bool]:
    """None where the firmware is no UEFI, or does not say."""
    text = probe.read(SECURE_BOOT)
    return text[-1] == "\x01" if text else None


def enrolled(text: bytes) -> list[str]:
    """SHA-256 of each certificate of the variable; what does not add up ends the list."""
    found, at = [], 4
    while at + LIST.size <= len(text):
        kind, size, head, each = LIST.unpack_from(text, at)
        first, end = at + LIST.size + head, at + size
        if end > len(text) or end <= first or each <= OWNER:
            break
        if kind == X509:
            found += [
                hashlib.sha256(text[one + OWNER : one + each]).hexdigest()
                for one in range(first, end - each + 1, each)
            ]
        at = end
    return found[: MOST["devices"]]


def _signers(probe: Probe) -> dict[str, str]:
    """Installed module → who signed it, as modinfo(8) says; empty text where nobody did. Those that are not there are absent."""
    asked = [["modinfo", "-F", "signer", name] for name in SIGNED]
    answers = [probe.run(argv, ASK_S) for argv in asked]
    return {name: one.out.strip()[:256] for name, one in zip(SIGNED, answers) if one.code == 0}  # noqa: B905 - Python 3.9


def _headers(probe: Probe, kernel: Optional[str]) -> Optional[bool]:
    """Whether the running kernel's headers are there, or a package source has them.

    None where no source was read yet, or apt cannot say: sources that it cannot read are mended when packages are brought.
    """
    if not kernel or "Makefile" in probe.names(f"{MODULES}/{kernel}/build"):
        return True if kernel else None
    if not any(name.endswith(("_Packages", "_Packages.lz4")) for name in probe.names(LISTS)):
        return None
    # In the words of no other language.
    asked = ["env", "LC_ALL=C", "apt-cache", "show", "--no-all-versions", f"linux-headers-{kernel}"]
    answer = probe.run(asked, ASK_S)
    if answer.code == 0:
        return True
    wrong = [line for line in answer.err.splitlines() if line.startswith(("E:", "W:"))]
    return False if wrong == NO_PACKAGE else None


def _topology(probe: Probe) -> str:
    """The provider's topology file: at the path in nccl.conf, else where its images keep it."""
    named = TOPOLOGY_NAMED.search(probe.read("/etc/nccl.conf") or "")
    for path in ([named.group(1)] if named else []) + list(TOPOLOGY):
        text = probe.read(path) if path.startswith("/") else None
        if text:
            return text[: MOST["text"]]
    return ""


def _block(probe: Probe, gpus: str) -> Optional[str]:
    """The provider's word for the part of its network, else the NVLink domain; None where neither is reported."""
    argv = BLOCKS.get(_line(probe, CHASSIS) or "")
    answer = probe.get(*argv, BLOCK_S) if argv else None
    if answer is not None:
        return answer.strip()[:4096]
    found = set(DOMAIN.findall(probe.run(DOMAIN_QUERY, GPU_S).out)) if OF_DOMAINS.search(gpus) else set()
    # GPUs of one node that disagree prove nothing.
    return ".".join(found.pop()) if len(found) == 1 and NO_DOMAIN not in next(iter(found)) else None


def observe(probe: Probe, *, driver: bool = True) -> dict[str, Any]:
    """The document. Without ``driver`` nvidia-smi is not asked."""
    answer = probe.run(GPU_QUERY, GPU_S) if driver else None
    gpus = (answer.out or answer.err)[: MOST["text"]] if answer else ""
    kernel = _line(probe, "/proc/sys/kernel/osrelease")
    return {
        "version": VERSION,
        "cpus": _cpus(probe),
        "numa": _numa(probe),
        "meminfo": next(iter((probe.read("/proc/meminfo") or "").splitlines()), ""),
        "pci": _pci(probe),
        "rdma": _rdma(probe),
        "net": _net(probe),
        "nvme": _nvme(probe),
        "gpus": gpus,
        "minors": _minors(probe),
        "mounts": _mounts(probe),
        "cmdline": _line(probe, "/proc/cmdline"),
        "secure_boot": _secure_boot(probe),
        "os_release": (probe.read("/etc/os-release") or "")[:4096],
        "enrolled": enrolled(probe.raw(MOK) or b""),
        "signers": _signers(probe),
        "headers": _headers(probe, kernel),
        "kernel": kernel,
        "topology": _topology(probe),
        "block": _block(probe, gpus),
    }


def main(arguments: list[str]) -> int:
    """One observation."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--root", default="", help="folder in front of all paths")
    given = options.parse_args(arguments)
    probe = Probe(given.root, time.monotonic() + 2 * GPU_S)
    json.dump(observe(probe), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
