"""The rails' probe on files of a node: GIDs, traffic class, processors and counters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.validate.node import rail_probe

ARGV = ["ib_write_bw", "-d", "mlx5_3"]


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Port 1 of mlx5_3: GIDs as RoCE has them, link-local and IPv4, each of version 1 and 2."""
    monkeypatch.setattr(rail_probe, "INFINIBAND", str(tmp_path / "infiniband"))
    monkeypatch.setattr(rail_probe, "NCCL_CONF", str(tmp_path / "nccl.conf"))
    made = tmp_path / "infiniband/mlx5_3/ports/1"
    gids = ["fe80:0000:0000:0000:0290:00ff:fe00:040b"] * 2 + ["0000:0000:0000:0000:0000:ffff:0a5b:030b"] * 2
    for at, gid in enumerate(gids):
        write(made / f"gids/{at}", gid)
        write(made / f"gid_attrs/types/{at}", "RoCE v2" if at % 2 else "IB/RoCE v1")
    write(made / "state", "4: ACTIVE")
    write(made / "link_layer", "Ethernet")
    return made


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def words(address: str, **more: Any) -> list[str]:
    document = {"argv": ARGV, "gid": {"device": "mlx5_3", "address": address}, **more}
    return rail_probe._words(document)


@pytest.mark.usefixtures("port")
def test_the_gid_of_the_address_or_the_first_of_ipv4() -> None:
    assert words("10.91.3.11") == [*ARGV, "-x", "3"]
    assert words("", remote="10.90.0.12") == [*ARGV, "-x", "3", "10.90.0.12"]
    with pytest.raises(LookupError, match=r"mlx5_3 has no RoCE v2 GID of 10\.91\.3\.99"):
        words("10.91.3.99")


def test_jobs_traffic_class_and_the_card_s_processors(port: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path(rail_probe.NCCL_CONF), "NCCL_IB_HCA==mlx5_3\nNCCL_IB_TC=106")
    write(port.parents[1] / "device/local_cpulist", "0-47,96-143")
    monkeypatch.setattr(rail_probe.shutil, "which", lambda name: f"/usr/bin/{name}")
    bound = ["taskset", "-c", "0-47,96-143"]
    assert words("10.91.3.11", device="mlx5_3") == [*bound, *ARGV, "-x", "3", "--tclass=106"]


def test_a_rail_that_counts_and_one_that_does_not(port: Path) -> None:
    rails = {"rails": {"3": {"netdevs": [], "devices": ["mlx5_3"]}}}
    assert rail_probe._rails(rails) == {}, "a port without counters says nothing"
    write(port / "counters/port_xmit_data", "25")
    write(port / "counters/port_rcv_data", "50")
    assert rail_probe._rails(rails) == {"3": {"carrier": True, "tx": 100, "rx": 200}}
    write(port / "state", "1: DOWN")
    assert not rail_probe._rails(rails)["3"]["carrier"]
    (port / "state").unlink()
    assert rail_probe._rails(rails) == {}, "a device that is gone is no rail without carrier"


def test_the_management_interface_by_its_address() -> None:
    part = {"netdevs": [], "devices": [], "address": "127.0.0.1"}
    assert rail_probe._interface("127.0.0.1") == ["lo"]
    assert rail_probe._rails({"rails": {"management": part}})["management"]["tx"] >= 0
    assert rail_probe._rails({"rails": {"management": {**part, "address": "203.0.113.7"}}}) == {}
