"""What a destroy would take away is said before it acts; while jobs run it needs the operator's word for that too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support import kube_objects
from tests.unit.validate.conftest import contract

from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, UsageError
from railbed.operate import losses
from railbed.parse.slurm import Job
from railbed.run import Result

__all__ = ["contract"]
JOBS = "245|ada|RUNNING|h100-[0-1]||train\n246|bob|PENDING|||next\n244|eve|COMPLETING|h100-2||done\n"
DF = "     Used Mounted on\n2147483648 /scratch\n"
"""As GNU coreutils 9.1 prints it."""


@pytest.fixture
def work(tmp_path: Path, contract: Contract) -> Workspace:
    made = Workspace(tmp_path, "test")
    made.dir.mkdir(parents=True)
    contract_store.write(made, contract)
    return made


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Result]:
    """Program → what it prints on any node."""
    given = {"squeue": Result((), 0, JOBS, ""), "df": Result((), 0, DF, "")}

    def run(self: Remote, node: str, command: list[str], *, check: bool = True, **more: Any) -> Result:
        answer = given[command[0]]
        if check and not answer.ok:
            raise CommandError(f"`ssh {node}` ended with {answer.returncode}:\n{answer.tail()}")
        return answer

    monkeypatch.setattr(Remote, "run", run)
    return given


def test_running_jobs_and_data_are_named(
    work: Workspace, answers: dict[str, Result], contract: Contract
) -> None:
    found = losses.find(work, [])
    assert found.jobs == ["245 of ada on h100-0, h100-1"]
    assert (found.waiting, found.jobs_unknown) == (1, "")
    assert [(one.mount, one.used_gib, one.kept) for one in found.filesystems] == [("/scratch", 2.0, False)]
    name = contract.filesystems[0].name
    assert found.lines()[:2] == [
        "running jobs: 245 of ada on h100-0, h100-1; 1 wait",
        f"filesystem {name} (/scratch): df shows 2 GiB used; its data goes",
    ]
    assert "it stays" in losses.find(work, [name]).lines()[1]
    assert all(node.name in found.lines()[-1] for node in contract.nodes)


def test_a_destroy_is_refused_while_jobs_run(work: Workspace, answers: dict[str, Result]) -> None:
    with pytest.raises(UsageError) as refused:
        losses.refuse_jobs(losses.find(work, []), "test")
    assert (refused.value.code, refused.value.found) == ("JOBS_RUNNING", ["245 of ada on h100-0, h100-1"])
    assert "--end-jobs" in refused.value.hint


@pytest.mark.parametrize("said", ["", "246|bob|PENDING|||next\n", "244|eve|COMPLETING|h100-2||done\n"])
def test_jobs_that_wait_or_have_ended_hold_nobody_up(
    work: Workspace, answers: dict[str, Result], said: str
) -> None:
    answers["squeue"] = Result((), 0, said, "")
    found = losses.find(work, [])
    losses.refuse_jobs(found, "test")
    assert found.lines()[0].startswith("running jobs: none")


def test_a_scheduler_that_does_not_answer_is_not_known_and_no_refusal(
    work: Workspace, answers: dict[str, Result]
) -> None:
    answers["squeue"] = Result((), 124, "", "stopped after 10 s")
    found = losses.find(work, [])
    losses.refuse_jobs(found, "test")
    assert (
        found.lines()[0]
        == "running jobs: not known (the scheduler does not answer: squeue on ctl0 did not end within 10 s)"
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Result((), 124, "", "stopped after 10 s"), "does not answer"),
        (Result((), 0, "     Used Mounted on\n2147483648 /\n", ""), "does not mount it"),
        (Result((), 0, "", ""), "does not answer"),
    ],
)
def test_what_a_filesystem_holds_may_be_unknown(
    work: Workspace, answers: dict[str, Result], answer: Result, why: str
) -> None:
    answers["df"] = answer
    (one,) = losses.find(work, []).filesystems
    assert one.used_gib is None
    assert why in one.unknown
    assert "not known what it holds" in losses.find(work, []).lines()[1]


def test_without_a_scheduler_nobody_knows_who_uses_a_host(
    work: Workspace, answers: dict[str, Result], contract: Contract
) -> None:
    hosts = contract.model_copy(update={"scheduler": "none"}).sealed()
    contract_store.write(work, hosts)
    assert "not known (the stack has no scheduler" in losses.find(work, []).lines()[0]


def test_a_stack_that_never_came_up_has_nothing_to_lose(work: Workspace) -> None:
    work.contract_file.unlink()
    assert losses.find(work, []) == losses.Losses()


def test_a_contract_that_was_cut_short_leaves_jobs_unknown(work: Workspace) -> None:
    work.contract_file.write_text("{")
    assert losses.find(work, []).jobs_unknown


def test_a_kubernetes_cluster_keeps_its_nodes_and_jobs(
    work: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kube_objects.stack(contract, "~/kubeconfig", "site", ["gpu-a"])
    contract_store.write(work, made)
    job = Job(id="team-a/train", user="team-a", name="train", state="RUNNING", nodes=("h100-0",))
    monkeypatch.setattr(KubernetesScheduler, "jobs", lambda _: [job])
    monkeypatch.setattr(apis, "opened", lambda *_: None)
    found = losses.find(work, [], ["team-a"])
    text = "\n".join(found.lines())
    assert "jobs go on" in text and "h100-0: they stay" in text and "disks" not in text
    assert "tenants team-a: quotas, network policies, roles and role bindings go" in text
    assert "namespace railbed-pretrain goes" in text
    with pytest.raises(UsageError, match="network policies") as refused:
        losses.refuse_jobs(found, "test")
    assert refused.value.code == "JOBS_RUNNING" and "they go on" in refused.value.hint
    assert "nodes away" not in refused.value.message
