"""Error counters of ports: what their rise says, and what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Verdict
from railbed.judge import port_errors as law
from railbed.parse import port_errors as parse

CARDS = law.ports([("mlx5_0", "", 0), ("mlx5_3", "", 1), ("", "rail2", 2)])
STEADY = {
    **{(device, name): 3 for device in ("mlx5_0", "mlx5_3") for name in law.RDMA},
    ("rail2", "carrier_down_count"): 7,
}


def after(**rises: int) -> parse.Counts:
    """``mlx5_3__symbol_error=4``: that counter rose by so much."""
    changes = {tuple(name.split("__")): rise for name, rise in rises.items()}
    return {key: value + changes.get(key, 0) for key, value in STEADY.items()}


def test_the_kernels_files_are_read_back() -> None:
    paths = [*parse.files("mlx5_0", "ib0", law.RDMA), *parse.files("", "rail2", law.RDMA)]
    text = "".join(f"{path}:{at}\n" for at, path in enumerate(paths)) + "grep: no such file\nx:1\n"
    assert parse.read(text) == {
        **{("mlx5_0", name): at for at, name in enumerate(law.RDMA)},
        ("rail2", "carrier_down_count"): len(law.RDMA),
    }
    assert not [path for path in paths if "ib0" in path], (
        "an InfiniBand interface loses its carrier for other reasons too"
    )


def test_steady_counters_pass() -> None:
    outcome = law.judge(CARDS, STEADY, STEADY, 60)
    assert (outcome.verdict, outcome.parts, outcome.rises) == (Verdict.PASS, [], {})


@pytest.mark.refutes("fabric.port_errors")
@pytest.mark.parametrize("name", law.LIMITS)
def test_each_counter_fails_just_above_its_limit(name: str) -> None:
    device, rail = ("rail2", "rail 2") if name == "carrier_down_count" else ("mlx5_3", "rail 1")
    most = law.LIMITS[name].most
    assert law.judge(CARDS, STEADY, after(**{f"{device}__{name}": most}), 60).verdict is not Verdict.FAIL
    outcome = law.judge(CARDS, STEADY, after(**{f"{device}__{name}": most + 1}), 60)
    assert (outcome.verdict, outcome.parts) == (Verdict.FAIL, [rail])
    assert f"{name} +{most + 1}" in outcome.reason and device in outcome.reason


@pytest.mark.refutes("fabric.port_errors")
def test_a_card_that_is_not_read_whole_is_no_pass_whatever_others_of_its_rail_say() -> None:
    both = law.ports([("mlx5_0", "", 0), ("mlx5_3", "", 0)])
    read = {key: value for key, value in STEADY.items() if key[0] in both}
    assert law.judge(both, read, read, 60).verdict is Verdict.PASS
    one = {key: value for key, value in read.items() if key[0] == "mlx5_0"}
    gone = {key: value for key, value in read.items() if key != ("mlx5_3", "link_downed")}
    for then, now in ((one, one), (read, one), (read, gone)):
        outcome = law.judge(both, then, now, 60)
        assert (outcome.verdict, outcome.reason) == (Verdict.UNPROVEN, "no counters of rail 0")


def test_a_limit_of_an_hour_is_twice_as_high_over_two() -> None:
    rose = after(mlx5_3__symbol_error=200)
    assert law.judge(CARDS, STEADY, rose, 3600).verdict is Verdict.FAIL
    assert law.judge(CARDS, STEADY, rose, 7200).verdict is Verdict.PASS
    assert law.judge(CARDS, STEADY, after(mlx5_3__link_downed=1), 1e6).verdict is Verdict.FAIL


def test_a_counter_that_restarts_proves_nothing() -> None:
    outcome = law.judge(CARDS, STEADY, after(mlx5_0__symbol_error=-1), 60)
    assert outcome.verdict is Verdict.UNPROVEN and "restarted" in outcome.reason


def test_a_counter_at_its_largest_value_proves_nothing() -> None:
    full = {**STEADY, ("mlx5_0", "link_downed"): 255}
    outcome = law.judge(CARDS, full, full, 60)
    assert outcome.verdict is Verdict.UNPROVEN and "mlx5_0 link_downed" in outcome.reason


def test_a_port_without_counters_proves_nothing() -> None:
    less = {key: value for key, value in STEADY.items() if key[0] != "rail2"}
    outcome = law.judge(CARDS, less, less, 60)
    assert outcome.verdict is Verdict.UNPROVEN and "rail 2" in outcome.reason


def test_a_card_without_a_name_proves_nothing() -> None:
    cards = law.ports([("mlx5_0", "", 0), ("", "", 1)])
    outcome = law.judge(cards, STEADY, STEADY, 60)
    assert outcome.verdict is Verdict.UNPROVEN and "rail 1" in outcome.reason


@given(st.dictionaries(st.sampled_from(sorted(STEADY)), st.integers(-300, 300)))
def test_only_a_rise_beyond_a_limit_accuses(changes: dict[tuple[str, str], int]) -> None:
    now = {key: value + changes.get(key, 0) for key, value in STEADY.items()}
    over = {key for key, change in changes.items() if change > law.LIMITS[key[1]].most}
    outcome = law.judge(CARDS, STEADY, now, 60)
    assert (outcome.verdict is Verdict.FAIL) == bool(over)
    assert set(outcome.parts) == {CARDS[device] for device, _ in over}
