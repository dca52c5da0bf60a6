"""What each role refuses before it changes anything, and what it must not refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.roles.refusals import Case, ask

ROOT = Path(__file__).resolve().parents[2]
KEY = "ssh-ed25519 AAAA"
CARDS = [{"device": f"mlx5_{i}", "netdev": f"rail{i}"} for i in range(2)]
DIRECTORY = {
    "directory_uris": ["ldaps://a.test", "ldaps://b.test"],
    "directory_base": "dc=a",
    "directory_ca": "-----BEGIN CERTIFICATE-----",
    "directory_groups": ["hpc"],
}

HOMES = {"homes_mount": "/shared", "homes_first_id": 1000}


def nccl(name: str, fabric: str, environment: dict[str, str], says: str = "", **more: Any) -> Case:
    told = {"nccl_fabric": fabric, "nccl_nics": CARDS, "nccl_environment": environment, **more}
    return Case(f"nccl {name}", "nccl", told, says)


def users(name: str, says: str = "", **more: Any) -> Case:
    told = {"users_admins": {"ada": KEY}, **more}
    return Case(f"users {name}", "users", told, says)


def directory(name: str, says: str = "", **more: Any) -> Case:
    return Case(f"directory {name}", "directory", {**DIRECTORY, **more}, says)


def hardening(name: str, says: str = "", **exception: str) -> Case:
    whole = {
        "rule": "service-portmapper",
        "reason": "the archive still speaks NFS 3",
        "expires": "9999-12-31",
    }
    return Case(f"hardening {name}", "hardening", {"hardening_exceptions": [{**whole, **exception}]}, says)


def rdma(name: str, kind: str, fabric: str, says: str = "", **more: Any) -> Case:
    told = {"rdma_kind": kind, "rdma_fabric": fabric, **more}
    return Case(f"rdma {name}", "rdma", told, says)


def fabric_manager(name: str, says: str = "", **more: Any) -> Case:
    told = {"version": "570.124.06", "driver_version": "570.124.06", **more}
    whole = {f"nvidia_fabric_manager_{key}": value for key, value in told.items()}
    return Case(f"fabric manager {name}", "nvidia_fabric_manager", whole, says)


def scratch(name: str, mount: str, says: str = "") -> Case:
    told = {"scratch_nvme_mount": mount}
    return Case(f"scratch {name}", "scratch_nvme", told, says)


def slurm(name: str, says: str = "", **more: Any) -> Case:
    both = [{"name": f"ctl{i}", "address": f"10.0.0.{i}"} for i in range(2)]
    told = {
        "controllers": both,
        "nodes": [],
        "cluster": "c",
        **more,
    }
    return Case(f"slurm {name}", "slurm", {f"slurm_{key}": value for key, value in told.items()}, says)


def client(case: str, says: str = "", secrets: dict[str, str] | None = None, **mount: Any) -> Case:
    whole = {
        "name": "data",
        "kind": "nfs",
        "mount": "/data",
        "host": "",
        "copies": 1,
        "source": "h:/x",
        "options": "",
        **mount,
    }
    told = {"mounts": [whole], "secrets": secrets or {}}
    named = {f"filesystem_client_{key}": value for key, value in told.items()}
    return Case(f"client {case}", "filesystem_client", named, says)


def server(case: str, says: str = "", **more: Any) -> Case:
    told = {
        "part": "data",
        "metadata_host": "ctl0",
        "networks": [],
        **more,
    }
    named = {f"filesystem_server_{key}": value for key, value in told.items()}
    return Case(f"server {case}", "filesystem_server", named, says)


def packages(case: str, there: str, says: str = "", pin: str = "2.26.2-1+cuda12.8") -> Case:
    told = {
        "packages_pinned": {"libnccl2": pin},
        "packages_transaction": {"versions": {"libnccl2": there}},
    }
    return Case(f"packages {case}", "packages", told, says, tasks="verify")


def mounted(case: str, says: str = "", *states: dict[str, str]) -> Case:
    told = {
        "filesystem_client_mounts": [{"name": "data"}, {"name": "home"}],
        "filesystem_client_mounted": {"results": [{"states": one} for one in states]},
    }
    return Case(f"client {case}", "filesystem_client", told, says, tasks="verify")


CEPH = {
    "kind": "ceph",
    "name": "data",
    "address": "10.0.0.1",
    "hosts": {"ctl0": "10.0.0.1"},
    "data_paths": ["/dev/sdb"],
    "part": "metadata",
}
CASES = [
    client("of NFS"),
    client("of MooseFS", kind="moosefs", source="", host="ctl0"),
    client("of MooseFS without its host", "data (moosefs) needs its host", kind="moosefs", source=""),
    client("without a source", "data (nfs) needs its host or source", source=""),
    client("with options of two words", "without blanks", options="ro, nodev"),
    client("of Ceph without its secret", "filesystem_client_secrets", kind="ceph", source="a@b.c=/"),
    client("of Ceph", kind="ceph", source="a@b.c=/", secrets={"data": "/key"}),
    mounted("with all of its filesystems", "", {"data.service": "active"}, {"home.service": "active"}),
    mounted("with one that failed", '"home.service": "failed"', {"data.service": "active"}, {"home.service": "failed"}),
    mounted("with one that nobody looked at", "data.service", {"data.service": "active"}, {}),
    server("of BeeGFS", kind="beegfs", auth_file="/auth", data_paths=["/srv"]),
    server("of BeeGFS without the shared file", "filesystem_server_auth_file", kind="beegfs", data_paths=["/srv"]),
    server("of Ceph", **CEPH),
    server("of Ceph over a folder", "drives for data_paths", **{**CEPH, "data_paths": ["/srv"]}),
    server("of Ceph without the servers", "the servers' addresses", **{**CEPH, "hosts": {}}),
    Case("a node that lacks the ground", "base", {"base_refused": ["secure boot is on"]}, "Nothing was changed", tasks="refuse"),
    Case("rails that nobody found", "rails", {"rails_unknown": "7 of 8 cards"}, "not found, so nothing", tasks="refuse"),
    slurm("pair with its state on a shared filesystem", state_path="/data/.slurm", shared_paths=["/home", "/data"]),
    slurm("pair whose state is on one of the two", "2 controllers need their state", shared_paths=["/data"]),
    slurm("pair without a shared filesystem", "there is none", state_path="/.slurm"),
    slurm("pair beside a shared filesystem", "is not: /data", state_path="/data2/.slurm", shared_paths=["/data"]),
    fabric_manager("of the driver's version"),
    fabric_manager("of another version than the driver", "570.124.06 refuses driver 565.57.01", driver_version="565.57.01"),
    rdma("ofed on InfiniBand", "ofed", "infiniband"),
    rdma("efa on EFA", "efa", "efa"),
    rdma("efa on InfiniBand", "efa", "infiniband", "efa does not drive infiniband, only efa"),
    rdma("gib on InfiniBand", "gib", "infiniband", "gib does not drive infiniband"),
    rdma("peer memory without OFED", "inbox", "roce", "registers with DOCA-OFED's drivers only", rdma_gpudirect="peermem"),
    rdma("peer memory with OFED", "ofed", "roce", rdma_gpudirect="peermem"),
    scratch("in a folder of its own", "/local"),
    scratch("below one of the system's", "/var/scratch"),
    scratch("over one of the system's", "/usr/local", "belongs to the system"),
    scratch("over the homes", "/home", "belongs to the system"),
    scratch("nowhere", "/", "belongs to the system"),
    hardening("takes an exception with a reason and an end"),
    hardening("refuses an exception from no rule", "service-portmap ", rule="service-portmap"),
    hardening("refuses an exception without a reason", "say why", reason="because"),
    hardening("refuses an exception that ended", "not have ended", expires="2026-01-01"),
    hardening("refuses an exception without an end", "not have ended", expires="never"),
    nccl("takes what a provider of EFA asks for", "efa", {"FI_EFA_USE_HUGE_PAGE": "0", "FI_PROVIDER": "efa"}),
    nccl("refuses rdma-core's variables on EFA", "efa", {"RDMAV_FORK_SAFE": "1"}, "RDMAV_FORK_SAFE must not be set on efa"),
    nccl("leaves rdma-core's variables to RoCE", "roce", {"RDMAV_FORK_SAFE": "1"}),
    nccl("refuses device RDMA by hand", "efa", {"FI_EFA_USE_DEVICE_RDMA": "1"}, "efa-cheatsheet",
         nccl_libfabric_version="2.1.0amzn5.0"),
    nccl("lets an old libfabric have device RDMA", "efa", {"FI_EFA_USE_DEVICE_RDMA": "1"}, nccl_libfabric_version="1.17.2"),
    nccl("refuses to turn RDMA off", "infiniband", {"NCCL_IB_DISABLE": "1"}, "falls back to sockets"),
    nccl("refuses to turn NVLink off", "roce", {"NCCL_P2P_DISABLE": "1"}, "NCCL_P2P_DISABLE must not be set"),
    nccl("refuses sockets without interfaces", "tcp", {}, "the interface of every rail",
         nccl_nics=[{"device": "", "netdev": ""}]),
    nccl("refuses two rails with one interface", "tcp", {}, "the interface of every rail", nccl_nics=CARDS[:1] * 2),
    packages("of the release's version", "2.26.2-1+cuda12.8"),
    packages("of another version where the packager is left open", "2.25.1-1", "not 2.26.2-*", pin="2.26.2-*"),
    packages("of the version with any packager", "2.26.2-7", pin="2.26.2-*"),
    packages("of another version", "2.25.1-1+cuda12.8", "libnccl2 is 2.25.1-1+cuda12.8, not 2.26.2-1+cuda12.8"),
    packages("with an epoch on Debian", "1:2.26.2-1+cuda12.8", "libnccl2 is 1:2.26.2-1+cuda12.8"),
    Case("base with an address for each", "base", {"base_hosts": {"a": "10.0.0.1", "b": "10.0.0.2"}}),
    Case("base with one address for two", "base", {"base_hosts": dict.fromkeys("ab", "10.0.0.1")}, "Assertion failed"),
    Case("limits that jobs can live with", "limits", {"limits_nofile": 1048576, "limits_memlock": "unlimited"}),
    Case("limits of few files", "limits", {"limits_nofile": 1024, "limits_memlock": "unlimited"}, "Assertion failed"),
    users("have names"),
    users("are refused by a name that is none", "Not a login name", users_admins={"Ada Lovelace": KEY}),
    users("are never root", "Accounts of the system, which are nobody's login: root;", users_admins={"root": KEY}),
    users("are never a service", "nobody's login: _chrony, slurm;",
          users_admins={"ada": KEY, "_chrony": KEY, "slurm": KEY}),
    users("may be called like part of a service", users_admins={"slurmy": KEY, "chronya": KEY}),
    directory("over TLS"),
    directory("that turns to TLS", directory_uris=["ldap://a.test"], directory_start_tls=True),
    directory("in the clear", "all ldaps://", directory_uris=["ldap://a.test"]),
    directory("of which half is in the clear", "all ldaps://", directory_uris=["ldaps://a.test", "ldap://b.test"]),
    directory("without its authority", "authority", directory_ca=""),
    directory("where one binds without a password", "password in a file", directory_bind_dn="cn=a"),
    Case("homes on a mount", "homes", {**HOMES, "homes_path": "/shared/home"}),
    Case("homes outside of it", "homes", {**HOMES, "homes_path": "/shared/../etc"}, "not below"),
    Case("homes of the host's own", "homes", {**HOMES, "homes_mount": "/home", "homes_path": "/home/all"}, "not below"),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All cases in one run."""
    return ask(CASES, tmp_path_factory.mktemp("refusals"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, answers: dict[str, str]) -> None:
    answer = answers[case.name]
    if case.says:
        assert case.says in answer
    else:
        assert answer == ""
