"""Real output of Slurm 22.05 from a lab, and lines of other states made after it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.parse import slurm

DATA = Path(__file__).parent / "data"
NODE = (
    "NodeName=n1 Arch=x86_64 Gres={gres} NodeAddr=10.0.0.1 State={state} ThreadsPerCore=1 Partitions=batch  "
    "BootTime=2026-11-24T07:39:36 ExtSensorsTemp=n/s {tail}"
)


def one(state: str, *, gres: str = "gpu:8", tail: str = "") -> slurm.NodeState:
    return slurm.nodes(NODE.format(state=state, gres=gres, tail=tail))["n1"]


def test_real_nodes_in_a_reservation() -> None:
    nodes = slurm.nodes((DATA / "scontrol-show-node.txt").read_text())
    assert list(nodes) == [f"h100-{i}" for i in range(5)]
    first = nodes["h100-0"]
    assert (first.base, first.gpus, first.partitions) == ("IDLE", 8, ("batch",))
    assert first.flags == {"MAINTENANCE", "RESERVED"}
    assert first.usable
    assert not first.drained


def test_a_drained_node_keeps_its_reason() -> None:
    tail = "Reason=[railbed:healthcheck] gpus: 7 of 8 GPUs listed; missing: gpu 5 [root@2026-11-24T08:25:55]"
    node = one("IDLE+DRAIN", tail=tail)
    assert node.drained
    assert not node.usable
    assert node.reason == "[railbed:healthcheck] gpus: 7 of 8 GPUs listed; missing: gpu 5"
    assert node.reason_by == "root"


def test_a_comment_and_the_pool_of_a_node() -> None:
    """Printed by Slurm 22.05 in a lab, with SLURM_TIME_FORMAT=%s."""
    tail = (
        "Reason=[railbed:healthcheck] gpu-lost: 7 of 8 [root@1795966012]"
        " Comment=[railbed:health] filesystem-silent(/scratch) it does not answer: stat: no answer within 8 s"
    )
    node = one("IDLE+DRAIN", tail=tail)
    assert (node.reason, node.reason_at) == ("[railbed:healthcheck] gpu-lost: 7 of 8", "1795966012")
    assert node.comment.endswith("no answer within 8 s")
    assert slurm.nodes("NodeName=n AvailableFeatures=h100,big State=IDLE")["n"].features == (
        "h100",
        "big",
    )


@pytest.mark.parametrize("state", ["DOWN*", "IDLE*", "DOWN", "UNKNOWN", "IDLE+NOT_RESPONDING", "MIXED+DRAIN"])
def test_states_that_give_no_work(state: str) -> None:
    assert not one(state).usable


@pytest.mark.parametrize("state", ["IDLE", "ALLOCATED", "MIXED", "IDLE+MAINTENANCE+RESERVED"])
def test_states_that_give_work(state: str) -> None:
    assert one(state).usable


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("gpu:8", 8),
        ("gpu:h100:8(S:0-1)", 8),
        ("(null)", 0),
        ("gpu:h100:4,gpu:a100:2", 6),
        ("shard:8,gpu:1", 1),
    ],
)
def test_gpus_of_a_gres(gres: str, gpus: int) -> None:
    assert one("IDLE", gres=gres).gpus == gpus


def test_real_reservation() -> None:
    found = slurm.reservations((DATA / "scontrol-show-reservation.txt").read_text())
    assert [r.name for r in found] == ["railbed-acceptance"]
    assert found[0].nodes == tuple(f"h100-{i}" for i in range(5))
    assert {"MAINT", "IGNORE_JOBS"} <= found[0].flags
    assert slurm.reservations("No reservations in the system\n") == []


def test_jobs() -> None:
    text = "26|root|RUNNING|h100-[0-1]|hello|a|b\n27|alice|PENDING||(null)|train\ngarbage\n"
    running, pending = slurm.jobs(text)
    assert (running.id, running.nodes, running.comment, running.name) == (
        "26",
        ("h100-0", "h100-1"),
        "hello",
        "a|b",
    )
    assert (pending.user, pending.nodes, pending.comment) == ("alice", (), "")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("h100-0", ("h100-0",)),
        ("h100-[0-2,4],ctl0", ("h100-0", "h100-1", "h100-2", "h100-4", "ctl0")),
        ("n[08-10]", ("n08", "n09", "n10")),
        ("rack[1-2]-a", ("rack1-a", "rack2-a")),
    ],
)
def test_host_lists(text: str, names: tuple[str, ...]) -> None:
    assert slurm.hostlist(text) == names


@given(st.text(max_size=300))
def test_no_text_breaks_the_readers(text: str) -> None:
    slurm.nodes(text)
