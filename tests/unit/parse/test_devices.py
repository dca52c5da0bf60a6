"""Programs that describe RDMA devices and GPUs, and which of the former are rails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.parse import (
    dcgmi_diag,
    dcgmi_health,
    ibdev2netdev,
    ibstat,
    ibv_devinfo,
    nvidia_smi_topo,
    nvidia_smi_xml,
    rdma_link,
    rdma_names,
    registry,
)

DATA = Path(__file__).parent.parent / "data" / "parse"


def parsed(tool: Any, folder: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = tool.plain((DATA / folder / name).read_text())
    return found


def test_rails_of_a_mixed_host_are_its_infiniband_devices_up_or_not() -> None:
    """A published host: eight InfiniBand rails whose IP interfaces are all down, and four Ethernet ports."""
    found = parsed(ibdev2netdev, "ibdev2netdev", "mixed-imbue.txt")
    assert len(found["links"]) == 12
    assert found["rails"] == [f"mlx5_{n}" for n in (0, 3, 4, 5, 6, 9, 10, 11)]
    assert not any(link["up"] for link in found["links"] if link["device"] in found["rails"])


def test_rails_of_an_ethernet_host_are_all_devices_by_number() -> None:
    found = parsed(ibdev2netdev, "ibdev2netdev", "roce.txt")
    assert found["rails"] == [f"mlx5_{n}" for n in (0, 1, 2, 3, 10, 11)]
    assert found["unread"] == []


def test_ibdev2netdev_verbose_and_damaged() -> None:
    verbose = parsed(ibdev2netdev, "ibdev2netdev", "verbose.txt")
    assert [(link["device"], link["port_state"]) for link in verbose["links"]] == [
        ("mlx5_0", "ACTIVE"), ("mlx5_3", "DOWN"),
    ]  # fmt: skip
    damaged = parsed(ibdev2netdev, "ibdev2netdev", "damaged.txt")
    assert [link["netdev"] for link in damaged["links"]] == ["ib0", ""]
    assert len(damaged["unread"]) == 1
    cut = parsed(ibdev2netdev, "ibdev2netdev", "truncated.txt")
    assert (cut["rails"], cut["unread"]) == (["mlx5_0"], ["mlx5_1 port 1 ==> i"])


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["InfiniBand", "Ethernet", ""])), max_size=20))
def test_rails_are_in_order_and_of_one_kind(devices: list[tuple[int, str]]) -> None:
    found = rdma_names.rails((f"mlx5_{n}", layer) for n, layer in devices)
    numbers = [int(name[5:]) for name in found]
    assert numbers == sorted(set(numbers))
    kinds: dict[int, str] = {}
    for n, layer in devices:
        kinds[n] = kinds.get(n) or layer
    if {"InfiniBand", "Ethernet"} <= set(kinds.values()):
        assert all(kinds[n] == "InfiniBand" for n in numbers)
    else:
        assert set(numbers) == set(kinds)


@pytest.mark.parametrize(
    ("netdev", "layer"),
    [
        ("ib0", "InfiniBand"), ("ibp26s0", "InfiniBand"), ("ibs6f1", "InfiniBand"), ("ibP1p2s0", "InfiniBand"),
        ("eth0", "Ethernet"), ("enp27s0f0np0", "Ethernet"), ("rail3", "Ethernet"), ("bond0", "Ethernet"), ("", ""),
    ],
)  # fmt: skip
def test_what_an_interface_says_about_its_device(netdev: str, layer: str) -> None:
    assert rdma_names.link_layer(netdev) == layer


def test_rdma_as_json_and_printed() -> None:
    found = parsed(rdma_link, "rdma", "two-links.json")
    assert found == parsed(rdma_link, "rdma", "printed.txt")
    assert [(link["device"], link["state"]) for link in found["links"]] == [
        ("mlx5_0", "ACTIVE"),
        ("mlx5_1", "DOWN"),
    ]
    assert parsed(rdma_link, "rdma", "mixed.json")["rails"] == ["mlx5_0", "mlx5_3", "mlx5_10"]
    assert parsed(rdma_link, "rdma", "none.json") == {"links": [], "rails": [], "unread": []}
    assert parsed(rdma_link, "rdma", "truncated.json")["links"] == []
    assert parsed(rdma_link, "rdma", "truncated.json")["unread"]


def test_ibstat() -> None:
    found = parsed(ibstat, "ibstat", "two-rails.txt")
    assert [d["name"] for d in found["devices"]] == found["rails"] == ["mlx5_0", "mlx5_1"]
    port = found["devices"][0]["ports"][0]
    assert (port["state"], port["rate_gbps"], port["link_layer"]) == ("Active", 400, "InfiniBand")
    assert found["unread"] == found["errors"] == []
    down = parsed(ibstat, "ibstat", "one-down.txt")["devices"]
    assert [(d["ports"][0]["state"], d["ports"][0]["rate_gbps"]) for d in down] == [
        ("Active", 400), ("Down", 10), ("Active", 200),
    ]  # fmt: skip
    assert parsed(ibstat, "ibstat", "ibsim.txt")["devices"][0]["ports"][0]["state"] == "Initializing"
    assert parsed(ibstat, "ibstat", "truncated.txt")["devices"][1]["ports"] == [{"port": 1}]
    assert "can't be found" in parsed(ibstat, "ibstat", "no-device.txt")["errors"][0]


def test_ibv_devinfo() -> None:
    found = parsed(ibv_devinfo, "ibv_devinfo", "two-rails.txt")
    device = found["devices"][1]
    assert (device["name"], device["fw_ver"], device["transport"]) == ("mlx5_1", "28.39.1002", "InfiniBand")
    assert device["ports"][0]["active_mtu"] == 4096
    bad = parsed(ibv_devinfo, "ibv_devinfo", "down-and-small-mtu.txt")
    assert [d["ports"][0]["state"] for d in bad["devices"]] == ["PORT_DOWN", "PORT_ACTIVE"]
    assert bad["devices"][1]["ports"][0]["active_mtu"] == 1024
    assert bad["rails"] == ["mlx5_0"]
    gids = parsed(ibv_devinfo, "ibv_devinfo", "verbose.txt")["devices"][0]["ports"][0]["gids"]
    assert gids[-1] == {"index": 3, "gid": "::ffff:10.91.0.11", "type": "RoCE v2"}
    assert "active_mtu" not in parsed(ibv_devinfo, "ibv_devinfo", "truncated.txt")["devices"][0]["ports"][0]
    assert parsed(ibv_devinfo, "ibv_devinfo", "no-device.txt")["errors"] == ["No IB devices found"]


def test_nvidia_smi_as_xml() -> None:
    found = parsed(nvidia_smi_xml, "nvidia_smi_xml", "two-gpus.xml")
    assert (found["driver"], found["attached"], len(found["gpus"])) == ("570.124.06", 2, 2)
    good, bad = found["gpus"]
    assert (good["name"], good["memory_total_mib"], good["power_w"]) == ("NVIDIA H100 80GB HBM3", 81559, 69.0)
    assert (good["pcie_gen"], good["pcie_width"], good["dram_uncorrectable"]) == (5, 16, 0)
    assert (good["remap_pending"], bad["remap_pending"]) == (False, True)
    assert bad["dram_uncorrectable"] == 3
    assert bad["temperature_c"] == 91
    assert "hw_thermal_slowdown" in bad["throttle_reasons"]
    assert good["facts"]["inforom_version/ecc_object"] == "7.16"


def test_xml_that_was_cut_keeps_whole_gpus() -> None:
    found = parsed(nvidia_smi_xml, "nvidia_smi_xml", "truncated.xml")
    assert found["truncated"]
    assert [gpu["minor_number"] for gpu in found["gpus"]] == ["0"]
    text = (DATA / "nvidia_smi_xml" / "two-gpus.xml").read_text()
    assert nvidia_smi_xml.plain(text[:3000])["gpus"] == []
    assert nvidia_smi_xml.plain("warning: something\n" + text)["unread"] == ["warning: something"]


def test_xml_with_entities_is_not_read() -> None:
    found = parsed(nvidia_smi_xml, "nvidia_smi_xml", "entities.xml")
    assert (found["gpus"], found["driver"]) == ([], None)
    assert found["unread"]


def test_deep_xml_is_no_trouble() -> None:
    deep = "<nvidia_smi_log><gpu id='0'>" + "<a>" * 20_000 + "</a>" * 20_000 + "</gpu></nvidia_smi_log>"
    assert len(nvidia_smi_xml.plain(deep)["gpus"]) <= 1


def test_topology() -> None:
    found = parsed(nvidia_smi_topo, "nvidia_smi_topo", "four-gpus.txt")
    assert found["gpus"] == [f"GPU{i}" for i in range(4)]
    assert found["nics"] == {f"NIC{i}": f"mlx5_{i}" for i in range(4)}
    assert found["links"]["GPU0"]["GPU3"] == "NV18"
    assert found["links"]["GPU2"]["NIC2"] == "PIX"
    assert found["affinity"]["GPU3"] == {"CPU Affinity": "56-111,168-223", "NUMA Affinity": "1"}
    assert found["unread"] == []
    assert parsed(nvidia_smi_topo, "nvidia_smi_topo", "nvlink-lost.txt")["links"]["GPU0"]["GPU3"] == "SYS"
    old = parsed(nvidia_smi_topo, "nvidia_smi_topo", "old-names.txt")
    assert old["links"]["GPU0"]["mlx5_1"] == "PXB"
    assert old["nics"] == {"mlx5_0": "mlx5_0", "mlx5_1": "mlx5_1"}
    cut = parsed(nvidia_smi_topo, "nvidia_smi_topo", "truncated.txt")
    assert list(cut["links"]) == ["GPU0", "GPU1"]
    assert len(cut["unread"]) == 1
    failed = parsed(nvidia_smi_topo, "nvidia_smi_topo", "failed.txt")
    assert (failed["links"], failed["errors"]) == ({}, ["Failed to run topology matrix"])


def test_nvidia_smi_is_told_by_what_is_there() -> None:
    tool = registry.parser_of("nvidia-smi")
    assert tool is not None
    for folder, name in (
        ("nvidia_smi_xml", "two-gpus.xml"),
        ("nvidia_smi_topo", "four-gpus.txt"),
        ("nvidia_smi", "header.csv"),
    ):
        document = tool.plain((DATA / folder / name).read_text())
        assert tool.found(document), name


def test_dcgm_versions() -> None:
    three = parsed(dcgmi_diag, "dcgmi_diag", "version-3.json")
    assert three["version"] == "3.3.9"
    assert [t["status"] for t in three["tests"]] == ["Pass", "Pass", "Pass", "Fail", "Skip"]
    assert [(f["test"], f["entity"]) for f in three["failed"]] == [("GPU Memory", "GPU 1")]
    assert "(error 20)" in three["failed"][0]["message"]
    four = parsed(dcgmi_diag, "dcgmi_diag", "version-4.json")
    assert (four["version"], four["driver"], four["failed"]) == ("4.2.3", "570.124.06", [])
    hot = parsed(dcgmi_diag, "dcgmi_diag", "version-4-hot.json")
    assert [(f["test"], f["entity"]) for f in hot["failed"]] == [("targeted_power", "GPU 1")]


def test_dcgm_that_did_not_run() -> None:
    assert parsed(dcgmi_diag, "dcgmi_diag", "truncated.json")["truncated"]
    assert "already in progress" in parsed(dcgmi_diag, "dcgmi_diag", "runtime-error.json")["error"]
    assert "connection" in parsed(dcgmi_diag, "dcgmi_diag", "no-engine.txt")["unread"][0]
    for name in ("truncated.json", "runtime-error.json", "no-engine.txt"):
        assert parsed(dcgmi_diag, "dcgmi_diag", name)["tests"] == []


def test_what_dcgms_watches_saw() -> None:
    assert parsed(dcgmi_health, "dcgmi_health", "healthy.json") == {
        "overall": "Healthy", "incidents": [], "unread": [],
    }  # fmt: skip
    bad = parsed(dcgmi_health, "dcgmi_health", "failure.json")
    assert bad["overall"] == "Failure"
    assert [(one["entity"], one["system"], one["status"]) for one in bad["incidents"]] == [
        ("GPU 3", "Memory system", "Failure"),
        ("GPU 3", "Thermal system", "Warning"),
    ]
    assert bad["incidents"][0]["message"].endswith("on GPU 3. Drain the GPU and reset it.")
    assert parsed(dcgmi_health, "dcgmi_health", "truncated.json")["overall"] is None
