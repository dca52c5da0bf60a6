"""GIDs of RoCE rails, in the form of sysfs-class-infiniband (Linux, Documentation/ABI); built, not recorded."""

from __future__ import annotations

from typing import Any

import pytest

from railbed.validate.node.test_gid import RDMA

LINK = "fe80:0000:0000:0000:a288:c2ff:fe03:0001"
MAPPED = "0000:0000:0000:0000:0000:ffff:0a5b:030b"
"""10.91.3.11."""
OTHER = "0000:0000:0000:0000:0000:ffff:0a5b:030c"
UNSET = "0000:0000:0000:0000:0000:0000:0000:0000"
GOOD = [(LINK, "IB/RoCE v1"), (LINK, "RoCE v2"), (MAPPED, "IB/RoCE v1"), (MAPPED, "RoCE v2"), (UNSET, "")]


@pytest.fixture
def table(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def found(rows: list[tuple[str, str]], address: str = "10.91.3.11/24", device: str = "mlx5_3") -> Any:
        world.want |= {"rails": [{"index": 3, "device": device, "netdev": "rail3", "address": address}]}
        for place, (gid, kind) in enumerate(rows):
            port = f"{RDMA}/mlx5_3/ports/1"
            world.write(f"{port}/gids/{place}", gid + "\n")
            if kind:
                world.write(f"{port}/gid_attrs/types/{place}", kind + "\n")
        return world.check("fabric.gid", monkeypatch)

    return found


def test_the_rail_s_own_gid_passes(table: Any) -> None:
    found = table(GOOD)
    assert (found.verdict, found.measured) == ("pass", 1)


def test_an_address_that_the_provider_gave_may_be_any(table: Any) -> None:
    assert table([(OTHER, "RoCE v2")], address="").verdict == "pass"


@pytest.mark.refutes("fabric.gid")
@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (GOOD[:2], "mlx5_3 has none of IPv4, not 10.91.3.11"),
        (GOOD[:3], "mlx5_3 has none of IPv4"),
        ([(OTHER, "RoCE v2")], "mlx5_3 has 10.91.3.12, not 10.91.3.11"),
        ([], "mlx5_3 is not there"),
    ],
    ids=["no address", "RoCE v1 alone", "another address", "no device"],
)
def test_a_rail_without_it_is_named(table: Any, rows: list[tuple[str, str]], reason: str) -> None:
    found = table(rows)
    assert (found.verdict, found.parts, found.measured) == ("fail", ("rail 3",), 0)
    assert reason in found.reason


def test_without_an_address_a_link_s_own_gid_is_not_enough(table: Any) -> None:
    assert table(GOOD[:2], address="").verdict == "fail"


def test_garbage_is_no_gid(table: Any) -> None:
    assert table([("garbage", "RoCE v2")]).verdict == "fail"


def test_a_rail_whose_device_nobody_knows_is_unproven(table: Any) -> None:
    found = table(GOOD, device="")
    assert (found.verdict, found.reason) == ("unproven", "nobody said which devices the rails are")
