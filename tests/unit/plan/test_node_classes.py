"""What each class of nodes gets: groups, components, packages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from railbed import catalog
from railbed.plan import node_classes
from railbed.plan.node_classes import Cluster, Kind, PlannedClass

RELEASE = catalog.load_release("2026.12")
CLUSTER = Cluster(
    release=RELEASE, os="ubuntu 24.04", installed=frozenset(RELEASE.components), scheduler="slurm",
    mounts=frozenset({"lustre"}), imds=False, hosts="machine",
)  # fmt: skip
H100 = "metal/hgx-h100-ib"


def of(kind: Kind, **changes: Any) -> PlannedClass:
    machine = catalog.load_machine(kind.machine) if kind.machine else None
    return node_classes.of(kind, machine, replace(CLUSTER, **changes))


def test_a_compute_node_gets_driver_and_fabric_and_a_controller_neither() -> None:
    compute, controller = of(Kind("compute", H100, rails=True)), of(Kind("controller", first_controller=True))
    assert {"gpu_nodes", "rdma_nodes", "scratch_nodes", "slurm_nodes", "nvswitch_nodes"} <= set(
        compute.groups
    )
    assert {"slurm_controllers", "accounting_nodes", "container_nodes"} <= set(controller.groups)
    assert compute.packages["nvidia-open"] == "595.71.05-*" and "slurmctld" not in compute.packages
    assert not [name for name in controller.packages if "nvidia" in name or name == "slurmd"]
    assert "prometheus" in controller.packages and "prometheus" not in compute.packages
    assert "nvidia_driver" not in controller.components and "slurm" in controller.components


@pytest.mark.parametrize(
    ("vendor", "client"),
    [
        ("aws", "lustre-client-modules-@kernel"),
        ("gcp", "lustre-client-modules-@kernel"),
        ("azure", "amlfs-lustre-client-dkms-2.17.0-24-gf517bc4"),
    ],
)
def test_a_controller_has_no_machine_and_gets_what_its_vendor_gives(vendor: str, client: str) -> None:
    found = of(Kind("controller", first_controller=True), vendor=vendor).packages
    assert client in found and len([name for name in found if "lustre-client-" in name]) == (
        1 if vendor == "azure" else 2
    )


@pytest.mark.parametrize(
    ("machine", "provided", "speaks"),
    [
        ("metal/hgx-h100", False, True),
        (H100, False, False),
        ("lab/rail8", False, True),
        ("gcp/a3-ultragpu-8g", True, False),
    ],
)
def test_who_tells_its_switches_what_is_cabled_to_them(machine: str, provided: bool, speaks: bool) -> None:
    """Ethernet of the site's own: InfiniBand's subnet knows its cables, and a provider's switches tell nobody."""
    found = of(Kind("compute", machine, rails=True), imds=provided)
    assert ("lldp_nodes" in found.groups, "lldpd" in found.packages) == (speaks, speaks)


def test_only_the_first_controller_keeps_accounts() -> None:
    second = of(Kind("controller"))
    assert "accounting_nodes" not in second.groups and "slurmdbd" not in second.packages
    assert "slurmctld" in second.packages


@pytest.mark.parametrize(
    ("machine", "there", "absent"),
    [
        ("metal/hgx-h100-ib", "rdma-core", "doca-ofed"),
        ("metal/hgx-b300", "doca-ofed", "rdma-core"),
        ("gcp/a3-ultragpu-8g", "nccl-gib", "doca-ofed"),
        ("aws/p5.48xlarge", "efa", "rdma-core"),
        ("lab/rail8", "iperf3", "doca-ofed"),
    ],
)
def test_each_transport_has_its_own_stack(machine: str, there: str, absent: str) -> None:
    packages = of(Kind("compute", machine, rails=True)).packages
    assert there in packages and absent not in packages


MPI = {"openmpi-bin", "openmpi40-aws", "doca-ofed"}
"""Packages of which each brings an MPI, doca-ofed by what it depends on."""


@pytest.mark.parametrize("machine", catalog.keys("machines"))
def test_a_node_has_one_rdma_stack_and_one_mpi(machine: str) -> None:
    known = catalog.load_machine(machine)
    made = of(Kind("compute", machine, rails=True))
    packages = set(made.packages)
    assert len(packages & MPI) == 1, packages & MPI
    builds = "nccl_tests_nodes" in made.groups
    assert ("libopenmpi-dev" in packages) == ("openmpi-bin" in packages and builds)
    stacks = {"rdma-core", "doca-ofed", "efa"} & packages
    assert len(stacks) == (known.transport in ("infiniband", "roce", "efa")), stacks


def test_nccl_tests_are_built_where_no_package_has_them() -> None:
    lab, hgx = (of(Kind("compute", machine, rails=True)) for machine in ("lab/rail8", H100))
    assert "nccl-tests" in lab.packages and "nccl_tests_nodes" not in lab.groups
    assert "nccl-tests" not in hgx.packages and "nccl_tests_nodes" in hgx.groups


def test_machines_of_one_nvlink_domain_get_imex_and_no_fabric_manager() -> None:
    key = next(k for k in catalog.keys("machines") if catalog.load_machine(k).nodes_per_nvlink_domain > 1)
    groups = of(Kind("compute", key, rails=True)).groups
    assert "imex_nodes" in groups and "nvswitch_nodes" not in groups


def test_what_cannot_be_brought_has_no_group() -> None:
    """Release 2026.11 names an exporter and has no package of it."""
    old = catalog.load_release("2026.11")
    groups = of(Kind("compute", H100, rails=True), release=old, installed=frozenset(old.components)).groups
    assert "dcgm_nodes" in groups and "dcgm_exporter_nodes" not in groups


def test_hosts_by_themselves_have_no_rails_and_no_scheduler() -> None:
    alone = of(Kind("compute", H100), scheduler="none", mounts=frozenset())
    assert not [g for g in alone.groups if g.startswith(("rdma", "slurm", "scheduler", "filesystem"))]
    assert not {"doca-ofed", "munge", "slurm-client"} & set(alone.packages)


def test_containers_have_no_drives_and_share_the_hosts_training_stack() -> None:
    inside = of(Kind("compute", "lab/rail8", rails=True), hosts="container")
    assert "scratch_nodes" not in inside.groups and not {"mdadm", "python3-pip"} & set(inside.packages)


def test_servers_get_what_they_serve_with() -> None:
    kind = Kind("compute", "lab/rail8", rails=True, data=("moosefs",))
    serves = of(kind, mounts=frozenset({"moosefs"}))
    assert {"data_servers", "moosefs_data"} <= set(serves.groups) and "moosefs-chunkserver" in serves.packages
    assert kind.name == "compute/lab/rail8/moosefs-data"


def test_names_are_of_the_system() -> None:
    kind = Kind("compute", "aws/p5.48xlarge", rails=True)
    assert "libpmix2t64" in of(kind).packages and "libpmix2" in of(kind, os="debian 12").packages


@pytest.mark.parametrize("machine", catalog.keys("machines"))
def test_every_group_of_a_package_exists(machine: str) -> None:
    """A misspelt group would leave its packages out everywhere, and nobody would see it."""
    kinds = [
        Kind("compute", machine, rails=True, metadata=("moosefs", "beegfs", "ceph"), data=("moosefs", "beegfs", "ceph")),
        Kind("controller", first_controller=True),
    ]  # fmt: skip
    site = {
        "imds": True, "directory": True, "homes": True, "alerts": True, "signs": True, "scheduler_api": True,
        "lnet": frozenset({"o2ib"}), "hpcc": True,
    }  # fmt: skip
    groups = {group for kind in kinds for group in of(kind, **site).groups}
    optional = set(node_classes.OF_COMPONENTS) | {"rdma_nodes", "lldp_nodes"}
    for rules in catalog.load_rules():
        for one in (*rules.components.values(), *rules.packages.values()):
            assert set(one.nodes) <= groups | optional


@pytest.mark.parametrize(
    ("kind", "package"), [("nfs", "nfs-common"), ("beegfs", "beegfs-client"), ("ceph", "ceph-common")]
)
def test_clients_bring_what_they_mount_and_no_other(kind: str, package: str) -> None:
    found = of(Kind("compute", H100, rails=True), mounts=frozenset({kind})).packages
    others = {"nfs-common", "beegfs-client", "ceph-common", "moosefs-client"} - {package}
    assert package in found and not others & set(found)


def test_a_whole_machine_of_the_site_has_boot_line_and_bridges_of_its_own() -> None:
    """A cloud may give a machine of a maker's kind as a guest, whose IOMMU and bridges are its host's."""
    bare = of(Kind("compute", H100, rails=True))
    assert bare.boot_line == ["iommu=pt"]
    assert {"boot_line_nodes", "acs_nodes", "own_kernel_nodes"} <= set(bare.groups)
    for guest in (
        of(Kind("compute", H100, rails=True), imds=True),
        of(Kind("compute", H100), hosts="container"),
    ):
        assert guest.boot_line == [] and not {"boot_line_nodes", "acs_nodes"} & set(guest.groups)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ("oci/BM.GPU.H100.8", ["iommu=pt"]),
        ("volcengine/ecs.ebmhpcpni3l.48xlarge", ["iommu=pt"]),
        ("gcp/a4x-maxgpu-4g-metal", []),
        ("gcp/a3-ultragpu-8g", None),
        ("azure/Standard_ND96isr_H100_v5", None),
    ],
)
def test_bare_metal_of_a_cloud_has_its_kernel_and_bridges_and_a_virtual_machine_has_not(
    machine: str, words: list[str] | None
) -> None:
    """None: a guest. Arm has bridges, and no word."""
    found = of(Kind("compute", machine, rails=True), imds=True)
    assert found.boot_line == (words or [])
    assert ("boot_line_nodes" in found.groups, "acs_nodes" in found.groups) == (
        bool(words),
        words is not None,
    )
    inside = of(Kind("compute", machine), hosts="container", imds=True)
    assert not {"boot_line_nodes", "acs_nodes"} & set(inside.groups)


@pytest.mark.parametrize(
    ("machine", "image", "kept"),
    [
        ("oci/BM.GPU.H100.8", "oci-gpu", ["iommu=off"]),
        ("oci/BM.GPU.B300.8", "oci-gpu", ["iommu=off", "iommu=on"]),
        ("oci/BM.GPU.GB200-v3.4", "oci-gpu", []),
        ("oci/BM.GPU.H100.8", "stock", []),
    ],
)
def test_words_of_an_image_stand_in_for_what_would_be_added(
    machine: str, image: str, kept: list[str]
) -> None:
    assert of(Kind("compute", machine, rails=True, image=image), imds=True).image.boot_line == kept


@pytest.mark.parametrize(("nets", "controller"), [({"o2ib"}, True), ({"efa"}, False), (set(), False)])
def test_who_reaches_lustre_over_rdma(nets: set[str], controller: bool) -> None:
    changes: dict[str, Any] = {"lnet": frozenset(nets)}
    assert ("lnet_nodes" in of(Kind("compute", H100, rails=True), **changes).groups) is bool(nets)
    found = of(Kind("controller", first_controller=True), **changes)
    assert ("lnet_nodes" in found.groups) is ("rdma-core" in found.packages) is controller
    inside = of(Kind("compute", "lab/rail8", rails=True), hosts="container", **changes).groups
    assert not {"lnet_nodes", "own_kernel_nodes"} & set(inside)


def test_nodes_sign_only_where_the_site_has_a_key() -> None:
    assert "signing_nodes" in of(Kind("compute", H100, rails=True), signs=True).groups
    assert "signing_nodes" not in of(Kind("compute", H100, rails=True)).groups


def test_hpcc_is_for_nodes_of_a_scientific_cluster_alone() -> None:
    kind = Kind("compute", H100, rails=True)
    assert {"hpcc", "libopenblas0-serial"} <= set(of(kind, hpcc=True).packages)
    assert "hpcc" not in of(kind).packages
    assert "hpcc" not in of(Kind("controller", first_controller=True), hpcc=True).packages
