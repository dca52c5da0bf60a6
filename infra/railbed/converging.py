"""A converge works from the contract, `up` from the stack file: what the file says and the cluster does not have yet is named."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from railbed import configure, plan, spec
from railbed.claims import FrozenModel
from railbed.contract import Contract
from railbed.effects import contract_store, lock
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.operate import tenants
from railbed.platforms import tenancy


def converge(
    work: Workspace, *, limit: str | None, check: bool, on_event: configure.OnEvent | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[configure.ConvergeResult, Unapplied]:  # fmt: skip
    """Runs the roles as the contract says; also gives what the stack file says otherwise.

    Raises UsageError ``ADMINS_NOT_APPLIED`` where that would leave people root who were taken off the file; with ``check``
    nothing is written, so nothing is refused.
    """
    contract = contract_store.load(work)
    pending = find(work, contract)
    if not check:
        require_admins(pending, work.stack)
    with lock.acquire(work.dir / "lock", f"stack {work.stack} (converge)"):
        result = configure.converge(contract, work, limit=limit, check=check, on_event=on_event)
        # Accounts are the cluster's and no node's: a run on some nodes leaves them alone.
        if not (check or limit) and tenants.concern(contract, work) and not result.broken:
            tenants.reconcile(contract, work, say)
        return result, pending


class Unapplied(FrozenModel):
    """The stack file against the contract."""

    stack_file: str
    differs: bool = False
    """True where the contract was made from another spec."""
    admins_removed: list[str] = Field(default_factory=list)
    """Logins that the contract still has, and that the file has not, or has with another key."""
    admins_added: list[str] = Field(default_factory=list)
    release: str = ""
    """The software release that the file asks for, where it is another one."""
    people: bool = False
    """Whether users or tenants are others."""
    unknown: str = ""
    """Why the two were not compared."""

    def as_text(self) -> str:
        """A note to the operator; empty where there is none."""
        if self.unknown:
            return f"{self.stack_file} was not compared with the contract: {self.unknown}"
        if not self.differs:
            return ""
        parts = [f"admins removed: {', '.join(self.admins_removed)}"] if self.admins_removed else []
        parts += [f"admins added: {', '.join(self.admins_added)}"] if self.admins_added else []
        parts += ["users or tenants"] if self.people else []
        parts += [f"release {self.release}"] if self.release else []
        named = f" ({'; '.join(parts)})" if parts else ""
        return f"{self.stack_file} has changes that no `railbed up` has applied yet{named}; this run does not apply them"


def find(work: Workspace, contract: Contract) -> Unapplied:
    """Compares the two. A file that is missing or does not hold leaves it unknown."""
    name = work.stack_file.name
    if not work.stack_file.exists():
        return Unapplied(stack_file=name, unknown="it is not there")
    try:
        wanted = spec.load(work.stack_file)
        # Planned only where somebody is named: a plan may refuse what an earlier railbed made.
        named = bool(wanted.users or wanted.tenants or wanted.access.user_ca)
        people = (tenancy.of(plan.plan(wanted)) if named else None) != contract.tenancy
    except UsageError as wrong:
        return Unapplied(stack_file=name, unknown=wrong.message)
    same = spec.spec_hash(wanted) == contract.spec_hash
    if same and not people:
        return Unapplied(stack_file=name)
    admins, release = wanted.access.admins, wanted.software.release
    return Unapplied(
        stack_file=name, differs=True,
        admins_removed=sorted(login for login, key in contract.admins.items() if admins.get(login) != key),
        admins_added=sorted(admins.keys() - contract.admins.keys()),
        people=people, release=release if release != contract.software.release else "",
    )  # fmt: skip


def require_admins(found: Unapplied, stack: str) -> None:
    """Raises UsageError where a converge would leave people root whom the stack file no longer lists."""
    if found.admins_removed:
        raise UsageError(
            f"{found.stack_file} no longer lists {', '.join(found.admins_removed)} with the key that nodes have, and a converge "
            "would leave them root", code="ADMINS_NOT_APPLIED", path=f"{found.stack_file}:access.admins",
            found=found.admins_removed, allowed="the admins of the contract, or others besides",
            hint=f"`railbed up --stack {stack}` applies the file, and takes login, key and sudo away; nothing was changed",
        )  # fmt: skip
