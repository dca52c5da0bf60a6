"""Tables of partition keys as the kernel shows them (128 entries, 0x0000 where empty); built, not recorded."""

from __future__ import annotations

from typing import Any

import pytest

LIMITED, FULL = "0x7fff", "0x8012"


def tables(world: Any, *keys: list[str]) -> None:
    world.want["pkey"] = 0x12
    world.want["rails"] = [{"index": i, "device": f"mlx5_{i}"} for i in range(len(keys))]
    for index, own in enumerate(keys):
        for place in range(128):
            key = own[place] if place < len(own) else "0x0000"
            world.write(f"/sys/class/infiniband/mlx5_{index}/ports/1/pkeys/{place}", f"{key}\n")


@pytest.mark.refutes("node.partition")
@pytest.mark.parametrize(
    ("keys", "reason", "verdict", "parts"),
    [
        ([[LIMITED, FULL], [LIMITED, FULL]], "NCCL_IB_PKEY=1\n", "pass", ()),
        ([[FULL], [FULL]], "NCCL_DEBUG=WARN\n", "pass", ()),
        ([[LIMITED, FULL], [LIMITED, FULL]], "NCCL_DEBUG=WARN\n", "fail", ("nccl",)),
        ([[LIMITED, FULL], [LIMITED, "0x0012"]], "NCCL_IB_PKEY=1\n", "fail", ("rail 1",)),
        ([[LIMITED], [LIMITED, FULL]], "NCCL_IB_PKEY=1\n", "fail", ("rail 0",)),
        ([[LIMITED, FULL], [FULL, LIMITED]], "NCCL_IB_PKEY=1\n", "fail", ("rails",)),
        ([[LIMITED, FULL], []], "NCCL_IB_PKEY=1\n", "fail", ("rail 1",)),
        ([[LIMITED, FULL], ["\x00", "bad"]], "NCCL_IB_PKEY=1\n", "fail", ("rail 1",)),
    ],
)
def test_every_rail_is_a_full_member_where_nccl_looks(
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
    keys: list[list[str]],
    reason: str,
    verdict: str,
    parts: tuple[str, ...],
) -> None:
    tables(world, *keys)
    world.write("/etc/nccl.conf", reason)
    found = world.check("node.partition", monkeypatch)
    assert (found.verdict, found.parts) == (verdict, parts), found.reason


def test_a_table_that_is_not_there_proves_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tables(world)
    assert world.check("node.partition", monkeypatch).verdict == "unproven"
    world.want["rails"] = [{"index": 0, "device": "mlx5_7"}]
    found = world.check("node.partition", monkeypatch)
    assert (found.verdict, found.reason) == ("unproven", "blocked by node.nics: mlx5_7 is not there")
    world.write("/sys/class/infiniband/mlx5_7/fw_ver", "28.43.2026\n")
    assert "cannot be read" in world.check("node.partition", monkeypatch).reason
