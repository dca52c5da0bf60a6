"""What a pretraining workload, automatic spares and a rate that nobody published do to a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from railbed import catalog, plan, spec
from railbed.cli import plan_commands
from railbed.errors import SpecError
from railbed.laws import longjob

OWN = Path(catalog.__file__).parent
EXAMPLE = Path(__file__).parents[3] / "examples" / "lab-cluster.yaml"
WHERE = "x.yaml:railbed:cluster"
JOB = {"kind": "pretraining", "gpus": 32, "days": 75, "checkpoint_gbytes": 912}


def planned(**changed: Any) -> plan.ClusterPlan:
    data = spec.load(EXAMPLE).model_dump(mode="json")
    return plan.plan(spec.from_config({**data, **changed}, WHERE), WHERE)


def pool(nodes: int = 4, spares: Any = "auto", machine: str = "lab/rail8") -> dict[str, Any]:
    return {"name": "h100", "machine": machine, "nodes": nodes, "spares": spares}


def test_spares_follow_from_failure_rates() -> None:
    made = planned(pools=[pool()])
    assert made.spare_nodes == made.pools[0].spares == longjob.spare_nodes(4, 8) == 1
    assert [h.role for h in plan.hosts(made)].count("spare") == 1
    large = planned(pools=[pool(200)])
    assert large.spare_nodes == longjob.spare_nodes(200, 8) == 9
    assert "NO_SPARES" not in [w.code for w in large.warnings]


def test_automatic_spares_count_against_the_lab_s_addresses() -> None:
    assert planned(pools=[pool(230)]).spare_nodes == 10
    with pytest.raises(SpecError, match="lab network has addresses for 244"):
        planned(pools=[pool(240)])


def test_pretraining_is_planned() -> None:
    made = planned(workloads=[JOB])
    (one,) = made.jobs
    assert (one.workload, one.kind, one.job.gpus, one.job.nodes, one.job.days) == (
        0,
        "pretraining",
        32,
        4,
        75,
    )
    assert one.job.checkpoint_gbytes == 912
    assert one.job.interruptions is not None
    assert one.job.interruptions.central == pytest.approx(4 * 75 * 3.789 / 1000)
    assert made.as_json()["jobs"][0]["job"]["checkpoint_interval_s"] == one.job.checkpoint_interval_s
    json.dumps(made.as_json(), allow_nan=False)


def test_claims_of_a_long_job() -> None:
    made = planned(workloads=[JOB])
    inside, outside = {c.id for c in made.claims}, {c.id: c.reason for c in made.out_of_scope}
    assert {"job.checkpoint", "job.resume"} <= inside
    assert "is a label" in outside["storage.checkpoint"]
    assert "is a label" in outside["storage.restore"]
    without = {c.id: c.reason for c in planned(workloads=[JOB], filesystems=[]).out_of_scope}
    assert "no filesystem" in without["storage.checkpoint"]
    assert not {"storage.checkpoint", "storage.restore"} & {c.id for c in planned().out_of_scope}


def codes(made: plan.ClusterPlan) -> dict[str, str]:
    return {w.code: w.path for w in made.warnings}


def test_warnings_of_a_long_job() -> None:
    found = codes(planned(workloads=[JOB]))
    assert found["STORAGE_RATE_ASSUMED"] == f"{WHERE}.filesystems[0].offer"
    assert "NO_LENGTH" not in found
    assert "NO_CHECKPOINT_STORE" in codes(planned(workloads=[JOB], filesystems=[]))
    endless = planned(workloads=[{"kind": "pretraining", "gpus": 32}])
    assert codes(endless)["NO_LENGTH"] == f"{WHERE}.workloads[0].days"
    assert endless.jobs[0].job.interruptions is None
    few = planned(pools=[pool(200, 1)], workloads=[{**JOB, "gpus": 1600}])
    assert codes(few)["FEW_SPARES"] == f"{WHERE}.pools"
    assert "FEW_SPARES" not in codes(planned(pools=[pool(200, "auto")], workloads=[{**JOB, "gpus": 1600}]))


def test_the_example_says_nothing_of_jobs_and_storage() -> None:
    assert {"jobs", "storage"} & set(planned().as_json()) == set()


@pytest.fixture
def own_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab machine whose NIC rate nobody published, and a filesystem that sells throughput."""
    monkeypatch.setenv(catalog.OVERLAY, str(tmp_path))
    (tmp_path / "machines" / "lab").mkdir(parents=True)
    lines = (OWN / "machines" / "lab" / "rail8.yaml").read_text().splitlines()
    kept = [line for line in lines if not line.strip().startswith(("nic_gbps", "fabric_gbps"))]
    text = "\n".join(
        [*kept, "unpublished:", "  nic_gbps: nobody measured it", "  fabric_gbps: nobody measured it", ""]
    )
    (tmp_path / "machines" / "lab" / "quiet.yaml").write_text(text)
    (tmp_path / "filesystems" / "lab").mkdir(parents=True)
    moosefs = (OWN / "filesystems" / "lab" / "moosefs.yaml").read_text()
    steps = "facts:\n  steps: {value: [{mbytes_per_s_per_tib: 500, increment_tib: 0.5}], source: lab}\n"
    (tmp_path / "filesystems" / "lab" / "sold.yaml").write_text(moosefs.replace("facts:\n", steps))
    return tmp_path


def test_a_rate_that_nobody_published_is_declared_by_the_spec(own_catalogue: Path) -> None:
    made = planned(pools=[pool(4, 1, "lab/quiet")])
    assert made.pools[0].node_gbps == 0.8
    assert made.fabric.rail_gbps == pytest.approx(0.1)
    warned = {w.code: w for w in made.warnings}["RATE_DECLARED"]
    assert warned.path == f"{WHERE}.fabric.node_gbps"
    claims = {c.id: c for c in made.claims}
    for name in ("fabric.rail.0.bandwidth", "fabric.all_rails", "collective.all_reduce@4"):
        reach = claims[name].expectation
        assert reach is not None
        assert (reach.basis, reach.floor) == ("declared", None), name
        assert "nobody published it" in reach.derivation[-1]
    other = planned(pools=[pool(4, 1, "lab/quiet")], fabric={"rails": 8, "node_gbps": 1.6})
    assert other.fabric.rail_gbps == pytest.approx(0.2)


def test_a_payload_that_nobody_published_proves_nothing(own_catalogue: Path) -> None:
    file = own_catalogue / "machines" / "lab" / "quiet.yaml"
    text = file.read_text().replace("  payload_fraction: {value: 0.9927, source: wire}\n", "")
    wire = text[text.index("  wire:") : text.index("facts:")]
    file.write_text(text.replace(wire, "") + "  payload_fraction: nobody measured it\n")
    reach = {c.id: c for c in planned(pools=[pool(4, 1, "lab/quiet")]).claims}[
        "fabric.rail.0.bandwidth"
    ].expectation
    assert reach is not None
    assert (reach.basis, reach.floor, reach.expected) == ("none", None, None)
    assert "payload_fraction" in reach.derivation[0]


def sold(**changed: Any) -> list[dict[str, Any]]:
    return [{"name": "scratch", "mount": "/scratch", "offer": "lab/sold", "capacity_tib": 1, **changed}]


def test_storage_of_a_plan(own_catalogue: Path) -> None:
    made = planned(filesystems=sold(), workloads=[JOB])
    (one,) = made.storage
    assert one.rates.read_gbytes_per_s == pytest.approx(0.5)
    assert (one.checkpoint_gbytes, one.checkpoint_write_s) == (912, pytest.approx(1824))
    assert made.jobs[0].job.checkpoint_write_s == pytest.approx(1824)
    assert "STORAGE_RATE_ASSUMED" not in codes(made)
    assert made.as_json()["storage"][0]["rates"]["write_gbytes_per_s"] == pytest.approx(0.5)


def test_sizes_of_an_offer_are_its_steps(own_catalogue: Path) -> None:
    with pytest.raises(SpecError, match=r"steps of 0\.5 TiB") as refused:
        planned(filesystems=sold(capacity_tib=0.8))
    assert refused.value.path == f"{WHERE}.filesystems[0].capacity_tib"
    assert refused.value.allowed == "0.501 or 1.001 TiB"
    with pytest.raises(SpecError, match="not sold at 300") as unsold:
        planned(filesystems=sold(mbytes_per_s_per_tib=300))
    assert unsold.value.path == f"{WHERE}.filesystems[0].mbytes_per_s_per_tib"
    assert unsold.value.allowed == [500]


def test_plan_for_people(own_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = EXAMPLE.read_text().replace(
        "offer: lab/moosefs, capacity_tib: 0.01", "offer: lab/sold, capacity_tib: 1"
    )
    file = tmp_path_factory.mktemp("stack") / "Pulumi.x.yaml"
    file.write_text(
        text + "    workloads:\n      - {kind: pretraining, gpus: 32, days: 75, checkpoint_gbytes: 912}\n"
    )
    app = typer.Typer()
    plan_commands.register(app)
    app.callback()(lambda: None)
    done = CliRunner().invoke(app, ["plan", "--spec", str(file)], env={"COLUMNS": "220"})
    assert done.exit_code == 0, done.output
    for words in ("Long jobs", "Storage", "912 GB", "1824 s", "pretraining [0]", "1.1 (0.7 to 2.0)"):
        assert words in done.stdout, words
