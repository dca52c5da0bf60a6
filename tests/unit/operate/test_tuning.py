"""A search for settings over a model of Slurm, whose starts print what the lab's program prints: who is kept out, what is
rejected, what goes on after a kill, and that nothing on nodes is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import typer
from tests.support.slurm_model import Slurm
from typer.testing import CliRunner

from railbed.cli import tune_commands
from railbed.contract import Contract
from railbed.effects.journal import Journal
from railbed.effects.lab.standins.nccl_tests import options, report
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, RailbedError, UsageError
from railbed.judge import conditions
from railbed.judge.gains import Answer
from railbed.operate import tuning, tuning_run
from railbed.run import Result
from railbed.spec.tuning import TunedCollectives

GOOD, BAD = "NCCL_BUFFSIZE=8388608", "NCCL_NSOCKS_PERTHREAD=4"
NODES = ["h100-0", "h100-1", "h100-2"]


@dataclass
class Lab(Slurm):
    """Nodes whose rate depends on the settings in a start's environment."""

    effects: dict[str, float] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    hung: set[str] = field(default_factory=set)
    started: list[str] = field(default_factory=list)
    """Settings of each start."""
    other: list[list[str]] = field(default_factory=list)
    """What was run on nodes beside starts and readings."""
    ends_after: int = 10**9
    """Start at which the command is killed."""

    def each(self, names: Sequence[str], ask: Callable[[str], Any], _: int = 0) -> dict[str, Any]:
        return {name: ask(name) for name in names}

    def run(self, node: str, argv: Sequence[str], **given: Any) -> Result:
        words = list(argv)
        if words[0] == "timeout":
            return self._start(words)
        if words == list(conditions.COMMAND):
            return Result(tuple(argv), 1, "", "")
        if words[0] == "find":
            return Result(tuple(argv), 0, "", "")
        if words[0] not in ("scontrol", "squeue"):
            self.other.append(words)
        if words[:2] == ["scontrol", "create"] and self.running and "IGNORE_JOBS" not in str(words):
            return Result(tuple(argv), 1, "", "Error creating the reservation: Requested nodes are busy")
        return super().run(node, argv, **given)

    def _start(self, words: list[str]) -> Result:
        if len(self.started) >= self.ends_after:
            raise KeyboardInterrupt
        given = " ".join(w for w in words[: words.index("srun")] if "NCCL_" in w and "DEBUG" not in w)
        self.started.append(given)
        assert f"--reservation={tuning.RESERVATION}" in words and self.reserved[tuning.RESERVATION]
        if given in self.hung:
            return Result(tuple(words), 124, "", "")
        program = words[words.index("-b") - 1].rsplit("/", 1)[-1]
        args = options.arguments(words[words.index("-b") :], program)
        names = next(w for w in words if w.startswith("--nodelist=")).partition("=")[2].split(",")
        members = [{"node": name, "pid": 1} for name in names]
        op, wrong = program.removesuffix("_perf"), int(given in self.wrong)
        noise = 1 + 0.004 * ((len(self.started) * 7) % 5 - 2)
        half = {"time_us": 1e6 / (1 + self.effects.get(given, 0.0)) / noise, "wrong": wrong}
        row = {"size_bytes": args.minbytes, "count": args.minbytes // 4, "halves": [half, half]}
        text = [
            report.head(op, args, members, "2.16.3"),
            report.line(op, len(names), row),
            report.tail(op, wrong, [1.0]),
        ]
        return Result(tuple(words), wrong, "\n".join(text) + "\n", "")


@pytest.fixture
def lab(contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch) -> Lab:
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})
    work.ssh_config.parent.mkdir(parents=True)
    work.ssh_config.write_text("")
    model = Lab(contract)
    monkeypatch.setattr(tuning_run, "Remote", lambda *_: model)
    monkeypatch.setattr(tune_commands, "Remote", lambda *_: model)
    return model


def search(contract: Contract, work: Workspace, minutes: int = 60) -> tuning_run.Tuned:
    return tuning_run.run(contract, work, tuning.plan(contract, "all_reduce"), minutes, lambda _: None)


def test_the_space_of_the_transport_on_all_compute_nodes(contract: Contract) -> None:
    planned = tuning.plan(contract, "all_reduce")
    assert list(planned.nodes) == NODES and GOOD in planned.candidates
    assert planned.present["NCCL_IB_DISABLE"] == "1"
    assert planned.digest != tuning.plan(contract, "alltoall").digest


@pytest.mark.parametrize(
    ("collective", "nodes"), [("gather", []), ("all_reduce", ["h100-0"]), ("all_reduce", ["ctl0", "h100-0"])]
)
def test_what_cannot_be_searched_is_refused(contract: Contract, collective: str, nodes: list[str]) -> None:
    with pytest.raises(UsageError):
        tuning.plan(contract, collective, nodes)


def test_a_real_gain_is_confirmed_and_nothing_on_nodes_is_changed(
    contract: Contract, work: Workspace, lab: Lab
) -> None:
    lab.effects = {GOOD: 0.4}
    found = search(contract, work)
    assert found.complete and found.best == GOOD and found.settings == {"NCCL_BUFFSIZE": "8388608"}
    assert found.gain and found.gain.answer is Answer.GAIN and found.gain.low < 0.4 < found.gain.high
    assert len(lab.started) == tuning.plan(contract, "all_reduce").starts
    assert lab.started.count("") == len(lab.started) / 2, (
        "every start of a candidate has a baseline beside it"
    )
    assert lab.reserved == {} and lab.other == []
    assert [event["answer"] for event in Journal(work.journal_file).read() if event["event"] == "tuned"] == [
        "gain"
    ]


def test_where_nothing_helps_it_says_so(contract: Contract, work: Workspace, lab: Lab) -> None:
    found = search(contract, work)
    assert found.complete and found.gain and found.gain.answer is Answer.NONE


@pytest.mark.parametrize(("how", "why"), [("wrong", "wrong data"), ("hung", "")])
def test_wrong_data_and_a_hang_reject_a_candidate_however_fast(
    contract: Contract, work: Workspace, lab: Lab, how: str, why: str
) -> None:
    lab.effects = {BAD: 0.9, GOOD: 0.2}
    getattr(lab, how).add(BAD)
    found = search(contract, work)
    assert list(found.rejected) == [BAD] and why in found.rejected[BAD]
    assert found.best == GOOD and lab.reserved == {}
    assert lab.started.count(BAD) == (1 if how == "wrong" else tuning_run.TRIES)


def test_a_baseline_that_is_not_sound_ends_the_search(contract: Contract, work: Workspace, lab: Lab) -> None:
    lab.wrong = {""}
    with pytest.raises(RailbedError) as refused:
        search(contract, work)
    assert refused.value.code == "TUNE_BASELINE" and lab.reserved == {}


def test_users_jobs_are_named_and_nothing_starts(contract: Contract, work: Workspace, lab: Lab) -> None:
    lab.running = {"17": "h100-1"}
    with pytest.raises(UsageError) as refused:
        search(contract, work)
    assert refused.value.code == "TUNE_BUSY" and refused.value.found == ["h100-1: job 17 of ada"]
    assert lab.started == [] and lab.reserved == {}


@pytest.mark.parametrize("state", ["drained", "held", "new", "set aside"])
def test_nodes_that_are_not_proven_or_held_are_refused(
    contract: Contract, work: Workspace, lab: Lab, state: str
) -> None:
    if state == "drained":
        lab.reasons = {"h100-2": "fan"}
    elif state == "new":
        work.accepted.write({"h100-0": "id-h100-0", "h100-1": "id-h100-1"})
    else:
        lab.reserved = {"railbed-acceptance" if state == "held" else "long-run": ("h100-2",)}
    with pytest.raises(UsageError) as refused:
        search(contract, work)
    assert [line.split(":")[0] for line in refused.value.found] == ["h100-2"] and lab.started == []


def test_a_job_that_starts_meanwhile_wins(
    contract: Contract, work: Workspace, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "require_idle", lambda *_: lab.running.update({"18": "h100-0"}))
    with pytest.raises(CommandError, match="busy"):
        search(contract, work)
    assert lab.started == []


def test_a_search_that_was_killed_goes_on_and_a_new_one_begins_after_the_end(
    contract: Contract, work: Workspace, lab: Lab
) -> None:
    lab.effects, lab.ends_after = {GOOD: 0.2}, 13
    with pytest.raises(KeyboardInterrupt):
        search(contract, work)
    lab.ends_after, lab.reserved = 10**9, {tuning.RESERVATION: tuple(NODES)}  # as kill -9 leaves it
    found = search(contract, work)
    # Six whole pairs were written down; of the seventh one start is measured again.
    assert len(lab.started) == tuning.plan(contract, "all_reduce").starts + 1
    assert found.best == GOOD and lab.reserved == {}
    before = len(lab.started)
    search(contract, work)
    assert len(lab.started) == 2 * before - 1


def test_when_time_is_up_it_stops_between_pairs_and_says_that_it_is_not_over(
    contract: Contract, work: Workspace, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**6, 50))
    monkeypatch.setattr(tuning_run.time, "monotonic", lambda: next(clock))
    found = search(contract, work, minutes=5)
    assert not found.complete and found.gain is None and 0 < len(lab.started) < 10 and lab.reserved == {}
    assert not [event for event in Journal(work.journal_file).read() if event["event"] == "tuned"]


@pytest.fixture
def run(contract: Contract, work: Workspace, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(tune_commands, "workspace", lambda _: work)
    monkeypatch.setattr(tune_commands.contract_store, "load", lambda _: contract)
    app = typer.Typer()
    tune_commands.register(app)

    def call(*words: str, status: int = 0) -> Any:
        said = CliRunner().invoke(app, ["tune", "collectives", *words])
        if isinstance(said.exception, RailbedError):
            raise said.exception
        assert said.exit_code == status, said.output
        return json.loads(said.stdout) if "--json" in words else said.stdout

    return call


def test_without_yes_it_only_says_what_would_be_and_who_is_in_the_way(
    run: Callable[..., Any], lab: Lab
) -> None:
    lab.running = {"17": "h100-1"}
    said = run("--json")
    assert (
        said["obstacles"] == {"h100-1": "job 17 of ada"}
        and {"NCCL_BUFFSIZE": "8388608"} in said["candidates"]
    )
    assert "job 17 of ada" in run() and lab.started == [] and lab.reserved == {}


def test_the_command_shows_effect_and_interval(run: Callable[..., Any], lab: Lab) -> None:
    lab.effects = {GOOD: 0.4}
    said = run("--yes")
    assert GOOD in said and "gain: +" in said and "over 8 pairs" in said and "(simulated)" in said
    document = run("--yes", "--json")
    assert document["gain"]["answer"] == "gain" and document["complete"]


def test_a_gain_comes_with_the_entry_that_a_spec_takes(
    run: Callable[..., Any], lab: Lab, contract: Contract
) -> None:
    lab.effects = {GOOD: 0.4}
    entry = run("--yes", "--json")["entry"]
    assert "take it over" in run("--yes")
    assert entry["settings"] == {"NCCL_BUFFSIZE": "8388608"} and entry["pairs"] == 8
    assert entry["versions"]["nccl"] == contract.software.versions["nccl"]
    assert TunedCollectives.model_validate(entry).low_percent < 40 < entry["high_percent"]


def test_without_a_gain_there_is_nothing_to_take_over(run: Callable[..., Any], lab: Lab) -> None:
    assert run("--yes", "--json")["entry"] is None and "take it over" not in run("--yes")
