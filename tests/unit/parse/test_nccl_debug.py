"""NCCL's own log: what runs over what."""

from __future__ import annotations

from pathlib import Path

from railbed.parse import nccl_debug

DATA = Path(__file__).parent.parent / "data" / "parse"


def read(name: str, folder: str = "nccl_debug") -> nccl_debug.NcclLog:
    return nccl_debug.read((DATA / folder / name).read_text())


def test_a_healthy_infiniband_run() -> None:
    log = read("two-nodes-ib.log")
    assert (log.version, log.plugin, log.network) == ("2.27.7+cuda12.8", "", "IB")
    assert (log.ranks, log.nodes) == (16, 2)
    assert log.devices == ["mlx5_0", "mlx5_3", "mlx5_4"]
    assert log.channels == {"coll": 16, "collnet": 0, "nvls": 16, "p2p": 16}
    assert log.transports == {"NET/IB": 4, "P2P": 2, "SHM": 2}
    assert (log.gpudirect, log.uses_sockets, log.nvls) == (True, False, True)
    assert log.environment == {"NCCL_IB_HCA": "mlx5_0,mlx5_3,mlx5_4"}
    assert [(a["size_bytes"], a["algorithm"], a["protocol"]) for a in log.algorithms] == [
        (268435456, "NVLS_TREE", "SIMPLE"), (1024, "TREE", "LL"),
    ]  # fmt: skip
    assert log.unread == []


def test_a_plugin() -> None:
    log = read("efa.log")
    assert (log.plugin, log.network) == ("Libfabric", "AWS Libfabric")
    assert log.transports == {"NET/AWS Libfabric": 2}
    assert (log.gpudirect, log.uses_sockets) == (True, False)


def test_a_run_that_fell_back_to_sockets() -> None:
    log = read("sockets.log")
    assert (log.network, log.uses_sockets, log.gpudirect, log.nvls) == ("Socket", True, False, False)
    assert "Connection closed" in log.warnings[0]


def test_one_connection_without_gpudirect_is_enough() -> None:
    log = read("gpudirect-off.log")
    assert (log.network_connections, log.gpudirect_connections, log.gpudirect) == (2, 1, False)


def test_silence_says_nothing() -> None:
    for text in ("", "all is well", (DATA / "nccl_tests" / "two-nodes.log").read_text()):
        log = nccl_debug.read(text)
        assert (log.gpudirect, log.uses_sockets, log.nvls, log.lines) == (None, None, None, 0)


def test_half_a_log() -> None:
    log = read("truncated.log")
    assert (log.network, log.gpudirect, log.channels) == ("IB", True, {})


def test_between_the_lines_of_another_program() -> None:
    log = read("sockets-2-nodes.log", "nccl_tests")
    assert (log.uses_sockets, log.lines) == (True, 4)
    assert read("nvls-off-1-node.log", "nccl_tests").nvls is False
