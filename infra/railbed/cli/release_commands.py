"""`railbed software diff | sbom | mirror | pin`: releases compared, listed as a bill of materials, fetched and pinned."""

from __future__ import annotations

import getpass
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed import catalog
from railbed.cli import output
from railbed.cli.files import write_text
from railbed.errors import Exit, UsageError
from railbed.software import compat
from railbed.software.artefacts import Artefact, artefacts
from railbed.software.compat.difference import Change, Difference, difference

if TYPE_CHECKING:
    from railbed.effects.mirror import Fetched
    from railbed.effects.pinning import Seen

MACHINE = typer.Option(None, "--machine", "-m", help="Catalogue key; without it all alternatives.")
OS = typer.Option(None, "--os", help="ID and version of /etc/os-release; else the release's for the machine.")
FILESYSTEM = typer.Option(
    None, "--filesystem", "-f", help="Kind whose client is wanted, e.g. lustre; can be repeated."
)

FILE = typer.Option(None, "--output", "-o", help="File to write; else stdout.")
FOLDER = typer.Option(None, "--output", "-o", help="Folder to fetch into; may hold an earlier run's.")

RELEASE = typer.Argument(..., metavar="RELEASE", help="A release of the catalogue.")
OLD = typer.Argument(..., metavar="A", help="Release before.")
NEW = typer.Argument(..., metavar="B", help="Release after.")
NAMES = typer.Argument(..., metavar="NAME…", help="Keys and components, as NOT_PINNED names them.")
CONFIRM = typer.Option(
    [], "--confirm", help="Fingerprint or SHA-256 that you compared with its publisher's; can be repeated."
)


def register(group: typer.Typer) -> None:
    """Adds the verbs."""
    for verb in (diff, sbom, mirror, pin):
        group.command()(verb)


def diff(
    old: str = OLD, new: str = NEW,
    machine: str = MACHINE, os: str = OS, filesystem: list[str] = FILESYSTEM, as_json: bool = output.JSON_OPTION,
) -> None:  # fmt: skip
    """What changes from release A to B, and what each change asks for."""
    before, after = catalog.load_release(old), catalog.load_release(new)
    known, system = host(after, machine, os)
    found = difference(before, after, catalog.load_rules(), known, system, filesystem or [])
    if as_json:
        document = {"from": old, "to": new, "machine": machine, "os": system or None, "asks": found.asks}
        output.print_json({**document, **found.model_dump(mode="json")})
        return
    _show(found)


def sbom(
    release: str = RELEASE, machine: str = MACHINE, os: str = OS,
    filesystem: list[str] = FILESYSTEM,
    target: Path | None = FILE,
) -> None:  # fmt: skip
    """The release's bill of materials, CycloneDX 1.6 JSON."""
    from railbed.software.sbom import sbom as materials

    taken = catalog.load_release(release)
    known, system = host(taken, machine, os)
    text = materials(taken, catalog.load_rules(), known, system, filesystem or [])
    if target is None:
        output.write_lines([text])
    else:
        write_text(target, text)


def mirror(
    release: str = RELEASE,
    target: Path | None = FOLDER,
    dry_run: bool = typer.Option(False, "--dry-run", help="List what would be fetched, and by what it is checked."),
    machine: str = MACHINE, os: str = OS, filesystem: list[str] = FILESYSTEM, as_json: bool = output.JSON_OPTION,
) -> None:  # fmt: skip
    """Fetch every part that can be checked; exit 3 where some cannot, 1 where one is missing or wrong."""
    if dry_run == (target is not None):
        raise UsageError(
            "a mirror needs a folder, or --dry-run", path="--output", found=str(target) if target else None,
            allowed="one of --output DIR and --dry-run", hint="name one of them",
        )  # fmt: skip
    taken = catalog.load_release(release)
    known, system = host(taken, machine, os)
    wanted = artefacts(taken, known, system, filesystem or [])
    if target is None:
        _list(release, wanted, as_json)
        return
    from railbed.effects.mirror import mirror as fetch  # urllib and ssl, for this verb alone
    from railbed.effects.mirror import wheels
    from railbed.effects.workspace import find_root

    try:
        lists = wheels.lists(find_root(), taken)
        done = fetch(release, wanted, target, lambda line: output.err.print(line), lists)
    except OSError as wrong:
        raise UsageError(
            f"the folder cannot be written: {wrong.strerror}", path=str(target), hint="name another"
        ) from None
    _report(release, target, done, as_json)


def pin(
    release: str = RELEASE,
    names: list[str] = NAMES,
    confirm: list[str] = CONFIRM,
    by: str = typer.Option("", "--by", help="Who compared; else the name of this login."),
    again: bool = typer.Option(False, "--again", help="Pin anew what was pinned and lies there changed; the old value is kept."),
    as_json: bool = output.JSON_OPTION,
) -> None:  # fmt: skip
    """Show the key or file that nobody published a fingerprint or hash of; record what is confirmed (exit 3: not all)."""
    from railbed.effects import pinning  # urllib and ssl, for this verb alone

    file = pinning.place(release)
    published = catalog.load_published(release)
    seen = pinning.see(published, names)
    wanted = {value.replace(" ", "").lower() for value in confirm}
    offered = {value.lower() for one in seen for value in one.values}
    if strange := sorted(wanted - offered):
        raise UsageError(
            "what you confirm is not what lies there", path="--confirm", found=strange, allowed=sorted(offered),
            hint="record nothing; ask the publisher which of the two is theirs",
        )  # fmt: skip
    agreed = [
        one.model_copy(update={"values": [value for value in one.values if value.lower() in wanted]})
        for one in seen
    ]
    agreed = [one for one in agreed if one.values]
    if not again:
        pinning.refuse_changed(file, [*seen, *agreed])
    if agreed:
        try:
            pinning.record(file, agreed, by or getpass.getuser(), time.strftime("%Y-%m-%d", time.gmtime()))
        except OSError as wrong:
            raise UsageError(f"cannot be written: {wrong.strerror}", path=str(file)) from None
    waiting = [one.name for one in seen if not pinning.unchanged(file, one)]
    _show_pins(release, file, seen, agreed, waiting, as_json)
    if waiting:
        output.leave(Exit.UNPROVEN)


def _show_pins(
    release: str, file: Path, seen: Sequence[Seen], agreed: Sequence[Seen], waiting: list[str], as_json: bool
) -> None:  # fmt: skip
    if as_json:
        document = {"release": release, "file": str(file)}
        lists = {"seen": seen, "pinned": agreed}
        output.print_json(
            {**document, **{name: [one.model_dump() for one in some] for name, some in lists.items()}}
        )
        return
    table = Table("name", "what", "at", "fingerprint or SHA-256", box=SIMPLE_HEAD)
    for one in seen:
        table.add_row(one.name, one.kind, one.url, " ".join(one.values))
    output.out.print(table)
    if agreed:
        output.out.print(f"pinned in {file}: {', '.join(dict.fromkeys(one.name for one in agreed))}")
    if waiting:
        output.out.print(
            "compare with the publisher by another way than this network; then run it again with --confirm VALUE"
        )


def host(release: catalog.Release, machine: str | None, os: str | None) -> tuple[catalog.Machine | None, str]:
    """The machine, if one is named, and its system. Raises UsageError for a system that the release is not made for."""
    known = catalog.load_machine(machine) if machine else None
    if os is not None and os not in release.systems:
        near = catalog.nearest(os, release.systems)
        raise UsageError(
            f"release {release.key} is not made for that operating system", path="--os", found=os,
            allowed=release.systems, hint=f"did you mean {near}?" if near else "name one of those",
        )  # fmt: skip
    return known, os or (compat.system_of(release, known) if known else "")


def _show(found: Difference) -> None:
    table = Table("component", "from", "to", "asks for", "why", box=SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for change in (*found.added, *found.removed, *found.changed):
        table.add_row(change.component, change.before or "-", change.after or "-", _asks(change), change.why)
    output.out.print(table)
    for change in (*found.added, *found.changed):
        output.out.print(f"{change.component} {change.after}: {change.reason} ({change.source})")
    output.out.print(f"together: {', '.join(found.asks) or 'nothing'}")


def _asks(change: Change) -> str:
    steps = [step for step in change.asks if step != "rebuild"]
    return ", ".join([*steps, *(f"rebuild {name}" for name in change.rebuilds)]) or "nothing"


def _list(release: str, wanted: list[Artefact], as_json: bool) -> None:
    if as_json:
        output.print_json({"release": release, "artefacts": [one.model_dump(mode="json") for one in wanted]})
        return
    table = Table("component", "version", "how", "what", "checked by", box=SIMPLE_HEAD)
    for one in wanted:
        checked = one.sha256 or one.fingerprint or "-"
        what = f"{one.url} {one.package}".strip() if one.kind in ("package", "file") else one.note
        table.add_row(one.component, one.version, one.kind, what, checked)
    output.out.print(table)


def _report(release: str, target: Path, done: list[Fetched], as_json: bool) -> None:
    failed = [one for one in done if one.error is not None]
    refused = [one.artefact for one in done if one.artefact.kind in ("refused", "unpinned")]
    document: dict[str, Any] = {
        "release": release,
        "output": str(target),
        "fetched": {path: sha256 for one in done for path, sha256 in one.files.items()},
        "refused": [one.model_dump(mode="json") for one in refused],
        "failed": [
            {"component": one.artefact.component, "error": one.error.as_json()} for one in failed if one.error
        ],
    }
    if as_json:
        output.print_json(document)
    else:
        output.out.print(f"{len(document['fetched'])} files in {target}")
        for one in failed:
            output.out.print(
                output.line(
                    ("failed", "red"), f" {one.artefact.component}: {one.error and one.error.as_text()}"
                )
            )
        for artefact in refused:
            output.out.print(
                output.line(
                    (artefact.kind, "yellow"), f" {artefact.component} {artefact.version}: {artefact.note}"
                )
            )
    if failed:
        output.leave(Exit.FAIL)
    if refused:
        output.leave(Exit.UNPROVEN)
