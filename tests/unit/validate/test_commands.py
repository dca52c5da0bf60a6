"""Exit statuses and output of `railbed validate`, `report` and `certificate`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from railbed.certificate.identity import CLAIM, Identity
from railbed.claims import Culprit, Judged, Verdict
from railbed.cli import certificate_commands, node_commands, output, validate_commands, verdicts
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError
from railbed.run import Result
from railbed.validate import answers, run, stage


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    validate_commands.register(made)
    certificate_commands.register(made)
    node_commands.register(made)
    return made


@pytest.fixture
def checkout(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch, fake_remote: Any
) -> Workspace:
    """A checkout with a stack whose claims all get the verdict ``judge`` says."""
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "infra").mkdir()
    monkeypatch.chdir(tmp_path)
    work = Workspace(tmp_path, "test")
    work.dir.mkdir(parents=True)
    contract_store.write(work, contract)
    monkeypatch.setattr(stage, "Remote", lambda *_: fake_remote(lambda *_: None))
    judge_all(monkeypatch, Verdict.PASS)
    return work


def identified(one: Judged) -> Judged:
    seen = Identity(machine_id="0" * 32).model_dump(mode="json")
    return one if one.claim != CLAIM else one.model_copy(update={"detail": {"identity": seen}})


def judge_all(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    def step(validation: Any) -> None:
        found = [answers.judged(q, verdict, "seen", measured=0.1) for q in validation.scope.questions]
        validation.answers.add(*(identified(one) for one in found))

    monkeypatch.setattr(stage, "STEPS", (("all", step),))


def invoke(app: typer.Typer, *words: str) -> Any:
    return CliRunner().invoke(app, [*words, "--stack", "test"])


@pytest.mark.parametrize(("verdict", "status"), [(Verdict.PASS, 0), (Verdict.FAIL, 1), (Verdict.UNPROVEN, 3)])
def test_the_verdict_is_the_exit_status(
    app: typer.Typer, checkout: Workspace, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, status: int
) -> None:
    judge_all(monkeypatch, verdict)
    reply = invoke(app, "validate", "--json")
    assert reply.exit_code == status
    body = json.loads(reply.stdout)
    assert body["verdict"] == verdict.value
    assert bool(body["certificate"]) == (verdict is Verdict.PASS)
    again = invoke(app, "report", "--json")
    assert json.loads(again.stdout) == body


def test_accepting_needs_a_reason(app: typer.Typer, checkout: Workspace) -> None:
    for words in (["--accept-unproven", "job.resume"], ["--reason", "because"]):
        reply = invoke(app, "validate", *words)
        assert isinstance(reply.exception, UsageError)


def test_one_reason_may_serve_several_claims() -> None:
    assert validate_commands._accepting(["a", "b"], ["why"]) == {"a": "why", "b": "why"}
    assert validate_commands._accepting(["a", "b"], ["x", "y"]) == {"a": "x", "b": "y"}
    assert validate_commands._accepting([], []) == {}


def test_the_schema_of_a_report_needs_no_stack(app: typer.Typer) -> None:
    reply = invoke(app, "report", "--schema")
    assert reply.exit_code == 0
    assert json.loads(reply.stdout)["properties"]["schema"] == {
        "const": "railbed/report/v1", "description": "Version of this form.",
    }  # fmt: skip


def test_no_report_yet(app: typer.Typer, checkout: Workspace) -> None:
    reply = invoke(app, "report")
    assert isinstance(reply.exception, RailbedError)
    assert reply.exception.exit_status == 3


def test_the_certificate_that_stands(app: typer.Typer, checkout: Workspace, contract: Contract) -> None:
    reply = invoke(app, "certificate", "verify")
    assert isinstance(reply.exception, RailbedError)
    assert reply.exception.exit_status == 3
    run(contract, checkout)
    reply = invoke(app, "certificate", "verify", "--json")
    assert reply.exit_code == 0
    assert json.loads(reply.stdout)["pinned"] is True
    shown = invoke(app, "certificate", "show")
    assert shown.exit_code == 0
    assert "pinned: the key of stack test" in shown.stdout.replace("\n", " ")


def test_a_tampered_certificate_is_a_failure(
    app: typer.Typer, checkout: Workspace, contract: Contract
) -> None:
    run(contract, checkout)
    copy = checkout.root / "copy.json"
    copy.write_text(
        checkout.certificate_file.read_text().replace('"simulated": true', '"simulated": false', 1)
    )
    reply = invoke(app, "certificate", "verify", str(copy))
    assert isinstance(reply.exception, RailbedError)
    assert reply.exception.exit_status == 1


@pytest.fixture
def foreign(checkout: Workspace, contract: Contract, tmp_path: Path) -> Path:
    """The folder of a report that somebody certified with a key of his own."""
    work = Workspace(tmp_path / "elsewhere", "test")
    work.dir.mkdir(parents=True)
    return Path(run(contract, work).report_dir)


def test_a_certificate_of_ones_own_is_never_shown_as_anothers(
    app: typer.Typer, foreign: Path, checkout: Workspace
) -> None:
    """Finding 8 (b): it read like the cluster's, and JSON had no `pinned`."""
    file = str(foreign / "certificate.json")
    shown = invoke(app, "certificate", "show", file)
    assert shown.exit_code == 0
    assert "not pinned" in shown.stdout
    assert "anybody can make such a one" in shown.stdout
    body = json.loads(invoke(app, "certificate", "show", file, "--json").stdout)
    assert (body["pinned"], body["owner"], body["key"]) == (False, "", "railbed certificate test")
    assert body["fingerprint"].startswith("SHA256:")
    reply = invoke(app, "certificate", "verify", file, "--json")
    assert reply.exit_code == 3
    said = json.loads(reply.stdout)
    assert (said["valid"], said["pinned"]) == (None, False)
    key = str(Workspace(foreign.parents[3], "test").signing_key.with_suffix(".pub"))
    assert invoke(app, "certificate", "verify", file, "--key", key).exit_code == 0


def test_verify_looks_at_the_folder(app: typer.Typer, checkout: Workspace, contract: Contract) -> None:
    """Finding 8 (a): an edited report.json and its evidence verified."""
    folder = Path(run(contract, checkout).report_dir)
    assert invoke(app, "certificate", "verify").exit_code == 0
    report = folder / "report.json"
    whole = report.read_text()
    report.write_text(whole.replace('"measured": 0.1', '"measured": 400.0'))
    reply = invoke(app, "certificate", "verify", "--json")
    assert (reply.exit_code, json.loads(reply.stdout)["valid"]) == (1, False)
    report.write_text(whole)
    added = folder / "evidence" / "[" / "x] more.txt"
    added.parent.mkdir(parents=True)
    added.write_text("")
    reply = invoke(app, "certificate", "verify")
    assert reply.exit_code == 1
    assert "not valid" in reply.stdout
    assert "evidence/[/x] more.txt" in reply.stdout
    added.unlink()
    alone = shutil.copy(folder / "certificate.json", str(checkout.root / "alone.json"))
    assert invoke(app, "certificate", "verify", alone).exit_code == 3
    assert invoke(app, "certificate", "verify", alone, "--report", str(folder)).exit_code == 0


def test_words_in_square_brackets_are_words(
    app: typer.Typer, checkout: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding 8 (e): `[/x]` was a MarkupError."""

    def step(validation: Any) -> None:
        found = [
            identified(answers.judged(q, Verdict.PASS, "seen", measured="[/x]"))
            for q in validation.scope.questions
        ]
        validation.answers.add(*(one for one in found if one.claim != "job.resume"))

    monkeypatch.setattr(stage, "STEPS", (("all", step),))
    run(contract, checkout, accept={"job.resume": "[/x] ticket"})
    shown = invoke(app, "certificate", "show")
    assert shown.exit_code == 0
    assert "([/x] ticket)" in shown.stdout


def test_a_key_that_is_none_is_refused(
    app: typer.Typer, checkout: Workspace, foreign: Path, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes("ssh-ed25519".encode("utf-16"))
    reply = invoke(
        app, "certificate", "verify", str(foreign / "certificate.json"), "--key", str(tmp_path / "key")
    )
    assert isinstance(reply.exception, UsageError)


def test_the_table_groups_rails_by_node_and_keeps_what_failed_apart(
    checkout: Workspace, contract: Contract
) -> None:
    report = run(contract, checkout)
    lines = {(line.title, line.where): line for line in verdicts.lines(report)}
    assert ("fabric.rail.*.bandwidth", "h100-0") in lines
    assert ("node.gpus", "4 nodes") in lines
    broken = [
        c.model_copy(update={"verdict": Verdict.FAIL, "reason": "lost"}) if (c.claim, c.node) == ("node.gpus", "h100-2") else c
        for c in report.claims
    ]  # fmt: skip
    worse = report.model_copy(update={"claims": broken, "verdict": Verdict.FAIL})
    lines = {(line.title, line.where): line for line in verdicts.lines(worse)}
    assert lines["node.gpus", "h100-2"].note == "lost"
    assert lines["node.gpus", "3 nodes"].verdict is Verdict.PASS


def test_next_commands_lead_to_the_culprit(checkout: Workspace, contract: Contract) -> None:
    report = run(contract, checkout)
    assert verdicts.next_commands(report)[0] == "railbed certificate verify --stack test"
    failed: list[Judged] = [c.model_copy(update={"verdict": Verdict.UNPROVEN}) for c in report.claims]
    stuck = report.model_copy(update={"claims": failed, "verdict": Verdict.UNPROVEN})
    assert verdicts.next_commands(stuck)[0] == "railbed validate --claim 'node.gpus' --stack test"


def test_runbooks_are_those_of_what_is_to_blame(checkout: Workspace, contract: Contract) -> None:
    report = run(contract, checkout)
    assert verdicts.runbooks(report) == []
    bad = {"node.gpus", "fabric.rail.0.bandwidth"}
    failed = [c.model_copy(update={"verdict": Verdict.FAIL}) if c.claim in bad else c for c in report.claims]
    worse = report.model_copy(update={"claims": failed, "verdict": Verdict.FAIL})
    assert set(verdicts.runbooks(worse)) == {"docs/runbooks/gpu.md", "docs/runbooks/rails.md"}
    blamed = Culprit(node="h100-2", part="gpu 5", claims=["node.gpus"], confidence=0.9)
    named = worse.model_copy(update={"culprits": [blamed]})
    assert verdicts.runbooks(named) == ["docs/runbooks/gpu.md"]
    open_ones = [c.model_copy(update={"verdict": Verdict.UNPROVEN}) for c in report.claims]
    stuck = report.model_copy(update={"claims": open_ones, "verdict": Verdict.UNPROVEN})
    assert 1 < len(verdicts.runbooks(stuck)) <= verdicts.SHOWN_RUNBOOKS


def test_the_whole_report_prints(
    checkout: Workspace,
    contract: Contract,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge_all(monkeypatch, Verdict.FAIL)
    report = run(contract, checkout)
    with output.out.capture() as captured:
        verdicts.show(report)
    assert "to blame" in captured.get() and "docs/runbooks/" in captured.get()


REASON = "x [/bold] y [railbed:healthcheck] :smile: [red]z"


@pytest.mark.parametrize("reason", [REASON, f"\x1b[2J\x1b]52;c;aGk=\x07{REASON}"])
def test_a_reason_is_shown_as_it_is_in_every_table(
    app: typer.Typer, checkout: Workspace, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def step(validation: Any) -> None:
        validation.answers.add(
            *(answers.judged(q, Verdict.FAIL, reason, measured=reason) for q in validation.scope.questions)
        )

    for console in (output.out, output.err):
        monkeypatch.setattr(console, "_width", 400)
    monkeypatch.setattr(stage, "STEPS", (("all", step),))
    for words in (["validate"], ["report"], ["report", "--json"]):
        reply = invoke(app, *words)
        assert reply.exit_code == (1 if words == ["validate"] else 0), reply.exception
        assert REASON in reply.stdout
        assert "\x1b" not in reply.output
        assert "\\u001b" not in reply.output
    folder = Path(json.loads(reply.stdout)["report"])
    for name in ("report.json", "junit.xml", "report.html"):
        assert "[/bold] y [railbed:healthcheck]" in (folder / name).read_text()


def test_a_drained_node_s_reason_is_shown_as_it_is(
    app: typer.Typer,
    checkout: Workspace,
    contract: Contract,
    monkeypatch: pytest.MonkeyPatch,
    fake_remote: Any,
) -> None:
    lines = [
        f"NodeName={n.name} Gres=gpu:8 State=IDLE+DRAIN Partitions=batch Reason=\x1b[2J{REASON} [root@2026-11-24T08:00:00]"
        for n in contract.nodes
    ]

    def answer(_: str, line: str) -> Result:
        return Result((), 0, "\n".join(lines) if "show node" in line else "", "")

    monkeypatch.setattr(node_commands, "Remote", lambda *_: fake_remote(answer))
    for console in (output.out, output.err):
        monkeypatch.setattr(console, "_width", 400)
    for words in (["node", "list"], ["node", "show", "h100-1"]):
        reply = invoke(app, *words)
        assert reply.exit_code == 0, reply.exception
        assert REASON in reply.stdout
        assert "\x1b" not in reply.output
