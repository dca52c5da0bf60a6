"""Which reports the journal names as evidence: of what was done to nodes, and not of every validation."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.operate.test_fallen import accepted, culprit, drift, found
from tests.unit.operate.world import World

from railbed import operate, validate
from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.operate import cited_reports, fallen, repair

NAMES = ["20261201T033000.000Z", "20261202T033000.000Z"]


@pytest.fixture
def journal(work: Workspace) -> Journal:
    return Journal(work.journal_file)


@pytest.mark.parametrize(
    "kind", ["repair-validated", "settle-failed", "settle-returned", "drift-hold", "rma", "upgrade-done"]
)
def test_what_was_done_to_a_node_names_its_evidence(work: Workspace, journal: Journal, kind: str) -> None:
    journal.write(kind, node="h100-0", report=str(work.reports / NAMES[0]))
    assert cited_reports(work) == {NAMES[0]: f"the journal names it as evidence ({kind})"}


def test_no_other_entry_does(work: Workspace, journal: Journal) -> None:
    assert cited_reports(work) == {}, "there is no journal"
    journal.write("validated", node="h100-0", report=str(work.reports / NAMES[0]))
    journal.write("settle-failed", node="h100-0", reason="silent", report="")
    journal.write("repair-failed", node="h100-0", error={"report": str(work.reports / NAMES[0])})
    journal.write("break-glass", node="h100-0", reason=f'its "report": "{NAMES[0]}"')
    journal.write("repair-validated", node="h100-0", report=7)
    assert cited_reports(work) == {}


def test_the_newest_entry_says_why_and_a_cut_line_nothing(work: Workspace, journal: Journal) -> None:
    for kind, name in (
        ("settle-failed", NAMES[0]),
        ("repair-validated", NAMES[0]),
        ("settle-failed", NAMES[1]),
    ):
        journal.write(kind, node="h100-0", report=f"reports/{name}")
    with work.journal_file.open("a") as cut:
        cut.write('{"at": "now", "event": "rma", "report": "reports/2027')
    said = cited_reports(work)
    assert list(said) == [NAMES[1], NAMES[0]] and said[NAMES[0]].endswith("(repair-validated)")


def write_journal(work: Workspace, world: World, patch: pytest.MonkeyPatch) -> None:
    """Each validation from now on has a report of its own name."""
    made = world.validate

    def named(*words: object, **options: object) -> validate.Report:
        report = made(*words, **options)  # type: ignore[arg-type]
        return report.model_copy(update={"report_dir": str(work.reports / f"run-{len(world.order)}")})

    patch.setattr(validate, "run", named)


def test_a_repair_and_an_upgrade_cite_each_validation_that_decided(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journal(work, world, monkeypatch)
    repair.repair(contract, work, "h100-1", lambda _: None)
    assert [Path(one).name for one in cited_reports(work)] == [f"run-{len(world.order)}"]
    world.wrong = {"h100-2": Verdict.FAIL}
    planned = operate.PlannedUpgrade(
        release=contract.software.release, controllers=[], waves=[["h100-3"], ["h100-2"]], jobs={}, drained={}
    )
    operate.upgrade(contract, work, planned, lambda _: None, wait_s=60.0)
    runs = {f"run-{place}" for place, (what, _) in enumerate(world.order, 1) if what == "validate"}
    assert set(cited_reports(work)) == runs and len(runs) == 3


def test_drift_cites_its_report_where_it_holds_a_node(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallen, "Scheduler", lambda _: world)
    work.accepted.write(accepted(contract))
    fell = found([drift()], [culprit()])
    assert fallen.hold(work, contract, fell.model_copy(update={"report": f"reports/{NAMES[0]}"})).reserved
    assert list(cited_reports(work)) == [NAMES[0]]
    more = found([drift(node="h100-0")], [culprit("h100-0")]).model_copy(update={"report": NAMES[1]})
    assert fallen.hold(work, contract, more).beyond_limit == ["h100-0"]
    assert list(cited_reports(work)) == [NAMES[0]], "nobody was held for it"
