"""A shared outage is told once, by its own name; what one node sees is that node's."""

from __future__ import annotations

import pytest

from railbed.contract import Contract
from railbed.defaults import HEALTH_REPORT_PREFIX
from railbed.effects.workspace import Workspace
from railbed.operate import nodes
from railbed.operate.incidents import incidents
from railbed.parse import slurm
from railbed.parse.slurm import NodeState
from railbed.validate.node.probe import Symptom
from railbed.validate.node.report import compose

NODES = ["h100-0", "h100-1", "h100-2", "h100-3"]
SILENT = Symptom("filesystem-silent", "/scratch", "/scratch does not answer: stat: no answer within 8 s")


def states(reports: dict[str, list[Symptom]]) -> dict[str, NodeState]:
    """What the scheduler has, read from what `scontrol show` prints of it."""
    lines = [
        f"NodeName={name} AvailableFeatures=h100 Gres=gpu:8 State=IDLE ThreadsPerCore=1 Partitions=batch  BootTime=1"
        f" Comment={compose(reports.get(name, []), HEALTH_REPORT_PREFIX)} "
        for name in NODES
    ]
    return slurm.nodes("\n".join(lines))


def test_nothing_reported_is_no_incident(contract: Contract) -> None:
    assert incidents(contract, states({})) == []


def test_what_most_nodes_miss_is_down_itself_and_its_server_is_named(contract: Contract) -> None:
    (found,) = incidents(contract, states({name: [SILENT] for name in NODES[:3]}))
    assert (found.part, found.nodes, found.asked) == ("filesystem scratch", NODES[:3], 4)
    assert "ctl0, which serves it" in found.reason


def test_what_one_node_misses_is_its_own_client(contract: Contract) -> None:
    (found,) = incidents(contract, states({"h100-1": [SILENT]}))
    assert (found.part, found.nodes) == ("storage client of scratch", ["h100-1"])


@pytest.mark.parametrize(
    ("code", "part"), [("time-wrong", "time"), ("names-silent", "name service"), ("scheduler-silent", "scheduler"),
                       ("not-drained", "drain limit"), ("unknown", "health check"), ("of a newer release", "")],
)  # fmt: skip
def test_each_thing_is_one_incident(contract: Contract, code: str, part: str) -> None:
    """Whatever each node calls it, and in which words."""
    reports = {name: [Symptom(code, f"on {name}", f"offset {i} s")] for i, name in enumerate(NODES)}
    assert [(one.part, one.nodes) for one in incidents(contract, states(reports))] == (
        [(part, NODES)] if part else []
    )


def test_a_node_that_reports_something_is_not_healthy(contract: Contract, work: Workspace) -> None:
    known = states({"h100-1": [SILENT]})
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})
    scheduler = type(
        "Scheduler", (), {"nodes": lambda _: known, "reservations": lambda _: [], "jobs": lambda _: []}
    )
    found = nodes.overview(contract, work, scheduler())  # type: ignore[arg-type]
    seen = {one.name: (one.state, one.reason) for one in found.nodes}
    assert seen["h100-0"] == ("healthy", "")
    assert seen["h100-1"] == ("impaired", f"filesystem-silent: {SILENT.text}")
    assert [one.part for one in found.incidents] == ["storage client of scratch"]
