"""Every machine is complete or says what nobody published, and its sums agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from railbed import catalog
from railbed.catalog import Machine, Unpublished
from railbed.errors import CatalogError, Exit

KEYS = catalog.keys("machines")
BOARDS = catalog.keys("boards")
NVLINK_GBYTES_PER_S = {3: 50.0, 4: 50.0, 5: 100.0}
"""Both directions of one link, by generation."""


@pytest.fixture(params=KEYS)
def machine(request: pytest.FixtureRequest) -> Machine:
    return catalog.load_machine(request.param)


def test_complete_or_named_as_unpublished(machine: Machine) -> None:
    if machine.stands_for:
        return
    for name in machine.must_say():
        known = machine.fact(name)
        assert (known in (None, [], "")) == (name in machine.unpublished), f"{machine.key}: {name}"
        assert (name in machine.provenance) != (name in machine.unpublished)
    assert all(len(reason) > 8 for reason in machine.unpublished.values())


def test_rails_times_nics_times_rate_is_the_node_s_rate(machine: Machine) -> None:
    if machine.rate_is_known and machine.known_fabric_gbps is not None:
        assert machine.node_gbps == pytest.approx(machine.known_fabric_gbps)
        assert machine.rails * machine.nics_per_rail * machine.nic_gbps == machine.node_gbps
    else:
        assert {"nic_gbps", "nics_per_rail", "fabric_gbps"} & set(machine.unpublished)


def test_links_times_their_rate_is_what_the_gpu_has(machine: Machine) -> None:
    rate = NVLINK_GBYTES_PER_S[machine.nvlink_generation]
    assert machine.nvlink_links * rate == machine.nvlink_gbytes_per_s


def test_nodes_times_gpus_is_the_nvlink_domain(machine: Machine) -> None:
    assert machine.gpus * machine.nodes_per_nvlink_domain == machine.gpus_per_nvlink_domain


def test_a_rail_is_a_gpu_position_or_shared_by_a_few(machine: Machine) -> None:
    assert machine.gpus_per_rail == (2 if machine.key in SHARED else 1)
    assert machine.stands_for or machine.collective_ranks_per_node == machine.gpus
    for devices in (machine.netdevs, machine.rdma_devices):
        assert not devices or len(devices) == machine.rails * (machine.known_nics_per_rail or 1)
        assert len(set(devices)) == len(devices)


def test_no_ceiling_inside_a_domain_is_above_the_links(machine: Machine) -> None:
    one_way = machine.nvlink_gbytes_per_s / 2
    ring, nvls = machine.ring_busbw_cap_gbytes_per_s, machine.nvls_busbw_cap_gbytes_per_s
    assert ring is None or ring <= one_way
    assert nvls is None or (machine.nvls and ring is not None and ring < nvls < 2 * one_way)


BARE = re.compile(r"^oci/BM\.|[.-]metal$|^(alicloud|volcengine)/ecs\.ebm")
"""How providers call shapes that they rent bare."""


def test_a_shape_that_is_called_bare_metal_says_so_with_its_source(machine: Machine) -> None:
    """Else its boot line, PCI bridges and read requests would be nobody's."""
    assert machine.bare_metal == bool(BARE.search(machine.key)), machine.key
    assert not machine.bare_metal or machine.provenance["bare_metal"].source
    assert not (machine.bare_metal and machine.vendor in ("metal", "lab")), "who provides it decides"


def test_payload_follows_from_the_transport(machine: Machine) -> None:
    # A shaper of the lab counts no preamble, FCS or gap.
    roce = 4096 / (4154 if machine.stands_for else 4178)
    expected = {"roce": roce, "infiniband": 4096 / 4122}.get(machine.transport)
    if machine.known_payload_fraction is not None and expected is not None:
        assert machine.payload_fraction == pytest.approx(expected, abs=5e-6)


def test_sources_name_public_documents(machine: Machine) -> None:
    for source in machine.provenance.values():
        assert not re.search(r"\.\./|/work|/home|/root|localhost", source.source)


def test_reduced_parts_are_reduced() -> None:
    full, a800 = catalog.load_machine("metal/hgx-a100"), catalog.load_machine("metal/hgx-a800")
    assert (full.nvlink_gbytes_per_s, a800.nvlink_gbytes_per_s) == (600, 400)
    h100, h800, h20 = (catalog.load_machine(f"metal/hgx-{gpu}") for gpu in ("h100", "h800", "h20"))
    assert (h100.nvlink_gbytes_per_s, h800.nvlink_gbytes_per_s, h20.nvlink_gbytes_per_s) == (900, 400, 900)


@pytest.mark.parametrize(
    ("key", "rails", "nics", "gbps"),
    [
        ("azure/Standard_ND128isr_GB300_v6", 4, 1, 800),
        ("aws/p4d.24xlarge", 4, 1, 100), ("aws/p4de.24xlarge", 4, 1, 100),
        ("aws/p5.48xlarge", 8, 4, 100), ("aws/p5e.48xlarge", 8, 4, 100), ("aws/p5en.48xlarge", 8, 2, 200),
        ("aws/p6-b200.48xlarge", 8, 1, 400), ("aws/p6-b300.48xlarge", 8, 2, 400), ("oci/BM.GPU.H100.8", 8, 2, 200),
        ("azure/Standard_ND96isr_H100_v5", 8, 1, 400), ("gcp/a3-megagpu-8g", 8, 1, 200),
        ("gcp/a4x-highgpu-4g", 4, 1, 400), ("volcengine/ecs.ebmhpcpni3l.48xlarge", 8, 1, 400),
        ("metal/hgx-a100", 8, 1, 200), ("metal/hgx-b300", 8, 1, 800), ("metal/gb200-nvl72", 4, 1, 400),
    ],
)  # fmt: skip
def test_wiring_as_published(key: str, rails: int, nics: int, gbps: float) -> None:
    machine = catalog.load_machine(key)
    assert (machine.rails, machine.nics_per_rail, machine.nic_gbps) == (rails, nics, gbps)


def test_every_vendor_of_the_clouds_is_there() -> None:
    vendors = {key.split("/")[0] for key in KEYS}
    assert vendors == set(SHAPES)


SHARED = ("aws/p4d.24xlarge", "aws/p4de.24xlarge")
"""Machines of which two GPUs share a card."""
SHAPES = {
    "alicloud": "ecs.ebmgn8v.48xlarge lingjun-h20",
    "aws": "p4d.24xlarge p4de.24xlarge p5.48xlarge p5e.48xlarge p5en.48xlarge p6-b200.48xlarge p6-b300.48xlarge "
    "p6e-gb200.36xlarge",
    "azure": "Standard_ND96isr_H100_v5 Standard_ND96isr_H200_v5 Standard_ND128isr_NDR_GB200_v6 Standard_ND128isr_GB300_v6",
    "gcp": "a3-megagpu-8g a3-ultragpu-8g a4-highgpu-8g a4x-highgpu-4g a4x-maxgpu-4g-metal",
    "oci": "BM.GPU.A100-v2.8 BM.GPU.H100.8 BM.GPU.H200.8 BM.GPU.B200.8 BM.GPU.B300.8 BM.GPU.GB200-v3.4 BM.GPU.GB300.4",
    "nebius": "gpu-h100-sxm gpu-h200-sxm gpu-b200-sxm gpu-b200-sxm-a",
    "coreweave": "gd-8xh100ib-i128 gd-8xh200ib-i128",
    "crusoe": "h100-80gb-sxm-ib.8x h200-141gb-sxm-ib.8x b200-180gb-sxm-ib.8x gb200-186gb-nvl-ib.4x",
    "volcengine": "ecs.ebmhpcpni3l.48xlarge ecs.ebmhpcpni2l.32xlarge",
    "tencentcloud": "HCCPNV5 HCCPNV6",
    "metal": "hgx-a100 hgx-a800 hgx-h100 hgx-h100-ib hgx-h800 hgx-h20 hgx-h200 hgx-h200-ib hgx-b200 hgx-b200-ib hgx-b300 "
    "gb200-nvl72 gb300-nvl72",
    "lab": "rail8",
}
"""What the clouds publish, and bare metal; docs/reference/catalog.md says which shapes have no entry, and why."""


def test_every_published_shape_has_an_entry() -> None:
    shapes = {f"{vendor}/{shape}" for vendor, shapes in SHAPES.items() for shape in shapes.split()}
    assert shapes <= set(KEYS)


def test_h20_of_tencent_is_as_its_guide_says() -> None:
    machine = catalog.load_machine("tencentcloud/HCCPNV6")
    assert (machine.gpus, machine.gpu_model, machine.known_fabric_gbps) == (8, "NVIDIA H20", 3200)
    assert not machine.rate_is_known


def test_what_nobody_published_is_refused_when_asked_for() -> None:
    machine = catalog.load_machine("nebius/gpu-h100-sxm")
    assert machine.known_nic_gbps is None
    assert not machine.rate_is_known
    with pytest.raises(Unpublished) as unknown:
        _ = machine.nic_gbps
    assert unknown.value.exit_status is Exit.UNPROVEN
    assert unknown.value.code == "UNPUBLISHED"
    assert "the rate of the fabric" in unknown.value.message
    assert unknown.value.path == "machines/nebius/gpu-h100-sxm.yaml:unpublished.nic_gbps"


def test_a_declared_rate_is_spread_over_the_rails_and_remembered() -> None:
    machine = catalog.load_machine("nebius/gpu-h100-sxm").declare_rate(3200)
    assert (machine.nics_per_rail, machine.nic_gbps, machine.node_gbps) == (1, 400, 3200)
    assert machine.declared == ["nic_gbps"]
    assert catalog.load_machine("nebius/gpu-h100-sxm").declared == []


def test_boards_carry_the_facts_of_the_gpus() -> None:
    for key in BOARDS:
        board = catalog.load("boards", key)
        assert isinstance(board, catalog.Board)
    shape, board = catalog.load_machine("aws/p5.48xlarge"), catalog.load("boards", "hgx-h100")
    assert shape.provenance["gpu_model"] == board.provenance["gpu_model"]  # type: ignore[attr-defined]
    assert shape.provenance["gpu_model"].file == "boards/hgx-h100.yaml"
    assert shape.provenance["nic_gbps"].file == "machines/aws/p5.48xlarge.yaml"
    assert catalog.load_machine("oci/BM.GPU.GB300.4").gpu_memory_gbytes == 278
    assert "gpu_memory_mib" in shape.provenance
    assert "gpu_memory_mib" in catalog.load_machine("metal/hgx-h20").unpublished


def test_silence_is_refused() -> None:
    entry = catalog.load_machine("metal/hgx-h100")
    body = {name: getattr(entry, name) for name in type(entry).model_fields}
    body["unpublished"] = {n: why for n, why in entry.unpublished.items() if n != "netdevs"}
    with pytest.raises(ValidationError, match="netdevs is neither a fact nor named"):
        Machine(**body)
    with pytest.raises(ValidationError, match="gpus is a fact and named"):
        Machine(**{**body, "unpublished": {**entry.unpublished, "gpus": "nobody counted them"}})
    with pytest.raises(ValidationError, match="names wheels"):
        Machine(**{**body, "unpublished": {**entry.unpublished, "wheels": "none were found"}})


def test_a_nic_kind_that_nobody_knows_is_refused_with_those_that_are(tmp_path: Path) -> None:
    file = tmp_path / "hgx-h100.yaml"
    text = (Path(catalog.__file__).parent / "machines/metal/hgx-h100.yaml").read_text()
    file.write_text(text.replace("nic_kind: {value: connectx-7,", 'nic_kind: {value: "ConnectX-7, RoCE",'))
    with pytest.raises(CatalogError) as refused:
        catalog.loader.read_entry(file, "hgx-h100.yaml", "metal/hgx-h100", Machine)
    assert "connectx-7" in refused.value.message and "efa-v2" in refused.value.message
    assert refused.value.path == "hgx-h100.yaml:nic_kind"
