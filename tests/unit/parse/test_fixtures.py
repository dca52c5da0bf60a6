"""Every parser has a good, a degraded, a truncated and a hostile output, and tells them apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from railbed.parse import registry
from railbed.parse.lines import LINE_KEPT, UNREAD_KEPT

DATA = Path(__file__).parent.parent / "data"
KINDS = ("good", "degraded", "truncated", "hostile")
FIXTURES = {
    "dcgmi-diag": "parse/dcgmi_diag: version-4.json version-4-hot.json truncated.json hostile.json",
    "dcgmi-health": "parse/dcgmi_health: healthy.json failure.json truncated.json hostile.json",
    "ethtool-module": "parse/ethtool_module: qsfp.txt dark.txt truncated.txt hostile.txt",
    "ethtool-statistics": "parse/ethtool_statistics: good.txt errors.txt truncated.txt hostile.txt",
    "fi_rma_bw": "parse/fi_rma_bw: efa.txt slow.txt truncated.txt hostile.txt",
    "fio": "parse/fio: two-jobs.json full-disk.json truncated.json hostile.json",
    "hpl": "parse/hpl: hpcc-two-ranks.txt hpcc-failed.txt truncated.txt hostile.txt",
    "ibdev2netdev": "parse/ibdev2netdev: roce.txt damaged.txt truncated.txt hostile.txt",
    "iblinkinfo": "fabric: plan.iblinkinfo slow.iblinkinfo truncated.iblinkinfo hostile.iblinkinfo",
    "ibnetdiscover": "fabric: plan.ibnetdiscover slow.ibnetdiscover truncated.ibnetdiscover hostile.ibnetdiscover",
    "ibsim": "fabric: plan.net unplugged.net truncated.net hostile.net",
    "ibstat": "parse/ibstat: two-rails.txt one-down.txt truncated.txt hostile.txt",
    "ibv_devinfo": "parse/ibv_devinfo: two-rails.txt down-and-small-mtu.txt truncated.txt hostile.txt",
    "iperf3": "parse/iperf3: bidir.json bidir-reverse-5-percent-slow.json truncated.json hostile.json",
    "lldp": "fabric: lldp-all.json lldp-unplugged.json lldp-truncated.json lldp-hostile.json",
    "lnetctl": "parse/lnetctl: o2ib.txt tcp.txt truncated.txt hostile.txt",
    "mlxlink": "parse/mlxlink: good.json dim-and-hot.json truncated.json hostile.json",
    "nccl-debug": "parse/nccl_debug: two-nodes-ib.log gpudirect-off.log truncated.log hostile.log",
    "nccl-tests": "parse/nccl_tests: two-nodes.log wrong-data.log truncated.log hostile.log",
    "nccl-topology": "parse/nccl_topology: two-pairs.xml damaged.xml truncated.xml entities.xml",
    "nvbandwidth": "parse/nvbandwidth: two-gpus.txt slow-pcie.txt truncated.txt hostile.txt",
    "nvidia-smi": "parse/nvidia_smi: header.csv lost.csv truncated.csv hostile.csv",
    "nvidia-smi-topo": "parse/nvidia_smi_topo: four-gpus.txt nvlink-lost.txt truncated.txt hostile.txt",
    "nvidia-smi-xml": "parse/nvidia_smi_xml: one-gpu.xml two-gpus.xml truncated.xml entities.xml",
    "perftest": "parse/perftest: ib_write_bw.txt ib_write_bw-slow.txt truncated.txt hostile.txt",
    "rdma": "parse/rdma: two-links.json mixed.json truncated.json hostile.json",
}
"""Tool → folder, and a file of each kind."""


def documents(tool: str) -> dict[str, registry.Document]:
    folder, _, files = FIXTURES[tool].partition(": ")
    parser = registry.parser_of(tool)
    assert parser is not None
    found = {}
    for kind, name in zip(KINDS, files.split(), strict=True):
        text = (DATA / folder / name).read_bytes().decode(errors="replace")
        found[kind] = parser.plain(text)
        json.dumps(found[kind], allow_nan=False)
        assert len(found[kind]["unread"]) <= UNREAD_KEPT + 1
        assert all(len(line) <= LINE_KEPT + 1 for line in found[kind]["unread"])
        assert (DATA / folder / "README.md").is_file()
    return found


def test_every_parser_is_here() -> None:
    assert set(FIXTURES) == set(registry.tools())


@pytest.mark.parametrize("tool", FIXTURES)
def test_a_parser_tells_the_kinds_apart(tool: str) -> None:
    found = documents(tool)
    parser = registry.parser_of(tool)
    assert parser is not None
    assert parser.found(found["good"])
    known = {key: value for key, value in found["good"].items() if not key.startswith("unread")}
    for kind in KINDS[1:]:
        assert {key: value for key, value in found[kind].items() if not key.startswith("unread")} != known


@pytest.mark.parametrize("tool", [tool for tool in FIXTURES if "parse/" not in FIXTURES[tool] or tool in (
    "dcgmi-diag", "dcgmi-health", "fio", "iperf3", "rdma",
)])  # fmt: skip
def test_what_was_cut_short_holds_less(tool: str) -> None:
    """A JSON document that is not whole holds nothing; a fabric's text holds the links up to there."""
    found = documents(tool)
    parser = registry.parser_of(tool)
    assert parser is not None
    if FIXTURES[tool].startswith("parse/") or tool == "lldp":
        assert not parser.found(found["truncated"])
    else:
        assert 0 < len(found["truncated"]["links"]) < len(found["good"]["links"])
