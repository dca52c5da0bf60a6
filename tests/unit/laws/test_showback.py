"""GPU-hours and cost of a month: allocated GPUs times time, and unknown where nobody published a price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.errors import UsageError
from railbed.laws import showback
from railbed.parse import sacct
from railbed.parse.sacct import AccountedJob

TEXT = """\
41|acme|alice|billing=4,cpu=8,gres/gpu=4,node=1|1800|COMPLETED
42|acme|ada|billing=8,cpu=2,gres/gpu=8,node=1|900|NODE_FAIL
42|acme|ada|billing=8,cpu=2,gres/gpu=8,node=1|3600|COMPLETED
43|uni|bob|billing=0,cpu=1,node=1|60|CANCELLED by 10017
44|uni|bob||0|PENDING
"""
"""In the form of sacct 22.05.8 with `sacct.FIELDS`; numbers and names by hand."""


def test_a_requeued_job_is_one_job_of_all_its_runs() -> None:
    acme, lab, uni = showback.by_account(sacct.jobs(TEXT), ["acme", "lab"], 2.5)
    assert (acme.jobs, acme.users, acme.gpu_hours, acme.cost) == (2, 2, 12.0, 30.0)
    assert acme.failed_gpu_hours == 2.0
    assert (lab.jobs, lab.gpu_hours, lab.cost) == (0, 0.0, 0.0)
    assert (uni.account, uni.jobs, uni.gpu_hours) == ("uni", 2, 0.0)


def test_without_a_published_price_the_cost_is_unknown_and_not_nothing() -> None:
    assert {row.cost for row in showback.by_account(sacct.jobs(TEXT), [], None)} == {None}


@given(
    st.lists(st.builds(
        AccountedJob, id=st.just("1"), account=st.sampled_from(["a", "b"]), user=st.just("u"), gpus=st.integers(0, 64),
        seconds=st.integers(0, 10**6), state=st.sampled_from(["COMPLETED", "FAILED"]),
    ))
)  # fmt: skip
def test_hours_of_accounts_add_up_to_those_of_the_jobs(jobs: list[AccountedJob]) -> None:
    rows = showback.by_account(jobs, [], 1.0)
    assert sum(row.gpu_hours for row in rows) == pytest.approx(
        sum(j.gpus * j.seconds for j in jobs) / 3600, abs=1e-3
    )
    assert all(row.failed_gpu_hours <= row.gpu_hours for row in rows)


@pytest.mark.parametrize(
    "text", ["41|acme|alice|cpu=1|x|COMPLETED\n", "41|acme\n", "41|a|b|gres/gpu=x|1|COMPLETED\n"]
)
def test_a_line_that_nobody_can_read_is_no_zero(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        sacct.jobs(text)


def test_a_month_ends_where_the_next_one_begins() -> None:
    assert showback.month("2026-12") == ("2026-12-01T00:00:00", "2027-01-01T00:00:00")
    assert showback.month("2028-02")[1] == "2028-03-01T00:00:00"
    for text in ("2026-13", "2026-1", "december", "0001-01"):
        with pytest.raises(UsageError):
            showback.month(text)
