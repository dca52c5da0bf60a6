"""What a node prints of itself, from recorded trees to facts; and nothing where there is nothing, or garbage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.node_trees import Driver, Tree, kind

from railbed.hardware import Cpu, Document, pci, read
from railbed.hardware.reading import listed
from railbed.validate.node.observe import observe
from railbed.validate.node.probe import Probe


def test_a_whole_node(tmp_path: Path) -> None:
    seen = Tree(tmp_path, kind("hgx-h100-ib")).observation()
    assert seen.cpu == Cpu(sockets=2, cores_per_socket=56, threads_per_core=2)
    assert seen.cpu.cpus == 224
    assert seen.memory_mib == 2_063_856
    assert seen.numa_nodes == 2
    assert (seen.os, seen.kernel, seen.secure_boot) == ("ubuntu 24.04", "6.8.0-60-generic", False)
    assert "iommu=pt" in seen.boot_line
    assert [mount.path for mount in seen.mounts] == ["/", "/home"]
    assert len(seen.drives) == 8
    assert round(seen.drives[0].gbytes) == 3841
    assert [gpu.index for gpu in seen.gpus] == list(range(8))
    first, last = seen.gpus[0], seen.gpus[-1]
    assert (first.address, first.numa, first.cores) == ("0000:1b:00.0", 0, list(range(56)))
    assert (last.address, last.numa, last.cores) == ("0000:df:00.0", 1, list(range(56, 112)))
    assert (last.uuid[:12], last.model, last.memory_mib) == ("GPU-00000007", "NVIDIA H100 80GB HBM3", 81559)
    rail = next(nic for nic in seen.nics if nic.device == "mlx5_9")
    assert (rail.netdev, rail.address, rail.link_layer, rail.rate_gbps) == (
        "ibp192s0",
        "0000:c0:00.0",
        "infiniband",
        400.0,
    )
    assert (rail.state, rail.physical_state, rail.firmware, rail.numa) == (
        "ACTIVE",
        "LinkUp",
        "28.39.1002",
        1,
    )
    assert [(near.gpu, near.rank) for near in rail.near] == [(5, "PIX")]
    assert [gid.index for gid in rail.gids] == [0]


def test_the_topology_file_stands_above_a_flat_bus(tmp_path: Path) -> None:
    seen = Tree(tmp_path, kind("azure-ndv5")).observation()
    near = {nic.device: [one.gpu for one in nic.near] for nic in seen.nics}
    assert near == {**{f"mlx5_ib{at}": [at] for at in range(8)}, "mlx5_an0": []}


def test_an_efa_card_has_no_interface(tmp_path: Path) -> None:
    seen = Tree(tmp_path, kind("aws-p5")).observation()
    assert {nic.link_layer for nic in seen.nics} == {"efa"}
    assert {nic.netdev for nic in seen.nics} == {""}


def test_soft_rdma_is_where_the_card_of_its_interface_is(tmp_path: Path) -> None:
    tree = Tree(tmp_path, kind("hgx-h100-ib"))
    for name, parent in (("rxe_rail0", "ibp192s0\n"), ("rxe_none", "lo\n"), ("rxe_bad", "../../class\n")):
        tree.write(f"/sys/class/infiniband/{name}/parent", parent)
        tree.write(f"/sys/class/infiniband/{name}/ports/1/link_layer", "Ethernet\n")
    found = {nic.device: nic.address for nic in tree.observation().nics}
    assert found["rxe_rail0"] == found["mlx5_9"] == "0000:c0:00.0"
    assert (found["rxe_none"], found["rxe_bad"]) == ("", "")


def test_what_soft_rdma_says_of_its_rate_is_no_rate(tmp_path: Path) -> None:
    """The kernel's rxe says 2.5 Gb/s over any interface, as `ibv_devinfo` on a machine of the lab printed."""
    tree = Tree(tmp_path, kind("hgx-h100-ib"))
    tree.write("/sys/class/infiniband/rxe_rail0/parent", "ibp192s0\n")
    for name, text in (
        ("link_layer", "Ethernet"),
        ("rate", "2.5 Gb/sec (1X SDR)"),
        ("phys_state", "5: LinkUp"),
    ):
        tree.write(f"/sys/class/infiniband/rxe_rail0/ports/1/{name}", f"{text}\n")
    rates = {nic.device: nic.rate_gbps for nic in tree.observation().nics}
    assert (rates["rxe_rail0"], rates["mlx5_9"]) == (None, 400)


def test_an_empty_machine_is_read(tmp_path: Path) -> None:
    document = Document.model_validate(json.loads(json.dumps(observe(Driver(str(tmp_path), "")))))
    seen = read(document)
    assert (seen.cpu, seen.memory_mib, seen.gpus, seen.nics, seen.secure_boot) == (None, None, [], [], None)


def test_a_driver_that_does_not_answer_is_quoted(tmp_path: Path) -> None:
    tree = Tree(tmp_path, kind("hgx-h100-ib"))
    tree.table = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
    seen = tree.observation()
    assert len(seen.gpus) == 8
    assert "couldn't communicate" in seen.driver_said


def test_the_collector_runs_as_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from railbed.validate.node import observe as program

    Tree(tmp_path, kind("gcp-a3-ultra"))
    assert program.main(["--root", str(tmp_path)]) == 0
    assert len(read(Document.model_validate_json(capsys.readouterr().out)).nics) == 8


def test_uneven_processors_have_no_one_number(tmp_path: Path) -> None:
    tree = Tree(tmp_path, kind("azure-ndv5"))
    tree.write("/sys/devices/system/cpu/cpu3/topology/physical_package_id", "1\n")
    assert tree.observation().cpu is None


@pytest.mark.parametrize("change", [{"version": 2}, {"pci": "none"}, {"cpus": None}, {"gpus": "x" * 100_000}])
def test_another_document_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    whole = observe(Driver(str(tmp_path), ""))
    with pytest.raises(ValidationError):
        Document.model_validate({**whole, **change})


WORD = st.text(max_size=40)


@given(WORD, WORD, WORD, st.lists(st.lists(WORD, max_size=4), max_size=4))
def test_garbage_is_read_without_an_exception(one: str, two: str, three: str, rows: list[list[str]]) -> None:
    port = {"number": one, "link_layer": two, "state": three, "phys_state": one, "rate": two,
            "gids": [{"index": three, "gid": one}]}  # fmt: skip
    document = Document.model_validate(
        {
            "version": 1, "cpus": {one: [two, three], "0": [one, "0,1"]}, "numa": {one: two}, "meminfo": three,
            "gpus": one, "mounts": rows, "topology": two,
            "pci": [{"address": one, "class": "0x03", "path": two, "vendor": "0x10de", "numa_node": three, "local_cpulist": one}],
            "rdma": [{"name": one, "path": two, "ports": [port]}], "net": [{"name": one, "path": two, "dev_port": three}],
            "nvme": [{"name": one, "path": two, "sectors": [one, None]}], "cmdline": one, "os_release": two,
        }
    )  # fmt: skip
    read(document)


def test_lists_of_numbers() -> None:
    assert listed("0-3,8") == (0, 1, 2, 3, 8)
    assert listed("") == listed("a-b") == listed(None) == ()


def test_paths_and_addresses() -> None:
    above, own = pci.path("/sys/devices/pci0000:15/0000:15:01.0/0000:1b:00.0/virtio2")
    assert (above, own) == (("pci0000:15", "0000:15:01.0"), "0000:1b:00.0")
    vmbus = "/sys/devices/LNXSYSTM:00/VMBUS:00/47505500-0001/pci0001:00/0001:00:00.0"
    assert pci.path(vmbus) == (("pci0001:00",), "0001:00:00.0")
    assert pci.path("/sys/devices/virtual/net/lo") == ((), "")
    assert pci.normal("00000000:1B:00.0") == "0000:1b:00.0"
    assert Probe("").target("/no/such/path") == ""
