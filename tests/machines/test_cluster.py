"""A cluster of virtual machines the way a user makes one: the roles that need a kernel of their own, and what they left behind.

Three machines, since a rail is judged against two partners; the controller is a container.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lab.conftest import Cli

from railbed.effects import contract_store, observations
from railbed.effects.workspace import Workspace
from railbed.parse import rdma_link

ROOT = Path(__file__).resolve().parents[2]
NODES, RAILS = ("h100-0", "h100-1", "h100-2"), range(4)
UP_S, VALIDATE_S, SSH_S = 3000, 1200, 120
"""Bounds, not expectations: a machine that is emulated on a busy computer takes its time."""
ON_MACHINES = ("node.affinity", "node.memory", "node.processors", "fabric.gid", "node.nics", "node.identity")
"""Claims that read a machine's own kernel, firmware and devices."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cli]:
    """Made and configured. What emulated nodes reach in collectives and on stand-ins of GPUs decides nothing here."""
    cli = Cli(Workspace(ROOT, "test-roce"))
    shutil.copy(ROOT / "examples/lab-machines.yaml", cli.work.stack_file)
    try:
        cli("up", status=None, timeout_s=UP_S)
        yield cli
    finally:
        cli("destroy", "--yes", "--end-jobs", status=None)
        cli.work.stack_file.unlink(missing_ok=True)


def verdicts(cluster: Cli, glob: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Claim and node → what a validation says of those that match."""
    said = cluster("validate", "--claim", glob, "--json", status=None, timeout_s=VALIDATE_S).stdout
    return {(one["claim"], one["node"]): one for one in json.loads(said)["claims"]}


def test_the_roles_reach_their_end_and_have_nothing_left_to_do(cluster: Cli) -> None:
    done = json.loads(cluster("converge", "--json", timeout_s=UP_S).stdout)
    assert done["changed"] == 0, done


def test_rails_have_the_names_that_the_nodes_tell(cluster: Cli) -> None:
    contract = contract_store.load(cluster.work)
    assert {nic.device for _, nic in contract.nics(contract.node("h100-0"))} == {""}
    seen = observations.read(cluster.work)
    assert {name: [rail.devices for rail in seen[name].rails] for name in NODES} == {
        name: [[f"rxe_rail{rail}"] for rail in RAILS] for name in NODES
    }


def test_cards_are_driven(cluster: Cli) -> None:
    links = rdma_link.plain(cluster.ssh("h100-1", "rdma link", SSH_S))["links"]
    assert {(one["netdev"], one["state"]) for one in links} == {(f"rail{rail}", "ACTIVE") for rail in RAILS}
    modules = cluster.ssh("h100-1", "cat /etc/modules-load.d/railbed-rdma.conf; lsmod", SSH_S)
    for name in ("ib_uverbs", "rdma_ucm", "mlx5_ib"):
        assert modules.count(f"{name}\n") + modules.count(f"\n{name} ") >= 2, (
            f"{name} is asked for and loaded"
        )


def test_local_drives_are_one_folder(cluster: Cli) -> None:
    source, kind = cluster.ssh("h100-0", "findmnt -no SOURCE,FSTYPE /local", SSH_S).split()
    assert kind == "xfs"
    said = cluster.ssh("h100-0", f"mdadm --detail --export {source}", SSH_S)
    assert "MD_LEVEL=raid0" in said
    assert "MD_DEVICES=4" in said


@pytest.mark.parametrize("claim", ON_MACHINES)
def test_what_a_machine_shows_of_itself_holds(cluster: Cli, claim: str) -> None:
    found = verdicts(cluster, claim)
    assert {node for _, node in found} >= set(NODES)
    assert {key: one["reason"] for key, one in found.items() if one["verdict"] != "pass"} == {}


def test_railbed_measures_each_rail_over_rdma(cluster: Cli) -> None:
    found = verdicts(cluster, "fabric.rail.*")
    assert len(found) == len(NODES) * len(RAILS)
    assert {one["verdict"] for one in found.values()} == {"pass"}, found
    assert all(one["simulated"] for one in found.values())


DEVICES = r"for at in 0 1 2 3; do (: < /dev/nvidia$at) 2>&1; done | sed 's/.*: //'"
"""Opens each GPU's device. No driver answers to its number: the kernel says so where it lets the job come so far."""
FENCED, OPEN = "Operation not permitted", "No such device or address"


def test_a_job_reaches_its_own_gpus_only(cluster: Cli) -> None:
    command = f"srun --reservation=railbed-acceptance -w h100-0 --gres=gpu:1 bash -c {json.dumps(DEVICES)}"
    cluster("node", "list", status=None)
    said = cluster.ssh("ctl0", command, SSH_S).splitlines()
    assert sorted(said) == sorted([OPEN, FENCED, FENCED, FENCED])
