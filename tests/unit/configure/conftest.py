"""A small contract, built in code: one controller, two compute nodes, one spare, one filesystem."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.contracts import lab_software, sealed

from railbed.contract import (
    Contract,
    Filesystem,
    Identity,
    Machine,
    Nic,
    Node,
    Rail,
    Repository,
    Software,
    Ssh,
)
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace

MACHINE = "lab/rail2"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEAAAA\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"


def rails(octet: int) -> list[Rail]:
    return [
        Rail(
            index=i, address=f"10.91.{i}.{octet}/24", mtu=9000, rate_gbps=0.1,
            nics=[Nic(device=f"rail{i}", netdev=f"rail{i}", rate_gbps=0.1, switch=f"leaf{i}", port="p")],
        )
        for i in range(2)
    ]  # fmt: skip


def node(name: str, role: str, octet: int, unit: int = 0) -> Node:
    gpus = 0 if role == "controller" else 8
    return Node(
        name=name, pool="controller" if role == "controller" else "h100", role=role,  # type: ignore[arg-type]
        machine="" if role == "controller" else MACHINE, gpus=gpus, cpus=8, memory_mib=4096,
        address=f"10.90.0.{octet}",
        ssh=Ssh(user="root", host_keys=[f"ssh-ed25519 AAAAC3Nza{octet} {name}"]),
        rails=rails(octet) if gpus else [], scalable_unit=unit,
        identity=Identity(kind="machine_id", value=f"id-{octet}"),
    )  # fmt: skip


def small(stack: str = "small") -> Contract:
    made = Contract(
        stack=stack, name="small", service="cluster", scheduler="slurm", platform="lab", simulated=True,
        admins={"ada": "ssh-ed25519 AAAAada ada"}, domain="small.test",
        nodes=[
            node("ctl0", "controller", 10),
            node("h100-0", "compute", 11),
            node("h100-1", "compute", 12, unit=1),
            node("h100-2", "spare", 13, unit=1),
        ],
        machines=[
            Machine(
                key=MACHINE, gpu_model="NVIDIA H100 80GB HBM3", gpus=8, gpu_memory_mib=81559, rails=2,
                nics_per_rail=1, nic_gbps=0.1, payload_fraction=0.9927, transport="tcp",
                collective_ranks_per_node=1, stands_for="metal/hgx-h100", scale=4000.0,
            )
        ],
        filesystems=[
            Filesystem(
                name="scratch", kind="moosefs", mount="/scratch", metadata_server="ctl0",
                data_servers=["h100-0", "h100-1"], data_path="/srv/railbed/data/scratch", copies=2,
                capacity_tib=0.01,
            )
        ],
        software=Software(
            **lab_software(),
            repositories=[
                Repository(
                    name="railbed", uri="file:/srv/repo", suite="./", components=[],
                    signed_by=KEY,
                )
            ],
        ),
        claims=[], out_of_scope=[], hosts="container", spec_hash="0" * 64,
    )  # fmt: skip
    return sealed(made)


@pytest.fixture
def contract() -> Contract:
    return small()


@pytest.fixture
def work(tmp_path: Path, contract: Contract) -> Workspace:
    """A checkout with that contract on disk."""
    (tmp_path / "Pulumi.yaml").write_text("name: railbed\n")
    (tmp_path / "infra").mkdir()
    work = Workspace(tmp_path, contract.stack)
    work.dir.mkdir(parents=True)
    contract_store.write(work, contract)
    return work


@pytest.fixture
def write(work: Workspace) -> Callable[[Contract], None]:
    """Puts another contract in its place."""

    def put(other: Contract) -> None:
        contract_store.write(work, other)

    return put
