"""`railbed lab fault list | inject | clear`."""

from __future__ import annotations

import typer
from rich.table import Table

from railbed.cli import output
from railbed.cli.checkout import workspace
from railbed.effects import contract_store
from railbed.effects.journal import Journal
from railbed.errors import UsageError
from railbed.platforms.lab import faults
from railbed.platforms.lab.fault import Injected

app = typer.Typer(no_args_is_help=True, help="The lab: faults to put in and take back.")
fault_app = typer.Typer(no_args_is_help=True, help="Break one thing on purpose, and mend it again.")
DEFAULT_GPU = 5


def register(root: typer.Typer) -> None:
    """Adds the noun."""
    app.add_typer(fault_app, name="fault")
    root.add_typer(app, name="lab")


@fault_app.command("list")
def list_faults(stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """The faults there are, which claims each breaks, and where one is at work."""
    try:
        at_work = faults.active(workspace(stack))
    except UsageError:
        at_work = []  # outside a checkout there is no lab, and the list is still worth reading
    where = {name: [one for one in at_work if one.name == name] for name in faults.FAULTS}
    if as_json:
        rows = [
            {
                "name": fault.name, "family": fault.family, "layer": fault.layer, "arguments": fault.arguments,
                "claims": fault.claims,
                "active": [vars(one) for one in where[fault.name]],
            }
            for fault in faults.FAULTS.values()
        ]  # fmt: skip
        output.print_json({"faults": rows})
        return
    table = Table("fault", "layer", "arguments", "claims", "at work on")
    for fault in faults.FAULTS.values():
        nodes = ", ".join(one.node for one in where[fault.name])
        table.add_row(fault.name, fault.layer, " ".join(fault.arguments), "\n".join(fault.claims), nodes)
    output.out.print(table)


@fault_app.command()
def inject(
    name: str = typer.Argument(..., help="Fault, see `lab fault list`."),
    node: str = typer.Argument(..., help="Node to break."),
    index: int | None = typer.Argument(None, help="Rail (or GPU)."),
    other: int | None = typer.Argument(None, help="Second rail, of a fault between two."),
    percent: float = typer.Option(50.0, "--percent", help="Share of the rate to take away, per cent."),
    side: str = typer.Option("node", "--side", help="node (what it sends) or switch (what it receives)."),
    stack: str = output.STACK_OPTION,
) -> None:
    """Put a fault in, at once."""
    if side not in ("node", "switch"):
        raise UsageError("--side names an end of the cable", found=side, allowed=["node", "switch"])
    known = faults.FAULTS.get(name)
    if index is None and known is not None and known.on_rail:
        raise UsageError(f"{name} needs a rail", hint=f"railbed lab fault inject {name} {node} 3")
    if other is None and known is not None and known.between_rails:
        raise UsageError(f"{name} needs two rails", hint=f"railbed lab fault inject {name} {node} 3 4")
    if index is None:
        index = DEFAULT_GPU if known is not None and "GPU" in known.arguments else 0
    work = workspace(stack)
    wanted = Injected(name=name, node=node, index=index, percent=percent, side=side, other=other or 0)
    contract = contract_store.load(work)
    faults.inject(work, contract, wanted)
    Journal(work.journal_file).write(
        "fault-inject", node=node, fault=name, index=index, percent=percent, side=side, other=other or 0
    )
    seen = faults.seen_by(contract, name)
    found = (
        f"`railbed validate` finds it ({', '.join(seen)})" if seen else "no claim in scope here looks at it"
    )
    output.out.print(f"{name} is in on {node}; {found}; `railbed lab fault clear` takes it back")


@fault_app.command()
def clear(
    name: str = typer.Argument("", help="Fault; none = all."), stack: str = output.STACK_OPTION
) -> None:
    """Take faults back; returns when the lab is as before."""
    if name and name not in faults.FAULTS:
        raise UsageError(f"no fault is named {name}", found=name, allowed=sorted(faults.FAULTS))
    work = workspace(stack)
    cleared = faults.clear(work, contract_store.load(work), name or None)
    Journal(work.journal_file).write("fault-clear", faults=[fault.name for fault in cleared])
    output.out.print(
        f"cleared {', '.join(f'{fault.name} on {fault.node}' for fault in cleared) or 'nothing: no fault is in'}"
    )
