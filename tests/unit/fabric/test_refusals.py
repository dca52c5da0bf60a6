"""What the planner refuses, with the reason and what would do; and what it plans with a warning."""

from __future__ import annotations

from fractions import Fraction

import pytest

from railbed.errors import Exit, UsageError
from railbed.fabric import FabricRequest, Names, plan, ratio, warnings


@pytest.mark.parametrize(
    ("requested", "option"),
    [
        (FabricRequest(nodes=0), "--nodes"),
        (FabricRequest(nodes=-1), "--nodes"),
        (FabricRequest(nodes=8, rails=0), "--rails"),
        (FabricRequest(nodes=8, radix=1), "--radix"),
        (FabricRequest(nodes=8, radix=1 << 21), "--radix"),
        (FabricRequest(nodes=8, planes=0), "--planes"),
        (FabricRequest(nodes=8, extra_endpoints=-1), "--extra-endpoints"),
        (FabricRequest(nodes=8, design_nodes=7), "--design-nodes"),
        (FabricRequest(nodes=10**7, radix=4096), "--nodes"),
    ],
)
def test_numbers_out_of_range(requested: FabricRequest, option: str) -> None:
    with pytest.raises(UsageError) as refused:
        plan(requested)
    assert refused.value.code == "FABRIC_RANGE"
    assert refused.value.path == option
    assert refused.value.allowed
    assert refused.value.exit_status is Exit.USAGE


@pytest.mark.parametrize(
    ("requested", "least"),
    [
        (FabricRequest(nodes=8193), 66),
        (FabricRequest(nodes=10**9), 3176),
        (FabricRequest(nodes=32, design_nodes=8193), 66),
        (FabricRequest(nodes=65, rail_only=True), 65),
        (FabricRequest(nodes=64, rail_only=True, extra_endpoints=4), 65),
    ],
)
def test_past_the_radix_limit_names_the_smallest_radix(requested: FabricRequest, least: int) -> None:
    with pytest.raises(UsageError, match="past the radix limit") as refused:
        plan(requested)
    assert refused.value.code == "FABRIC_RADIX_LIMIT"
    assert f"smallest radix that would do is {least}" in refused.value.hint
    if requested.nodes < 10**9:
        assert plan(FabricRequest(**{**requested.__dict__, "radix": least}))


@pytest.mark.parametrize(
    "text",
    ["0.5", "0", "-1", "nan", "NaN", "inf", "", "1:0", "1/0", "3:4", "1e9", "2:1:1", "９", "1" * 40, "lots"],
)
def test_what_is_no_oversubscription(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        ratio.read(text)
    assert refused.value.code == "FABRIC_OVERSUBSCRIPTION"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.99, Fraction(1, 2)])
def test_numbers_that_are_no_oversubscription(number: float | Fraction) -> None:
    with pytest.raises(UsageError):
        ratio.read(number)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1.5", Fraction(3, 2)), ("4:3", Fraction(4, 3)), ("39/25", Fraction(39, 25)), (" 2 ", 2)],
)
def test_ways_to_write_one(text: str, value: Fraction) -> None:
    assert ratio.read(text) == value


def test_no_port_left_for_an_uplink() -> None:
    with pytest.raises(UsageError, match="no port for an uplink"):
        plan(FabricRequest(nodes=8, oversubscription=Fraction(64)))
    assert plan(FabricRequest(nodes=8, oversubscription=Fraction(63))).up == 1


def test_unused_ports_are_a_warning_with_the_ratios_that_use_all() -> None:
    fabric = plan(FabricRequest(nodes=64, oversubscription=Fraction(3, 2)))
    (warned,) = warnings(fabric)
    assert warned["code"] == "FABRIC_PORTS_UNUSED"
    assert "37 ports down and 25 up leave 2 of 64" in warned["message"]
    assert "38:26 or 39:25" in warned["message"]
    for full in ("38:26", "39:25"):
        assert not warnings(plan(FabricRequest(nodes=64, oversubscription=ratio.read(full))))


def test_an_odd_radix_has_one_such_ratio() -> None:
    (warned,) = warnings(plan(FabricRequest(nodes=64, radix=65)))
    assert "33:32 uses all" in warned["message"]


def test_rail_only_has_nothing_to_oversubscribe() -> None:
    with pytest.raises(UsageError, match="no uplinks"):
        plan(FabricRequest(nodes=8, rail_only=True, oversubscription=Fraction(2)))


@pytest.mark.parametrize(
    ("names", "option"),
    [
        (Names(node="node"), "--node-name"),
        (Names(node="{node.__class__}"), "--node-name"),
        (Names(node="{node!r}"), "--node-name"),
        (Names(node="{node:>999999999}"), "--node-name"),
        (Names(node="n {node}"), "--node-name"),
        (Names(node="{node"), "--node-name"),
        (Names(node="{0}"), "--node-name"),
        (Names(nic="eth{plane}"), "--nic-name"),
        (Names(switch="{index}"), "--switch-name"),
        (Names(switch="{tier:3d}{index}"), "--switch-name"),
    ],
)
def test_templates_that_do_not_name(names: Names, option: str) -> None:
    with pytest.raises(UsageError) as refused:
        names.checked(1)
    assert refused.value.path == option


def test_templates_that_do() -> None:
    names = Names(node="gpu{node:03d}", nic="rail{rail}", switch="{tier}-{index:02d}").checked(1)
    assert names.node_name(7) == "gpu007"
    assert names.nic_names(2, 1) == ["rail0", "rail1"]
    assert names.switch_names("leaf", 0, 2) == ["leaf-00", "leaf-01"]


def test_planes_are_in_the_names() -> None:
    assert Names().checked(2).switch_names("leaf", 1, 1) == ["p1-leaf0"]
    assert Names().checked(2).nic_names(2, 2) == ["mlx5_0", "mlx5_1", "mlx5_2", "mlx5_3"]
    with pytest.raises(UsageError):
        Names(nic="rail{rail}").checked(2)
    with pytest.raises(UsageError):
        Names(switch="{tier}_{index}").checked(2)
