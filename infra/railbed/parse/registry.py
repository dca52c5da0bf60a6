"""Every tool whose output railbed reads: `railbed parse TOOL FILE`, one parser each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from railbed.parse import (
    dcgmi_diag,
    dcgmi_health,
    ethtool_module,
    ethtool_statistics,
    fi_rma_bw,
    fio,
    hpl,
    ibdev2netdev,
    iblinkinfo,
    ibnetdiscover,
    ibsim_net,
    ibstat,
    ibv_devinfo,
    iperf3,
    lldp,
    lnetctl,
    mlxlink,
    nccl_debug,
    nccl_tests,
    nccl_topology,
    nvbandwidth,
    nvidia_smi,
    nvidia_smi_topo,
    nvidia_smi_xml,
    perftest,
    rdma_link,
)

Document = dict[str, Any]
CPU_S_PER_MIB = 10.0
"""CPU time that a parser may take for a MiB of text, whatever the text: five times what the slowest takes for lines of one
character on a machine of 2020. A test holds every parser to it with texts that are made to be slow; linear ones keep it."""


@dataclass(frozen=True)
class Parser:
    """How one tool's output is read."""

    tool: str
    reads: str
    plain: Callable[[str], Document]
    """Text → JSON data; never raises, keeps what it could not read in ``unread``."""
    found: Callable[[Document], bool]
    """True where the document holds a measurement: else the file proves nothing."""
    also: tuple[str, ...] = ()
    """Other names of the tool: its programs, its command lines."""
    cpu_s_per_mib: float = CPU_S_PER_MIB


def _holds(*keys: str) -> Callable[[Document], bool]:
    """True where one of these lists has something in it."""
    return lambda document: any(document.get(key) for key in keys)


def _has_rates(document: Document) -> bool:
    return any(
        document[direction] and document[direction]["received_gbps"] is not None
        for direction in ("forward", "reverse")
    )


def _rows(key: str) -> Callable[[Document], bool]:
    """True where one of the parts under ``key`` has rows."""
    return lambda document: any(part["rows"] for part in document[key])


def _nvbandwidth(document: Document) -> bool:
    return any(
        cell is not None
        for test in document["tests"]
        for row in [*test["matrix"], [test["sum"]]]
        for cell in row
    )


def _jobs(document: Document) -> bool:
    return any(job["error"] == 0 and (job["read"] or job["write"] or job["trim"]) for job in document["jobs"])


def _module(document: Document) -> bool:
    return any(document[name]["values"] for name in ("temperature_c", "rx_power_dbm"))


def _nvidia_smi(text: str) -> Document:
    """Whatever nvidia-smi printed: XML, the topology's matrix, or a table."""
    if nvidia_smi_xml.START.search(text[:4096]):
        return nvidia_smi_xml.plain(text)
    topology = nvidia_smi_topo.plain(text)
    return topology if topology["links"] else nvidia_smi.plain(text)


PARSERS: tuple[Parser, ...] = (
    Parser(
        "dcgmi-diag",
        "dcgmi diag -j (DCGM 3 and 4): each test per GPU, what failed and why",
        dcgmi_diag.plain,
        _holds("tests"),
        ("dcgmi", "dcgm", "dcgmi diag", "dcgmi diag -j"),
    ),
    Parser(
        "dcgmi-health",
        "dcgmi health -c -j: what its watches saw of each part",
        dcgmi_health.plain,
        lambda document: document["overall"] is not None,
        ("dcgmi health", "dcgmi health -c -j"),
    ),
    Parser(
        "ethtool-module",
        "ethtool -m: an optical module's readings and its own limits",
        ethtool_module.plain,
        _module,
        ("ethtool", "ethtool -m"),
    ),
    Parser(
        "ethtool-statistics",
        "ethtool -S: the counters of an interface's driver",
        ethtool_statistics.plain,
        _holds("counters"),
        ("ethtool -S",),
    ),
    Parser(
        "fi_rma_bw",
        "fi_rma_bw and other fabtests of libfabric: rate per size",
        fi_rma_bw.plain,
        _holds("rows"),
        ("fabtests", "fi_pingpong", "fi_rdm_bw", "fi_rdm_tagged_bw"),
    ),
    Parser("fio", "fio --output-format=json: rates and latencies of each job", fio.plain, _jobs),
    Parser(
        "hpl",
        "HPL (xhpl, NVIDIA's hpl.sh) and hpcc's file: rate, residual and digits of each solution; STREAM, latency, bandwidth",
        hpl.plain,
        _holds("solved", "runs"),
        ("xhpl", "hpl.sh", "hpcc", "hpccoutf.txt"),
    ),
    Parser(
        "ibdev2netdev",
        "ibdev2netdev, also with -v: device ↔ interface, the rails in their order",
        ibdev2netdev.plain,
        _holds("links"),
        ("ibdev2netdev -v",),
    ),
    Parser(
        "iblinkinfo",
        "iblinkinfo: every port with its state, width and speed",
        iblinkinfo.plain,
        _holds("links", "down"),
    ),
    Parser(
        "ibnetdiscover",
        "ibnetdiscover, also with -p: devices and links of a fabric",
        ibnetdiscover.plain,
        _holds("links", "down"),
    ),
    Parser("ibsim", "a net file of ibsim: devices and links", ibsim_net.plain, _holds("links", "down")),
    Parser("ibstat", "ibstat: adapters, ports, states and rates", ibstat.plain, _holds("devices")),
    Parser(
        "ibv_devinfo",
        "ibv_devinfo, also with -v: devices, ports, MTU, GIDs",
        ibv_devinfo.plain,
        _holds("devices"),
        ("ibv_devinfo -v",),
    ),
    Parser(
        "iperf3", "iperf3 -J: rates of both directions, errors", iperf3.plain, _has_rates, ("iperf3 -J", "iperf")
    ),
    Parser(
        "lnetctl",
        "lnetctl net show, also with -v: a node's interfaces of each LNet network, their counters",
        lnetctl.plain,
        _holds("networks"),
        ("lnetctl net show", "lnetctl net show -v"),
    ),
    Parser(
        "lldp",
        "lldpcli -f json show neighbors, each host named: links",
        lldp.plain,
        _holds("links", "down"),
    ),
    Parser(
        "mlxlink",
        "mlxlink -m -c, mstlink, also with --json: a port's link, module and bit errors",
        mlxlink.plain,
        lambda document: document["state"] is not None or document["raw_ber"] is not None or _module(document),
        ("mstlink", "mlxlink -m -c --json"),
    ),
    Parser(
        "nccl-debug",
        "NCCL_DEBUG=INFO: net plugin, network, channels, GPUDirect, NVLS, algorithms",
        nccl_debug.plain,
        lambda d: d["lines"] > 0,
        ("nccl", "NCCL_DEBUG", "NCCL_DEBUG=INFO", "nccl-log"),
    ),
    Parser(
        "nccl-tests",
        "all_reduce_perf and its siblings, also their JSON and CSV: tables, ranks, averages",
        nccl_tests.plain,
        _rows("tables"),
        (
            "nccl_tests", "all_reduce_perf", "all_gather_perf", "reduce_scatter_perf", "alltoall_perf",
            "broadcast_perf", "reduce_perf", "sendrecv_perf", "gather_perf", "scatter_perf", "hypercube_perf",
        ),
    ),
    Parser(
        "nccl-topology",
        "a topology file of NCCL (NCCL_TOPO_FILE, NCCL_TOPO_DUMP_FILE): the bridges above each device",
        nccl_topology.plain,
        _holds("devices"),
        ("nccl_topology", "NCCL_TOPO_FILE", "topo.xml"),
    ),
    Parser(
        "nvbandwidth",
        "nvbandwidth, also with -j: each test's matrix and sum",
        nvbandwidth.plain,
        _nvbandwidth,
        ("nvbandwidth -j",),
    ),
    Parser(
        "nvidia-smi",
        "nvidia-smi: --query-gpu=… --format=csv, -q -x or topo -m, recognized by content",
        _nvidia_smi,
        _holds("gpus"),
        ("nvidia-smi --query-gpu",),
    ),
    Parser(
        "nvidia-smi-topo",
        "nvidia-smi topo -m: how GPUs and NICs are connected",
        nvidia_smi_topo.plain,
        _holds("links"),
        ("nvidia-smi topo", "nvidia-smi topo -m"),
    ),
    Parser(
        "nvidia-smi-xml",
        "nvidia-smi -q -x: health of each GPU, every value by its place",
        nvidia_smi_xml.plain,
        _holds("gpus"),
        ("nvidia-smi -q -x", "nvidia-smi -x -q"),
    ),
    Parser(
        "perftest",
        "ib_write_bw, ib_read_bw, ib_send_bw and the ib_*_lat, also --out_json: rates, latencies",
        perftest.plain,
        _rows("tests"),
        (
            "ib_write_bw", "ib_read_bw", "ib_send_bw", "ib_atomic_bw", "ib_write_lat", "ib_read_lat",
            "ib_send_lat", "ib_atomic_lat", "raw_ethernet_bw", "raw_ethernet_lat",
        ),
    ),
    Parser(
        "rdma",
        "rdma -j link, or printed: state of each port, the rails in their order",
        rdma_link.plain,
        _holds("links"),
        ("rdma-link", "rdma link", "rdma -j link", "rdma link show", "rdma -j link show"),
    ),
)  # fmt: skip


def tools() -> list[str]:
    """Names of the tools."""
    return [p.tool for p in PARSERS]


def parser_of(tool: str) -> Parser | None:
    """The parser of ``tool``, by its name or one of its other names; None where there is none."""
    by_name = next((p for p in PARSERS if p.tool == tool), None)
    return by_name or next((p for p in PARSERS if tool in p.also), None)
