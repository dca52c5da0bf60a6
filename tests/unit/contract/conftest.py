"""A contract with a value in every place, and each way to a node in use."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.configure.conftest import small

from railbed import contract as contracts
from railbed.claims import Claim, Expectation, OutOfScope
from railbed.contract import site

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAIc"
PROXIES: list[contracts.Proxy] = [
    contracts.Netns(namespace="rb-1a2b3c-c"),
    contracts.Jump(host="198.51.100.7", user="railbed", host_key=HOST_KEY),
    contracts.Through(node="ctl0"),
    contracts.Ssm(region="us-east-2", instance="i-0abc"),
    contracts.Iap(project="example.com:project", zone="europe-west1-b", instance="rb-0-h200-abcd"),
    contracts.OciBastion(bastion="ocid1.bastion.oc1.iad.a", region="us-ashburn-1"),
]

CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{'A' * 64}\n-----END CERTIFICATE-----\n"
SERVICES = site.Services(
    dns=site.Dns(servers=["10.0.0.53"], search=["corp.example"]),
    directory=site.Directory(
        uris=["ldaps://ldap.corp.example"], start_tls=False, ca=CERTIFICATE, base="dc=corp,dc=example", kind="rfc2307",
        ids="posix", first_id=1000, groups=["hpc users"], bind_dn="cn=reader,dc=corp,dc=example", ssh_keys=True,
    ),
    proxy=site.Proxy(
        http="http://proxy.corp.example:3128", https="http://proxy.corp.example:3128", no_proxy=[".corp.example"],
        authenticated=True,
    ),
    homes=site.Homes(mount="/scratch", path="/scratch/home"),
)  # fmt: skip


def full() -> contracts.Contract:
    """Every way, and every field that may be empty filled."""
    made = small()
    node = made.nodes[1]
    nodes = [
        node.model_copy(
            update={
                "name": f"h100-{place}", "bmc": "https://bmc-0.example.org",
                "ssh": node.ssh.model_copy(update={"proxy": proxy}),
            }
        )
        for place, proxy in enumerate(PROXIES)
    ]  # fmt: skip
    software = made.software.model_copy(
        update={
            "package_versions": {"slurm": "22.05.8-4+deb12u2"},
            "files": {"efa": contracts.File(url="https://efa.example.org/a.tar.gz", sha256="0" * 64)},
            "repositories": [
                one.model_copy(update={"components": ["main"], "fingerprint": "A" * 40})
                for one in made.software.repositories
            ],
        }
    )
    machines = [
        one.model_copy(
            update={
                "rdma_devices": ["mlx5_0"], "netdevs": ["eth0"], "nccl_environment": {"NCCL_IB_HCA": "=mlx5_0,mlx5_1"}
            }
        )
        for one in made.machines
    ]  # fmt: skip
    filesystems = [
        one.model_copy(
            update={"source": "fs-0ab.fsx.us-east-2.amazonaws.com@tcp:/abcd", "options": "noatime,flock"}
        )
        for one in made.filesystems
    ]
    expectation = Expectation(unit="Gb/s", bound=0.1, basis="derived", derivation=["0.1 × 1 ≤ 0.1"])
    return made.model_copy(
        update={
            "nodes": [made.nodes[0], *nodes], "software": software, "machines": machines, "filesystems": filesystems,
            "claims": [
                Claim(id="fabric.rail.0.bandwidth", statement="a rail", roles=["compute"], expectation=expectation)
            ],
            "out_of_scope": [OutOfScope(id="fabric.gid", reason="tcp needs no GID")],
            "services": SERVICES,
            "missing": [contracts.Missing(pool="h100", asked=9, found=7, reasons=["none left: “zone” is full"])],
        }
    ).sealed()  # fmt: skip


@pytest.fixture
def contract() -> contracts.Contract:
    return full()


@pytest.fixture
def body(contract: contracts.Contract) -> dict[str, Any]:
    return contract.as_json()
