"""The queue of small jobs: Erlang C by its limits, and by tables of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.laws import fan_out, queueing
from railbed.laws.storage import StorageRates

SLOTS = st.integers(1, 512)
SHARE = st.floats(0.001, 0.999)


@given(SLOTS, SHARE, SHARE)
def test_the_chance_to_wait_is_a_probability_and_grows_with_the_load(slots: int, a: float, b: float) -> None:
    low, high = sorted((a, b))
    first, second = queueing.erlang_c(slots, low * slots), queueing.erlang_c(slots, high * slots)
    assert 0.0 <= first <= second * (1 + 1e-12) and second <= 1.0


@given(SLOTS, SHARE)
def test_a_slot_more_makes_fewer_jobs_wait(slots: int, share: float) -> None:
    load = share * slots
    assert queueing.erlang_c(slots + 1, load) <= queueing.erlang_c(slots, load)
    assert queueing.erlang_b(slots, load) <= queueing.erlang_c(slots, load), (
        "who is blocked would have waited"
    )


@given(SHARE, st.floats(0.01, 100))
def test_one_slot_is_the_queue_m_m_1(share: float, hours: float) -> None:
    """There a job waits with probability ρ, and ρ/(1-ρ) lengths on average."""
    found = queueing.queue(1, share / hours, hours)
    assert found.wait_chance == pytest.approx(share)
    assert found.mean_wait_hours == pytest.approx(hours * share / (1 - share))


@given(SLOTS, st.floats(1.0, 10))
def test_more_than_can_run_grows_without_end(slots: int, share: float) -> None:
    found = queueing.queue(slots, share * slots * 1.001, 1.0)
    assert not found.stable and found.wait_chance == 1.0 and found.utilisation > 1
    assert found.mean_wait_hours is None and found.wait_95_hours is None


@given(SLOTS, SHARE, st.floats(0.01, 100))
def test_waits_agree_with_each_other(slots: int, share: float, hours: float) -> None:
    found = queueing.queue(slots, share * slots / hours, hours)
    assert found.mean_wait_hours is not None and found.wait_95_hours is not None
    assert found.mean_wait_hours >= 0 and found.wait_95_hours >= 0
    # Who waits, waits exponentially: 95 % of all wait no longer than three means of those who do.
    waiting = hours / (slots - share * slots)
    assert found.wait_95_hours <= 3.0 * waiting and (found.wait_95_hours > 0) is (found.wait_chance > 0.05)


@pytest.mark.parametrize(
    ("slots", "load", "blocked", "waits"),
    [(2, 1.0, 1 / 5, 1 / 3), (3, 2.0, 4 / 19, 4 / 9), (5, 4.0, 0.19907, 0.55411)],
)
def test_it_is_what_the_formulas_written_out_give(
    slots: int, load: float, blocked: float, waits: float
) -> None:
    """B = (a^c/c!)/Σ a^k/k!, C = (a^c/c!)/((1-ρ)·Σ_{k<c} a^k/k! + a^c/c!)."""
    assert queueing.erlang_b(slots, load) == pytest.approx(blocked, abs=1e-5)
    assert queueing.erlang_c(slots, load) == pytest.approx(waits, abs=1e-5)


@given(st.integers(1, 4096), st.sampled_from([4, 8, 16]), st.integers(1, 256))
def test_slots_fit_into_the_gpus_and_a_job_is_not_split(nodes: int, each: int, gpus: int) -> None:
    found = queueing.slots(nodes, each, gpus)
    assert found * gpus <= nodes * each
    assert found * queueing.nodes_per_job(each, gpus) <= nodes or gpus <= each
    assert gpus > each or found == nodes * (each // gpus)


def rates(total: float | None, alone: float | None) -> StorageRates:
    return StorageRates(
        nodes=8,
        read_gbytes_per_s=total,
        node_read_alone_gbytes_per_s=alone,
        basis="derived",
        derivation=["test"],
    )


@given(st.floats(0.1, 1000), st.one_of(st.none(), st.floats(0.1, 100)), st.integers(1, 8))
def test_nodes_together_read_no_faster_than_all_and_no_slower_than_fewer(
    total: float, alone: float | None, nodes: int
) -> None:
    found = [fan_out.read_gbytes_per_s(rates(total, alone), count) or 0 for count in (nodes, nodes + 1)]
    assert 0 < found[0] <= found[1] * (1 + 1e-9) and found[1] <= total * (1 + 1e-9)


def test_a_model_loads_as_often_as_it_is_read() -> None:
    assert fan_out.read_gbytes_per_s(rates(40.0, 10.0), 2) == 20.0
    assert fan_out.read_gbytes_per_s(rates(40.0, None), 2) == 10.0, "its share while all read"
    assert fan_out.seconds(140.0, 4, 20.0) == 28.0
    assert fan_out.read_gbytes_per_s(rates(None, None), 2) is None and fan_out.seconds(140.0, 4, None) is None
