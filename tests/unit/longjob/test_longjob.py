"""Long jobs against published runs, and what the command says."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from railbed import catalog
from railbed.cli import job_commands
from railbed.errors import CatalogError, UsageError
from railbed.laws import longjob
from railbed.laws.longjob import JobRequest, plan

RATES = catalog.load_reliability()


def test_llama_3_was_stopped_as_often_as_it_was() -> None:
    """arXiv 2407.21783, table 5: 419 unexpected of 466 interruptions in 54 days on 16,384 GPUs, > 90 % effective."""
    job = plan(JobRequest(gpus=16_384, days=54))
    assert job.interruptions is not None
    assert job.interruptions.central == pytest.approx(419, rel=0.001)
    assert job.interruptions.low < 466 < job.interruptions.high
    assert job.nodes == 2048
    fast = plan(
        JobRequest(
            gpus=16_384, days=54, checkpoint_gbytes=5290, write_gbytes_per_s=2000, read_gbytes_per_s=2000
        )
    )
    assert fast.goodput > 0.90


def test_meta_rsc_projections() -> None:
    """arXiv 2410.21680: at RSC-1's rate a job of 16,384 GPUs fails every 1.8 h, one of 131,072 every 0.23 h."""
    for gpus, hours in ((16_384, 1.8), (131_072, 0.23)):
        job = plan(JobRequest(gpus=gpus, days=1))
        assert job.between_interruptions_s.high / 3600 == pytest.approx(hours, rel=0.03)


def test_meta_rsc_measured_7_9_h_counts_more_than_failures_of_machines() -> None:
    """MTTF of 1024-GPU jobs, every cause: it lies below the range, which counts infrastructure only."""
    job = plan(JobRequest(gpus=1024, days=1))
    assert job.between_interruptions_s.high / 3600 > 7.9 * 3


def test_byterobust_reached_97_per_cent() -> None:
    """arXiv 2509.16293: 97 % ETTR, 9,600 GPUs, three months, checkpoints that hardly stop the job."""
    job = plan(
        JobRequest(
            gpus=9600, days=90, checkpoint_gbytes=1000, write_gbytes_per_s=1000, read_gbytes_per_s=1000
        )
    )
    assert job.goodput_range.high < 0.97 < job.goodput_range.low
    assert job.goodput == pytest.approx(0.97, abs=0.01)


def test_reference_arithmetic_for_512_and_1000_gpus() -> None:
    """512 GPUs: 14.5 stops in 60 days, 21.8 in 90; 1,000 GPUs: one per 2.1 days, 28 to 43 in 60 to 90 days."""
    for gpus, days, stops in ((512, 60, 14.5), (512, 90, 21.8), (1000, 60, 28.4), (1000, 90, 42.6)):
        job = plan(JobRequest(gpus=gpus, days=days))
        assert job.interruptions is not None
        assert job.interruptions.central == pytest.approx(stops, rel=0.01)
    assert plan(JobRequest(gpus=1000, days=1)).between_interruptions_s.central / 86_400 == pytest.approx(
        2.1, abs=0.02
    )


def test_64_to_128_nodes_for_75_days() -> None:
    """At RSC's 2.34 to 6.50 per 1000 node-days: 11 to 62 stops."""
    small, large = plan(JobRequest(gpus=64 * 8, days=75)), plan(JobRequest(gpus=128 * 8, days=75))
    assert small.interruptions is not None and large.interruptions is not None
    assert small.interruptions.low == pytest.approx(11, abs=0.5)
    assert large.interruptions.high == pytest.approx(62, abs=0.5)


def test_gpu_mttf_of_llama_3_is_50_700_hours() -> None:
    job = plan(JobRequest(gpus=1, days=1, gpus_per_node=1))
    assert job.between_interruptions_s.central / 3600 == pytest.approx(50_700, rel=0.01)


def test_spares_lie_in_the_5_to_10_per_cent_that_people_keep() -> None:
    """stas00/ml-engineering advises 5 to 10 %."""
    for nodes in (64, 128):
        spares = plan(JobRequest(gpus=nodes * 8, days=75)).spare_nodes_range
        assert 0.04 < spares.central / nodes < spares.high / nodes < 0.13


def test_spares_are_smallest_for_the_probability_by_sum() -> None:
    job = plan(JobRequest(gpus=1024, days=75, spare_probability=0.95))
    mean = job.node_removals_per_day.central * RATES.return_days
    cdf = [
        sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(s + 1))
        for s in range(job.spare_nodes + 1)
    ]
    assert cdf[-1] >= 0.95 > cdf[-2]
    assert job.spare_nodes <= plan(JobRequest(gpus=1024, days=75)).spare_nodes


def test_repair_time_is_what_spares_follow() -> None:
    job = plan(JobRequest(gpus=1024, days=75))
    by_days = {row.return_days: row.spare_nodes.central for row in job.sensitivity}
    assert list(by_days.values()) == sorted(by_days.values())
    assert by_days[RATES.return_days] == job.spare_nodes
    assert plan(JobRequest(gpus=1024, days=75, return_days=30)).spare_nodes == by_days[30]


def test_stops_and_removals_are_apart() -> None:
    job = plan(JobRequest(gpus=1024, days=75))
    for name in longjob.Three.model_fields:
        assert getattr(job.node_removals_per_day, name) <= getattr(job.interruptions_per_day, name)
    assert job.node_removals_per_day.central < job.interruptions_per_day.central


def test_the_checkpoint_of_a_published_model_stands_in() -> None:
    for gpus, gbytes in ((8, 105), (9, 912), (64, 912), (512, 5290), (1024, 18_000), (16_384, 18_000)):
        assert plan(JobRequest(gpus=gpus, days=1)).checkpoint_gbytes == gbytes


def test_every_assumption_has_a_source() -> None:
    job = plan(JobRequest(gpus=64, days=10, detection_s=30))
    named = {one.name: one.source for one in job.assumptions}
    assert named["detection_s"] == "given"
    assert all(named.values())
    assert {"job_stops_low", "node_removals_high", "return_days", "write_gbytes_per_s"} <= set(named)


def test_nodes_of_four_gpus_fail_half_as_often() -> None:
    eight, four = plan(JobRequest(gpus=720, days=30)), plan(JobRequest(gpus=720, days=30, gpus_per_node=4))
    assert four.nodes == 2 * eight.nodes
    assert four.interruptions == eight.interruptions
    assert four.spare_nodes == eight.spare_nodes


@pytest.mark.parametrize(
    ("job", "path"),
    [
        (JobRequest(gpus=0, days=1), "--gpus"),
        (JobRequest(gpus=-8, days=1), "--gpus"),
        (JobRequest(gpus=10**9, days=1), "--gpus"),
        (JobRequest(gpus=8, days=0), "--days"),
        (JobRequest(gpus=8, days=math.inf), "--days"),
        (JobRequest(gpus=8, days=math.nan), "--days"),
        (JobRequest(gpus=8, days=1, checkpoint_gbytes=0), "--checkpoint-gbytes"),
        (JobRequest(gpus=8, days=1, checkpoint_gbytes=-1), "--checkpoint-gbytes"),
        (JobRequest(gpus=8, days=1, spare_probability=1), "--spare-probability"),
        (JobRequest(gpus=8, days=1, spare_probability=math.nan), "--spare-probability"),
        (JobRequest(gpus=8, days=1, write_gbytes_per_s=0), "--write-gbytes-per-s"),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_usage_errors(job: JobRequest, path: str) -> None:
    with pytest.raises(UsageError) as refused:
        plan(job)
    assert refused.value.path == path
    assert refused.value.allowed and refused.value.hint
    json.dumps(refused.value.as_json(), allow_nan=False)


def call(*words: str) -> Any:
    app = typer.Typer()
    job_commands.register(app)
    done = CliRunner().invoke(app, ["job", "plan", *words], env={"COLUMNS": "200"})
    if done.exception:
        raise done.exception
    return json.loads(done.stdout) if "--json" in words else done.stdout


def test_command() -> None:
    found = call(
        "--gpus",
        "1000",
        "--days",
        "75",
        "--checkpoint-gbytes",
        "912",
        "--spare-probability",
        "0.95",
        "--json",
    )
    assert {"interruptions", "spare_nodes", "checkpoint_interval_s", "goodput"} <= set(found)
    assert set(found["interruptions"]) == {"low", "central", "high"}
    assert found["checkpoint_gbytes"] == 912
    assert 0 < found["goodput"] < 1
    text = call("--gpus", "72", "--days", "75", "--machine", "metal/gb200-nvl72")
    for words in (
        "72 GPUs on 18 nodes",
        "interruptions",
        "Spares by repair time",
        "Assumptions",
        "arXiv 2407.21783",
    ):
        assert words in text
    with pytest.raises(CatalogError, match="no machine"):
        call("--gpus", "8", "--days", "1", "--machine", "metal/hgx-h1000")
