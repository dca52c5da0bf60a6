"""The whole stage without a cluster: when nothing answers, nothing passes and nothing is certified."""

import json
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Judged, Verdict, table
from railbed.claims.measurements import MEASUREMENTS
from railbed.contract import Contract
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, UnprovenError, UsageError
from railbed.run import Result
from railbed.validate import (
    answers,
    certificate,
    drift,
    exceptions,
    history,
    lapse,
    latest,
    run,
    stage,
    validation_run,
)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, fake_remote: Any) -> None:
    """A cluster of which no node answers."""
    remote = fake_remote(
        lambda node, line: Result((line,), 255, "", "ssh: connect to host: No route to host")
    )
    monkeypatch.setattr(stage, "Remote", lambda work, contract: remote)


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch, fake_remote: Any) -> None:
    """A stage whose only step finds everything well."""

    def step(one: validation_run.ValidationRun) -> None:
        one.answers.add(*(answers.judged(q, Verdict.PASS, "seen", measured=0.1) for q in one.scope.questions))

    monkeypatch.setattr(stage, "Remote", lambda work, contract: fake_remote(lambda *_: None))
    monkeypatch.setattr(stage, "STEPS", (("all", step),))


def test_a_silent_cluster_passes_nothing(contract: Contract, work: Workspace, silent: None) -> None:
    report = run(contract, work)
    assert report.verdict is not Verdict.PASS
    assert {(c.claim, c.node) for c in report.claims} == {
        (c.id, n) for c in contract.claims for n in ([""] if not c.roles else [
            node.name for node in contract.nodes if node.role in c.roles])
    }  # fmt: skip
    assert report.of(Verdict.PASS) == []
    assert not work.certificate_file.exists()
    assert not work.accepted.path.exists()
    assert report.certificate == ""


def test_the_report_is_on_disk_whatever_the_verdict(
    contract: Contract, work: Workspace, silent: None
) -> None:
    report = run(contract, work)
    folder = Path(report.report_dir)
    files = {"report.json", "junit.xml", "ctrf.json", "metrics.txt", "report.html", "evidence"}
    assert files <= {p.name for p in folder.iterdir()}
    assert [one.report for one in history.read(work)] == [folder.name]
    assert (work.reports / "latest").resolve() == folder
    assert latest(work) == report


def test_a_full_pass_is_certified_and_accepts_the_nodes(
    contract: Contract, work: Workspace, healthy: None
) -> None:
    report = run(contract, work)
    assert report.verdict is Verdict.PASS
    said = certificate.of_stack(work)
    assert len(said.claims) == len(report.claims)
    assert work.accepted.read() == {n.name: n.identity.value for n in contract.nodes}
    assert lapse(contract, work) == ""
    assert (Path(report.report_dir) / "certificate.json").read_bytes() == work.certificate_file.read_bytes()


@pytest.mark.parametrize("filters", [{"quick": True}, {"claim": "node.*"}, {"only": ["h100-1"]}])
def test_a_part_never_earns_or_replaces_a_certificate(
    contract: Contract, work: Workspace, healthy: None, filters: dict[str, Any]
) -> None:
    assert run(contract, work, **filters).verdict is Verdict.PASS
    assert not work.certificate_file.exists()
    run(contract, work)
    before = work.certificate_file.read_bytes()
    run(contract, work, **filters)
    assert work.certificate_file.read_bytes() == before
    assert lapse(contract, work) == ""


def test_one_node_that_passes_its_claims_is_accepted_alone(
    contract: Contract, work: Workspace, healthy: None
) -> None:
    run(contract, work, only=["h100-1"])
    assert work.accepted.read() == {"h100-1": "id-h100-1"}


def test_a_certificate_stands_for_its_contract_and_its_nodes_only(
    contract: Contract, work: Workspace, healthy: None
) -> None:
    run(contract, work)
    other = contract.model_copy(update={"name": "other"}).sealed()
    assert "another contract" in lapse(other, work)
    work.accepted.path.write_text(json.dumps({**work.accepted.read(), "h100-2": "someone else"}))
    assert lapse(contract, work) == "h100-2: never passed a full validation"


def test_a_later_full_run_that_fails_ends_a_certificate(
    contract: Contract, work: Workspace, healthy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(contract, work)

    def broken(one: validation_run.ValidationRun) -> None:
        one.answers.add(*(answers.judged(q, Verdict.FAIL, "broken") for q in one.scope.questions))

    monkeypatch.setattr(stage, "STEPS", (("all", broken),))
    report = run(contract, work)
    assert report.culprits
    assert work.certificate_file.exists()
    assert "did not pass" in lapse(contract, work)


def test_what_is_accepted_unproven_is_told_and_certified(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch, healthy: None
) -> None:
    def most(one: validation_run.ValidationRun) -> None:
        found = [answers.judged(q, Verdict.PASS, "seen") for q in one.scope.questions]
        one.answers.add(*(record for record in found if record.claim != "job.resume"))

    monkeypatch.setattr(stage, "STEPS", (("all", most),))
    assert run(contract, work).verdict is Verdict.UNPROVEN
    report = run(contract, work, accept={"job.resume": "the filesystem comes next week"})
    assert report.verdict is Verdict.PASS
    said = certificate.of_stack(work)
    assert said.accepted_unproven == {"job.resume": "the filesystem comes next week"}
    assert exceptions(contract, work) == said.accepted_unproven
    other = [claim for claim in contract.claims if claim.id != "job.resume"]
    assert exceptions(contract.model_copy(update={"claims": other}), work) == {}
    judged: dict[str, Judged] = {c.claim: c for c in report.claims}
    assert judged["job.resume"].verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("accept", [{"job.nothing": "why"}, {"job.resume": " "}, {"job.resume": "bell\x07"}])
def test_an_acceptance_needs_a_known_claim_and_a_reason(
    contract: Contract, work: Workspace, accept: dict[str, str]
) -> None:
    with pytest.raises(UsageError):
        run(contract, work, accept=accept)


def test_the_steps_are_journalled(contract: Contract, work: Workspace, silent: None) -> None:
    run(contract, work, quick=True)
    event = json.loads(work.journal_file.read_text().splitlines()[-1])
    assert (event["event"], event["quick"], event["verdict"]) == (
        "validated",
        True,
        str(latest(work).verdict),
    )


def test_an_expired_certificate_does_not_stand_and_says_what_to_run(
    contract: Contract, work: Workspace, healthy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding 8 (d): a certificate was for ever."""
    monkeypatch.setattr(stage, "now_iso", lambda: "2020-01-01T00:00:00+00:00")
    run(contract, work)
    assert "expired on 2020-03-31" in lapse(contract, work)
    assert "railbed validate" in lapse(contract, work)
    assert exceptions(contract, work) == {}
    with pytest.raises(UnprovenError, match="expired on 2020-03-31") as ended:
        drift(contract, work, quick=True, progress=lambda _: None)
    assert ended.value.code == "CERTIFICATE_EXPIRED"
    assert "railbed validate" in ended.value.hint


def test_drift_compares_with_the_certificate_and_leaves_it(
    contract: Contract, work: Workspace, healthy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(contract, work)
    before = work.certificate_file.read_bytes()
    same = drift(contract, work, quick=False, progress=lambda _: None)
    assert (same.verdict, same.drifted, same.compared) == (Verdict.PASS, [], len(latest(work).claims))

    def slower(one: validation_run.ValidationRun) -> None:
        one.answers.add(
            *(answers.judged(q, Verdict.PASS, "seen", measured=0.096) for q in one.scope.questions)
        )

    monkeypatch.setattr(stage, "STEPS", (("all", slower),))
    found = drift(contract, work, quick=False, progress=lambda _: None)
    assert found.verdict is Verdict.FAIL
    assert {one.kind for one in found.drifted} == {"slower"}
    assert "fabric.rail.0.bandwidth" in {one.claim for one in found.drifted}
    assert work.certificate_file.read_bytes() == before, "what drifts slowly is not certified bit by bit"


def test_a_certificate_of_another_contract_says_nothing_of_drift(
    contract: Contract, work: Workspace, healthy: None
) -> None:
    with pytest.raises(UnprovenError, match="no certificate"):
        drift(contract, work, quick=True, progress=lambda _: None)
    run(contract, work)
    other = contract.model_copy(update={"domain": "elsewhere.internal"}).sealed()
    with pytest.raises(UnprovenError) as old:
        drift(other, work, quick=True, progress=lambda _: None)
    assert old.value.code == "CERTIFICATE_OLD"


def test_a_step_that_breaks_off_leaves_its_claims_open_and_the_next_goes_on(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch, healthy: None
) -> None:
    def broken(_: validation_run.ValidationRun) -> None:
        raise CommandError("sbatch failed on ctl0: invalid partition")

    def rest(one: validation_run.ValidationRun) -> None:
        found = [answers.judged(q, Verdict.PASS, "seen") for q in one.scope.questions]
        one.answers.add(*(record for record in found if record.claim != "job.resume"))

    monkeypatch.setattr(stage, "STEPS", (("scheduler", lambda _: None), ("job", broken), ("rest", rest)))
    report = run(contract, work)
    open_claims = report.of(Verdict.UNPROVEN)
    assert [(c.claim, c.reason) for c in open_claims] == [
        ("job.resume", "job broke off: sbatch failed on ctl0: invalid partition")
    ]
    assert report.of(Verdict.FAIL) == []


def test_every_step_says_which_claims_are_its_own() -> None:
    assert list(dict.fromkeys(one.step for one in MEASUREMENTS)) == [name for name, _ in stage.STEPS]
    assert all(table.answered_in(name) for name, _ in stage.STEPS)
