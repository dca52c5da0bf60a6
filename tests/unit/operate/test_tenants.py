"""The scheduler's accounts of a stack: read from what Slurm 22.05 printed, changed by its words, held back by jobs.

`sacctmgr-22.05.txt` is what slurmdbd 22.05.8 of a lab printed, after railbed's own commands had made what `ACME` and `LAB2`
declare, and another cluster had been given account lab2; the lab's own cluster is called test here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import FakeRemote, contract, make_node

from railbed.contract import Contract, Tenancy, Tenant
from railbed.effects.accounts import BETWEEN, SlurmAccounts
from railbed.effects.scheduler import Scheduler
from railbed.errors import CommandError, UsageError
from railbed.operate import tenants
from railbed.run import Result

__all__ = ["contract"]
PRINTED = (Path(__file__).parents[1] / "parse/data/sacctmgr-22.05.txt").read_text()


def tenant(name: str, members: list[str], **more: Any) -> Tenant:
    fields: dict[str, Any] = {
        "gid": 70_001, "directory_group": "", "share": 1, "priority": 0, "gpus": None, "gpus_per_user": None,
        "gpu_minutes": None, "job_minutes": None, "pools": [], "project": None,
    }  # fmt: skip
    return Tenant(name=name, members=members, **{**fields, **more})


def tenancy(*those: Tenant) -> Tenancy:
    return Tenancy(users={}, tenants=list(those), user_ca=[])


ACME = tenant(
    "acme",
    ["alice", "ada"],
    share=60,
    priority=10,
    gpus=6,
    gpus_per_user=4,
    gpu_minutes=6000,
    job_minutes=1440,
)
LAB2 = tenant("lab2", ["alice", "bob"])


class Slurm:
    """Answers as the controller did; remembers what was to be changed."""

    def __init__(self, of: Contract) -> None:
        self.squeue = "7|acme|alice|RUNNING\n8_1|lab2|bob|PENDING\n9|root|root|RUNNING\n"
        self.groups = {"hpc": "hpc:*:5000:eve,bob\n"}
        self.printed, self.fails = PRINTED, ""
        self.changed: list[str] = []
        self.remote = FakeRemote(
            of.model_copy(update={"admins": {"ada": "ssh-ed25519 AAAA ada"}}), self.answer
        )
        self.accounts = SlurmAccounts(Scheduler(self.remote))  # type: ignore[arg-type]

    def answer(self, _: str, line: str) -> Result:
        if BETWEEN in line:
            return Result((), 0, self.printed, "")
        if line.startswith("squeue"):
            return Result((), 0, self.squeue, "")
        if line.startswith("getent group"):
            found = self.groups.get(line.split()[-1], "")
            return Result((), 0 if found else 2, found, "")
        if line.startswith("getent passwd"):
            known = [name for name in line.split()[3:] if name != "nobodyknows"]
            return Result((), 0 if known else 2, "".join(f"{n}:x:1:1::/:/bin/sh\n" for n in known), "")
        if self.fails and self.fails in line:
            return Result((), 1, "", "sacctmgr: error: slurmdbd: Connection refused")
        self.changed.append(line)
        return Result((), 0, "", "")

    def look(self, *those: Tenant) -> tenants.Look:
        return tenants.look(self.remote.contract, self.accounts, tenancy(*those) if those else None)


@pytest.fixture
def slurm(contract: Contract) -> Slurm:
    return Slurm(contract)


def test_what_slurm_printed_is_what_was_declared(slurm: Slurm) -> None:
    seen = slurm.look(ACME, LAB2)
    assert seen.changes == [] and seen.notes == []
    acme = seen.present.accounts["acme"]
    assert (acme.share, acme.gpus, acme.members) == (60, 6, frozenset({"ada", "alice"}))
    assert seen.present.qualities["acme"].wall_minutes == 1440
    assert seen.present.foreign_members == {("root", "root")}


def test_accounts_go_whole_but_for_those_that_another_cluster_has(slurm: Slurm) -> None:
    """Slurm keeps an account that was taken from its last cluster; seen in the lab, where the last tenant had left."""
    slurm.squeue = ""
    for change in slurm.look().changes:
        slurm.accounts.make(change)
    went = [line.partition("remove account where ")[2] for line in slurm.changed if "remove account" in line]
    assert went == ["name=lab2 cluster=test", "name=acme", "name=operators"]
    slurm.printed = PRINTED.replace("test|acme|", "gone|acme|").replace(
        "lab2|lab2|railbed", "lab2|lab2|railbed\nold|old|railbed"
    )
    assert [c.as_text() for c in slurm.look(LAB2).changes if "account" in c.as_text()] == [
        "remove-account old"
    ]


def test_a_limit_that_goes_is_taken_away_by_slurms_own_word(slurm: Slurm) -> None:
    seen = slurm.look(ACME.model_copy(update={"gpu_minutes": None, "gpus": 8}), LAB2)
    for change in seen.changes:
        slurm.accounts.make(change)
    quality, account = slurm.changed
    assert "modify qos where name=acme set Priority=10" in quality and "GrpTRESMins=gres/gpu=-1" in quality
    assert "modify account where name=acme cluster=test set" in account and "GrpTRES=gres/gpu=8" in account


def test_a_tenant_with_jobs_is_kept_and_they_are_named(slurm: Slurm) -> None:
    seen = slurm.look(LAB2)
    with pytest.raises(UsageError) as caught:
        tenants.require_free(seen)
    assert (caught.value.code, caught.value.found) == ("TENANT_JOBS", ["7"])
    slurm.squeue = ""
    tenants.require_free(slurm.look(LAB2))


def test_a_member_with_jobs_is_kept_too(slurm: Slurm) -> None:
    with pytest.raises(UsageError, match="bob of lab2"):
        tenants.require_free(slurm.look(ACME, tenant("lab2", ["alice"])))


def test_a_directory_that_does_not_tell_keeps_its_members(slurm: Slurm) -> None:
    group = tenant("lab2", ["alice"], directory_group="hpc")
    assert {c.user for c in slurm.look(ACME, group).changes} == {"eve"}
    slurm.groups = {}
    seen = slurm.look(ACME, group)
    assert seen.changes == [] and "does not find group hpc" in seen.notes[0]


def test_nobody_is_added_whom_the_controller_does_not_know(slurm: Slurm) -> None:
    seen = slurm.look(ACME, tenant("lab2", ["alice", "bob", "nobodyknows"]))
    assert seen.changes == [] and "nobodyknows; not added" in seen.notes[0]


def test_half_changed_is_said_with_what_to_do(slurm: Slurm) -> None:
    slurm.fails = "remove qos"
    with pytest.raises(CommandError) as caught:
        for change in slurm.look().changes:
            slurm.accounts.make(change)
    assert caught.value.code == "TENANT_HALF" and "remove-qos" in caught.value.message
    assert len(slurm.changed) == 8, "five members, and three accounts"


@pytest.mark.parametrize(
    "text", ["", "normal|x\n", PRINTED.replace("60|", "60|x|", 1), PRINTED.replace("1-00:00:00", "soon")]
)
def test_what_nobody_can_read_changes_nothing(slurm: Slurm, text: str) -> None:
    slurm.printed = text
    with pytest.raises(CommandError, match="sacctmgr"):
        slurm.look(ACME)


def test_railbeds_own_login_is_an_operator(contract: Contract) -> None:
    controller = make_node("ctl0", "controller", 10)
    other = controller.model_copy(update={"ssh": controller.ssh.model_copy(update={"user": "railbed"})})
    of = contract.model_copy(update={"nodes": [other, *contract.nodes[1:]]})
    slurm = Slurm(of)
    seen = slurm.look(ACME, LAB2)
    assert seen.declared.accounts["operators"].members == {"ada", "railbed"}
