"""Platforms: Pulumi resources from a plan, and a contract out of them. Each kind is a package with the same files.

Imports effects, the contract, the plan and what is below; importing one kind imports no other. A platform's program does not look
for the checkout: it is given a ``Site``.
"""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from railbed.contract import MacError
from railbed.effects import contract_store, secrets
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError, Unsupported
from railbed.plan import hosts
from railbed.platforms import repositories, tools
from railbed.platforms.cloud.scale_in import NodeToRemove
from railbed.platforms.findings import Finding
from railbed.platforms.site import Site
from railbed.spec.platforms import KINDS

if TYPE_CHECKING:
    import pulumi

    from railbed.plan import ClusterPlan, PlannedPool
    from railbed.platforms.lab.bake import Baking
    from railbed.platforms.packer.recipe import Source

LOCAL, METAL = "lab", "metal"
"""The platform that is this machine itself."""
SINGLE = ("lab", "metal")
"""Platforms with resource types of railbed's own (``resources.py``), one for each node: the engine ends exactly those that
left the plan."""
THERE = ("kubernetes",)
"""Platforms whose nodes are there before the stack: those of the contract are the stack's, whatever they report today."""
REPLACED = ("aws", "gcp", "azure", "oci", "alicloud", "volcengine", "openstack")
"""Platforms whose groups give another instance for one that was ended."""
RENEWED = ("aws",)
"""Platforms whose groups count a terminated instance until it is reported to them."""
Say = Callable[[str], None]


def _part(kind: str, part: str) -> Any:
    if kind not in KINDS:
        raise Unsupported(kind, "building a cluster", f"this release builds on: {', '.join(KINDS)}")
    return importlib.import_module(f"railbed.platforms.{kind}.{part}")


def build(plan: ClusterPlan, work: Workspace) -> pulumi.Output[Any]:
    """Declares the plan's resources on its platform; the output is the contract as JSON data, with the stack's MAC.

    A preview fetches no packages and no wheels. A run fetches them unless `fetch` has: a plain ``pulumi up`` comes here first.
    """
    import pulumi

    from railbed.platforms.cloud.engine_errors import without_traceback

    site = site_of(plan.platform, work)
    listed = repositories.previewed if pulumi.runtime.is_dry_run() else repositories.of
    # Before anything is made: without their keys no node could install anything.
    sources = listed(plan, work.published_keys, pulumi.log.info)
    site = replace(site, sources=tuple(sources))
    output: pulumi.Output[Any] = _part(plan.platform, "platform").build(plan, site)
    return output.apply(without_traceback(lambda body: contract_store.authenticated(site.work, body)))


def site_of(kind: str, work: Workspace) -> Site:
    """What the program of a platform of that kind is given. A contract that does not hold counts as none.

    Raises MacError for one that was not made with the stack's key: names and host keys would silently be others.
    """
    if kind in SINGLE:
        return Site(work)
    allowed = work.new_host_keys_file.read_text().split() if work.new_host_keys_file.exists() else []
    try:
        return Site(work, contract_store.load(work), frozenset(allowed))
    except MacError:
        raise
    except ContractError:
        return Site(work)


def shared(work: Workspace) -> pulumi.Output[Any]:
    """The stack's secrets, which the engine keeps encrypted in its state, so that a team's operators have the same."""
    import pulumi

    return pulumi.Output.secret(secrets.shared(work))


def examine(plan: ClusterPlan, count: int | None = None) -> list[Finding]:
    """What this machine needs to build the plan (for a lab: all of its hosts, or ``count``); changes nothing."""
    if plan.platform == LOCAL:
        wanted = len(hosts(plan)) if count is None else count
        found: list[Finding] = _part(LOCAL, "doctor").examine(wanted, machines=plan.hosts == "machine")
        return found
    return tools.examine(plan.platform)


def prepare(plan: ClusterPlan, work: Workspace, say: Say) -> None:
    """Gets this machine ready for the plan: a lab's tools, images and packages; Ironic and its ramdisk, where railbed runs it.

    Other platforms need nothing made.
    """
    if plan.platform == LOCAL:
        _part(LOCAL, "machine").prepare(work, say, machines=plan.hosts == "machine")
    elif plan.platform == METAL:
        _part(METAL, "preparation").prepare(plan, work.root, say)


def fetch(plan: ClusterPlan, work: Workspace, say: Say) -> None:
    """Gets publishers' keys, packages that no repository gives nodes, and the training stack's wheels, before anything is made;
    again, it takes no time.

    Raises what ``repositories.of`` raises.
    """
    repositories.of(plan, work.published_keys, say)


def sweep(kind: str, work: Workspace) -> list[str]:
    """Removes what carries a lab's id although the engine knows nothing of it; returns what that was.

    Elsewhere nothing is removed that the engine does not know: it may be somebody's.
    """
    if kind != LOCAL:
        return []
    left: list[str] = _part(kind, "machine").sweep(work)
    return left


def preflight(
    plan: ClusterPlan, today: datetime.date, root: Callable[[], Path], work: Workspace | None = None
) -> list[Finding]:
    """Checks the account, zone, shapes, quota and reservations that the plan needs, or BMCs; reads only.

    ``root``: the checkout's, asked only where BMCs' passwords are read from it: owned machines have no dates. ``work``: of the
    stack, whose last contract says which nodes are its own already; None where there is no stack.
    """
    if plan.platform == LOCAL:
        return examine(plan)
    part = _part(plan.platform, "preflight")
    if plan.platform in THERE:
        known: list[Finding] = part.check(plan, site_of(plan.platform, work).previous if work else None)
        return known
    found: list[Finding] = part.check(plan, root()) if plan.platform in SINGLE else part.check(plan, today)
    return found


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove]) -> list[str]:
    """Ends exactly the instances of ``to_remove``, before the engine makes the pools smaller; says what was done.

    They must be drained and idle: that is the caller's to know. Instances that are gone already are fine. Raises
    RailbedError where one is not a member of its pool, or the provider would choose others; Unsupported where it cannot be
    done for a platform.
    """
    if not to_remove or plan.platform in SINGLE:
        return []
    done: list[str] = _part(plan.platform, "scale_in").scale_in(plan, stack, to_remove, False)
    return done


def exchange(plan: ClusterPlan, stack: str, node: NodeToRemove) -> list[str]:
    """Ends the instance of a node that the plan keeps, for the engine's next run to make another; says what was done.

    The node must be drained and idle: that is the caller's to know. Raises as ``require_replaceable`` and ``scale_in`` do.
    """
    require_replaceable(plan, node.name)
    done: list[str] = _part(plan.platform, "scale_in").scale_in(plan, stack, [node], True)
    return done


def require_replaceable(plan: ClusterPlan, name: str) -> None:
    """Raises Unsupported where no other machine is to be had by asking, saying how the node gets one."""
    if plan.platform in REPLACED:
        return
    by_hand = {
        METAL: f"`railbed node bundle {name}` for its vendor, `railbed node rma {name}`, then the other machine's `serial`, "
        f"`bmc` and `mac` under the name {name} in the spec, and `railbed up`",
        LOCAL: "a host of the lab is this machine's: `railbed node repair`, or another lab",
        "nebius": "`pulumi up --target-replace URN` (`pulumi stack --show-urns`), then `railbed up`",
    }
    raise Unsupported(
        f"platform {plan.platform}",
        f"getting another machine for {name}",
        by_hand.get(plan.platform, "its owners replace it"),
    )


def renew(plan: ClusterPlan, work: Workspace, say: Say) -> None:
    """Fills places of instances that the provider has ended, where its groups do not by themselves. Raises ProviderError.

    No node that may have jobs is touched. Before the first contract there is nobody to replace.
    """
    if plan.platform not in RENEWED or not work.contract_file.exists():
        return
    names = {node.identity.value: node.name for node in contract_store.load(work).nodes}
    lines: list[str] = _part(plan.platform, "renew").renew(plan, work.stack, names)
    for line in lines:
        say(line)
    if lines:
        Journal(work.journal_file).write("renew", said=lines)


def image(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """What a recipe of the pool's machine image says of the platform. Raises Unsupported where there is none."""
    found: Source = _part(plan.platform, "image").source(plan, pool)
    return found


def bake(plan: ClusterPlan, pool: PlannedPool, work: Workspace) -> AbstractContextManager[Baking]:
    """A machine of the lab's base image that waits for the roles. Raises Unsupported where images are made elsewhere."""
    if plan.platform != LOCAL:
        raise Unsupported(
            f"platform {plan.platform}", "baking an image on this machine",
            "`railbed image recipe` writes a template that Packer builds there", path="railbed:cluster.platform.kind",
        )  # fmt: skip
    found: AbstractContextManager[Baking] = _part(plan.platform, "bake").machine(plan, pool, work)
    return found
