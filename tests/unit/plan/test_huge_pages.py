"""Huge pages that a pool asks for: words of the boot line, a class of nodes of their own, and memory that no job is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support import example_clusters
from tests.unit.plan.test_images import data, made

from railbed.catalog import load_machine
from railbed.configure.inventory import Paths, build
from railbed.errors import SpecError, Unsupported
from railbed.plan import node_classes
from railbed.plan.node_classes import Kind


def asking(example: str, gib: int) -> list[dict[str, object]]:
    return [{**data(example)["pools"][0], "huge_pages_gib": gib}]


def test_words_come_together_and_only_where_they_are_asked_for() -> None:
    h100 = load_machine("metal/hgx-h100-ib")
    assert node_classes.boot_line_of(h100, "machine", 16, provided=False) == [
        "iommu=pt", "hugepagesz=1G", "hugepages=16",
    ]  # fmt: skip
    assert node_classes.boot_line_of(h100, "machine", 0, provided=False) == ["iommu=pt"]
    assert Kind("compute", "x", huge_pages_gib=16).name != Kind("compute", "x").name


def test_a_clouds_nodes_are_booted_with_them_and_claim_it() -> None:
    planned = made("gcp-cluster", pools=asking("gcp-cluster", 64))
    (claim,) = (one for one in planned.claims if one.id.startswith("node.boot_line"))
    assert "hugepages=64" in claim.statement
    assert not [one for one in made("gcp-cluster").claims if one.id.startswith("node.boot_line")]


BARE = ("node.boot_line", "node.acs", "node.read_requests")


def test_bare_metal_of_a_cloud_claims_its_ground_and_a_virtual_machine_does_not() -> None:
    """What a provider sets on its cards stays out on both."""
    oci, gcp = made("oci-cluster"), made("gcp-cluster")
    said = {one.id: one.statement for one in oci.claims}
    assert set(BARE) <= set(said) and said["node.boot_line"].endswith("iommu=pt, or its image's iommu=off")
    assert not set(BARE) & {one.id for one in gcp.claims}
    assert set(BARE) <= {one.id for one in gcp.out_of_scope}
    assert "node.lossless" in {one.id for one in oci.out_of_scope}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="more than half"):
        made("metal-cluster", pools=asking("metal-cluster", 1500))
    with pytest.raises(Unsupported, match="huge pages"):
        made("lab-cluster", pools=asking("lab-cluster", 1))


def test_an_example_has_none() -> None:
    contract = example_clusters.cluster_of("metal-cluster")
    assert {one.huge_pages_gib for one in contract.classes} == {0}


def test_no_job_is_given_them() -> None:
    contract = example_clusters.cluster_of("metal-cluster")
    paths = Paths(ssh_config=Path("/x"), secrets=Path("/x"))

    def offered(gib: int) -> int:
        classes = [one.model_copy(update={"huge_pages_gib": gib}) for one in contract.classes]
        shared = build(contract.model_copy(update={"classes": classes}), {}, paths).variables
        return int(json.loads(shared["railbed_job_nodes"])[0]["memory_mib"])

    assert offered(0) - offered(16) == 16 * 1024
