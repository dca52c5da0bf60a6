"""`railbed doctor | setup | env | up | preview | destroy | converge`: the cluster as a whole."""

from __future__ import annotations

import typer

from railbed import configure, converging, flow, platforms, spec
from railbed import plan as plans
from railbed.cli import engine_progress, findings, output, verdicts
from railbed.cli.checkout import say, workspace
from railbed.effects.engine.session import Session, environment
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import Exit, RailbedError
from railbed.operate import remains

NEW_KEY_OPTION = typer.Option(
    [],
    "--accept-host-key",
    metavar="INSTANCE",
    help="This instance was reimaged: take its new host key, this once.",
)


REMOVE_OPTION = typer.Option(
    [], "--remove", metavar="NODE", help="Without a scheduler: this host leaves the cluster, nobody uses it."
)


def _new(stack: str) -> Workspace:
    """The same of a stack that may be there from now on."""
    return Workspace(find_root(), stack)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (run_doctor, setup, env, up, preview, destroy, converge):
        app.command(command.__name__.removeprefix("run_"))(command)


def run_doctor(stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """Look at this machine: what the stack's platform needs here and what is missing."""
    found = platforms.examine(_wanted(_new(stack)))
    findings.show(found, as_json=as_json)
    output.leave(findings.needed_status(found))


def _wanted(work: Workspace) -> plans.ClusterPlan:
    """The plan of the stack, or of the example before there is one."""
    source = work.stack_file if work.stack_file.exists() else work.root / flow.DEFAULT_SPEC
    return plans.plan(spec.load(source))


def setup(stack: str = output.STACK_OPTION) -> None:
    """Get this checkout ready: stack file, host tools, engine, `.railbed/env`."""
    flow.setup(_new(stack), say)


def env(stack: str = output.STACK_OPTION) -> None:
    """Write `.railbed/env` and print where it is: after sourcing it, plain `pulumi` works here."""
    work = _new(stack)
    output.out.print(str(flow.write_env(work, environment(work, say))), soft_wrap=True)


def up(
    stack: str = output.STACK_OPTION,
    accept_host_key: list[str] = NEW_KEY_OPTION,
    remove: list[str] = REMOVE_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Make the cluster, configure it, validate it. Again: mends drift, or says that nothing changed."""
    work = _new(stack)
    flow.setup(work, say)
    with engine_progress.shown() as on_engine, configure.progress.shown(output.err) as on_converge:
        result = flow.up(
            work,
            say,
            new_host_keys=accept_host_key,
            removed=remove,
            on_engine=on_engine,
            on_converge=on_converge,
            on_validate=say,
        )
    if as_json:
        output.print_json(
            {
                "changes": result.changes.by_kind, "converge": result.converged.as_json(), "quick": result.quick,
                "timings": result.timings, "validate": result.report.as_json(),
                "missing": [one.model_dump(mode="json") for one in result.missing],
            }
        )  # fmt: skip
    else:
        verdicts.show_up(result, work)
    status = result.report.exit_status
    output.leave(Exit.UNPROVEN if result.missing and status is Exit.PASS else status)


def preview(stack: str = output.STACK_OPTION) -> None:
    """Show what `up` would change; changes nothing."""
    work = _new(stack)
    flow.setup(work, say)
    flow.warn(flow.plan_of(work), say)
    changes = Session(work, say).preview(lambda text: output.err.print(text.rstrip()))
    output.out.print(f"{changes.total} changes" if changes.total else "nothing to change")


def destroy(
    stack: str = output.STACK_OPTION,
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only say what would go."),
    end_jobs: bool = typer.Option(
        False, "--end-jobs", help="Also while jobs run: they end with their nodes; on Kubernetes they go on."
    ),
) -> None:
    """Remove the stack: hosts, networks, processes, disks; of Kubernetes its quotas, policies and rights. The archive stays."""
    work = workspace(stack)
    if not yes:
        output.out.print(f"would destroy stack {stack}:")
        for line in flow.losses(work).lines():
            output.out.print(f"  {line}", soft_wrap=True)
        output.out.print("add --yes to do it")
        return
    with engine_progress.shown() as on_engine:
        left = flow.destroy(work, say, on_engine, end_jobs=end_jobs)
    for leftover in left:
        say(f"swept {leftover}")
    stay = remains.host_packages(work)
    output.out.print(f"stack {stack} is gone; kept: {work.archive}")
    if stay:
        output.out.print(f"host packages that railbed installed stay: {', '.join(stay)}")


def converge(
    stack: str = output.STACK_OPTION,
    limit: str = typer.Option("", "--limit", help="Only these nodes (an Ansible host pattern)."),
    check: bool = typer.Option(False, "--check", help="Only say what would change; writes nothing."),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Run the roles on the nodes again, as the contract says; a converged cluster shows 0 changed."""
    work = workspace(stack)
    with configure.progress.shown(output.err) as on_event:
        result, pending = converging.converge(
            work, limit=limit or None, check=check, on_event=on_event, say=say
        )
    if as_json:
        output.print_json({**result.as_json(), "unapplied": pending.model_dump()})
    else:
        verdicts.show_converge(result)
    if pending.as_text():
        output.err.print(f"{pending.as_text()}; `railbed up` does", style="yellow")
    if result.broken:
        error: RailbedError = configure.broken(result)
        output.leave(error.exit_status)
