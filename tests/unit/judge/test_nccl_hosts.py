"""Which nodes' own lines of NCCL's log are at fault."""

from __future__ import annotations

from functools import partial

from railbed.judge import nccl_hosts, nccl_transport

NODES = ["a-0", "a-1", "a-2"]
VERBS, SOCKET = "NET/IB/0/GDRDMA", "NET/Socket/0"


def log(*lines: str) -> str:
    return "".join(
        f"{node}:40:41 [0] NCCL INFO Channel 00/0 : 7[7] -> 8[0] [send] via {way}\n"
        for node, way in zip(NODES, lines, strict=False)
    )


def guilty(text: str) -> list[str]:
    return nccl_hosts.guilty(text, NODES, partial(nccl_transport.judge_log, transport="infiniband"))


def test_the_node_that_talks_over_sockets_is_named() -> None:
    assert guilty(log(VERBS, SOCKET, VERBS)) == ["a-1"]
    assert guilty("[1764489600] 5: " + log(SOCKET, VERBS)) == ["a-0"], "behind what launchers put in front"


def test_what_all_do_is_no_nodes_fault() -> None:
    assert guilty(log(SOCKET, SOCKET, SOCKET)) == []
    assert guilty(log(VERBS, VERBS)) == []


def test_lines_of_other_hosts_name_nobody() -> None:
    assert (
        nccl_hosts.guilty(
            log(SOCKET, VERBS), ["b-0"], partial(nccl_transport.judge_log, transport="infiniband")
        )
        == []
    )
    assert guilty("a-0:xx:yy [0] NCCL INFO via NET/Socket/0\n") == []


def test_nodes_without_a_line_are_named() -> None:
    assert nccl_hosts.silent(log(VERBS, VERBS), NODES) == ["a-2"]
    assert nccl_hosts.silent(log(VERBS, VERBS, SOCKET), NODES) == []
    assert nccl_hosts.silent("", NODES) == NODES


def test_what_nobody_read_of_a_log_is_told() -> None:
    whole = log(VERBS, VERBS, VERBS)
    assert nccl_hosts.unread(whole, NODES) == ""
    assert "a-2" in nccl_hosts.unread(log(VERBS, VERBS), NODES)
    assert "a-1.7" in nccl_hosts.unread(f"{nccl_hosts.CUT}railbed-nccl.ab.a-1.7\n{whole}", NODES)
