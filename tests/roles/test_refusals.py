"""What each role refuses before it changes anything, and what it must not refuse."""

from __future__ import annotations

from typing import Any

import pytest
from tests.roles.refusals import Case, ask

KEY = "ssh-ed25519 AAAA"
CARDS = [{"device": f"mlx5_{i}", "netdev": f"rail{i}"} for i in range(2)]
DIRECTORY = {
    "uris": ["ldaps://a.test", "ldaps://b.test"],
    "base": "dc=a",
    "ca_file": "/ca.pem",
    "groups": ["hpc"],
}
LDAP_PACKAGES = ["sudo", "sssd-ldap", "libnss-sss", "libpam-sss"]


def nccl(name: str, fabric: str, environment: dict[str, str], says: str = "", **more: Any) -> Case:
    told = {"nccl_fabric": fabric, "nccl_nics": CARDS, "nccl_environment": environment, **more}
    return Case(f"nccl {name}", "nccl", told, says)


def users(name: str, says: str = "", **more: Any) -> Case:
    told = {"users_available_packages": LDAP_PACKAGES, "users_admins": {"ada": KEY}, **more}
    return Case(f"users {name}", "users", told, says)


def hardening(name: str, says: str = "", **exception: str) -> Case:
    whole = {
        "rule": "service-portmapper",
        "reason": "the archive still speaks NFS 3",
        "expires": "9999-12-31",
    }
    return Case(f"hardening {name}", "hardening", {"hardening_exceptions": [{**whole, **exception}]}, says)


CASES = [
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
    users("have names"),
    users("are refused by a name that is none", "Not a login name", users_admins={"Ada Lovelace": KEY}),
    users("are never root", "Not a login name", users_admins={"root": KEY}),
    users("of a directory", users_ldap=DIRECTORY),
    users("of a directory without its packages", "Not among the packages", users_ldap=DIRECTORY,
          users_available_packages=["sudo"]),
    users("of a directory in the clear", "all ldaps://", users_ldap={**DIRECTORY, "uris": ["http://a.test"]}),
    users("of a directory of which half is in the clear", "all ldaps://",
          users_ldap={**DIRECTORY, "uris": ["ldaps://a.test", "ldap://b.test"]}),
    users("of a directory without its authority", "ca_file",
          users_ldap={"uris": ["ldaps://a.test"], "base": "dc=a", "groups": ["hpc"]}),
    users("who bind without a password", "password in a file", users_ldap={**DIRECTORY, "bind_dn": "cn=a"}),
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
