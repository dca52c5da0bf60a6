"""Every row of the published tables (NVIDIA DGX SuperPOD: H100 RA-11333-001 V11, B200), and the limits of the rule."""

from __future__ import annotations

import pytest

from railbed.fabric import FabricRequest, bill, plan, ratio

H100_WITH_UFM = [
    # scalable units, nodes, GPUs, leaf, spine, node + UFM cables, leaf–spine cables: table 4
    (1, 31, 248, 8, 4, 252, 256),
    (2, 63, 504, 16, 8, 508, 512),
    (3, 95, 760, 24, 16, 764, 768),
    (4, 127, 1016, 32, 16, 1020, 1024),
]
LARGER = [
    # scalable units, nodes, GPUs, leaf, spine, core, node–leaf, leaf–spine, spine–core: H100 table 3, B200
    (2, 64, 512, 16, 8, 0, 512, 512, 0),
    (4, 128, 1024, 32, 16, 0, 1024, 1024, 0),
    (8, 256, 2048, 64, 32, 0, 2048, 2048, 0),
    (16, 512, 4096, 128, 128, 64, 4096, 4096, 4096),
    (32, 1024, 8192, 256, 256, 128, 8192, 8192, 8192),
    (64, 2048, 16384, 512, 512, 256, 16384, 16384, 16384),
]


@pytest.mark.parametrize(
    ("units", "nodes", "gpus", "leaf", "spine", "node_leaf", "leaf_spine"), H100_WITH_UFM
)
def test_h100_table_4(
    units: int, nodes: int, gpus: int, leaf: int, spine: int, node_leaf: int, leaf_spine: int
) -> None:
    fabric = plan(FabricRequest(nodes=nodes, extra_endpoints=4))
    assert fabric.units == units
    assert nodes * fabric.request.rails == gpus
    assert fabric.switches == {"leaf": leaf, "spine": spine, "core": 0}
    assert fabric.cables == {"node_leaf": node_leaf, "leaf_spine": leaf_spine, "spine_core": 0}


@pytest.mark.parametrize(
    ("units", "nodes", "gpus", "leaf", "spine", "core", "node_leaf", "leaf_spine", "spine_core"), LARGER
)
def test_larger_superpods(
    units: int,
    nodes: int,
    gpus: int,
    leaf: int,
    spine: int,
    core: int,
    node_leaf: int,
    leaf_spine: int,
    spine_core: int,
) -> None:
    fabric = plan(FabricRequest(nodes=nodes))
    assert fabric.units == units
    assert nodes * fabric.request.rails == gpus
    assert fabric.tiers == (3 if core else 2)
    assert fabric.switches == {"leaf": leaf, "spine": spine, "core": core}
    assert fabric.cables == {"node_leaf": node_leaf, "leaf_spine": leaf_spine, "spine_core": spine_core}


def test_bill_of_four_units() -> None:
    """Tables 7 and 8: 48 switches, 2,040 cables, 1,536 switch and 508 node transceivers for 127 nodes."""
    ordered = bill(plan(FabricRequest(nodes=127)), ports_per_transceiver=2, node_ports_per_transceiver=2)
    assert ordered["switches"]["total"] == 48
    assert ordered["cables"]["total"] == 2040
    assert ordered["transceivers"] == {"switch": 1536, "node": 508}
    assert ordered["price_usd"]["total"] is None
    assert any("price" in reason for reason in ordered["unknown"])


def test_storage_fabric_of_four_units() -> None:
    """The same tables: 16 storage switches, 494 cables of 400 Gb/s and 48 to the storage.

    They follow with 56 of a switch's 64 ports in use, 32 down and 24 up: 254 node and 240 leaf–spine cables.
    """
    requested = FabricRequest(
        nodes=127, rails=2, radix=56, oversubscription=ratio.read("4:3"), extra_endpoints=48
    )
    fabric = plan(requested)
    assert (fabric.up, fabric.down) == (24, 32)
    assert sum(fabric.switches.values()) == 16
    assert fabric.cables["node_leaf"] - 48 + fabric.cables["leaf_spine"] == 494
    assert bill(fabric, node_ports_per_transceiver=1)["transceivers"]["node"] == 254
    # 369 switch transceivers are published; the cables to the storage bring their plugs, and two are left over.
    ports = fabric.cables["node_leaf"] - 48 + 2 * fabric.cables["leaf_spine"]
    assert 369 - ports / 2 == 2


@pytest.mark.parametrize(
    ("radix", "endpoints", "tiers"),
    [(64, 2048, 2), (128, 8192, 2), (144, 10368, 2), (64, 65536, 3)],
)
def test_limits(radix: int, endpoints: int, tiers: int) -> None:
    """Two tiers carry r²/2 endpoints, three r³/4; one node more takes a tier more, or is refused."""
    full = plan(FabricRequest(nodes=endpoints // 8, radix=radix))
    assert full.tiers == tiers
    assert full.cables["node_leaf"] == full.cables["leaf_spine"] == endpoints
    if tiers == 2:
        assert plan(FabricRequest(nodes=endpoints // 8 + 1, radix=radix)).tiers == 3
    else:
        with pytest.raises(Exception, match="past the radix limit"):
            plan(FabricRequest(nodes=endpoints // 8 + 1, radix=radix))


def test_larger_radix_and_two_planes() -> None:
    """144 ports of 800G, and 128 ports of 400G in two planes, by the same rule; counts are summed over planes."""
    wide = plan(FabricRequest(nodes=1296, radix=144))
    assert wide.switches == {"leaf": 144, "spine": 72, "core": 0}
    two = plan(FabricRequest(nodes=1024, radix=128, planes=2))
    assert two.switches == {"leaf": 256, "spine": 128, "core": 0}
    assert two.cables == {"node_leaf": 16384, "leaf_spine": 16384, "spine_core": 0}


def test_alibaba_hpn_7() -> None:
    """Two planes, two tiers, 1,024 GPUs a segment, 15 segments a pod (wuql20.bearblog.dev, atscaleconference.com)."""
    pod = plan(FabricRequest(nodes=1920, radix=248, planes=2, oversubscription=ratio.read("16:15")))
    assert (pod.tiers, pod.units, pod.down * pod.request.rails) == (2, 15, 1024)
    assert pod.cables["node_leaf"] == 2 * 15 * 1024


def test_hpn_variant_without_oversubscription() -> None:
    """16 leaves a segment, 128 ports of 200G down and 64 of 400G up, 128 servers; 8 segments hold 8,192 GPUs, 1:1."""
    pod = plan(FabricRequest(nodes=1024, radix=256, planes=2))
    assert (pod.units, pod.down, pod.up) == (8, 128, 128)  # 64 ports of 400G carry 128 of 200G
    assert pod.switches["leaf"] == 8 * 16
    assert pod.request.nodes * pod.request.rails == 8192


def test_imbue_s_cluster() -> None:
    """511 hosts with 4,088 H100, more than 12,000 connections, three tiers (imbue.com/research/70b-infrastructure)."""
    fabric = plan(FabricRequest(nodes=511))
    assert (fabric.tiers, fabric.request.nodes * fabric.request.rails) == (3, 4088)
    assert sum(fabric.cables.values()) > 12_000


def test_rail_only_has_no_spine() -> None:
    fabric = plan(FabricRequest(nodes=64, rail_only=True))
    assert (fabric.tiers, fabric.switches) == (1, {"leaf": 8, "spine": 0, "core": 0})
    assert fabric.cables == {"node_leaf": 512, "leaf_spine": 0, "spine_core": 0}
