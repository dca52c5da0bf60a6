"""The servers of a shared filesystem, by its own tools: MooseFS's."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from railbed import ended
from railbed.contract import Filesystem, further
from railbed.defaults import STORAGE_TIMEOUT_S
from railbed.parse.moosefs import data_servers, fewest_copies, servers_argv
from railbed.run import Result
from railbed.text import shown
from railbed.validate.validation_run import ValidationRun

MOOSEFS = "moosefs"
Pair = tuple[str, str]
"""Node and part; the node is empty for what belongs to none."""
SERVER = "storage"
"""The part that is to blame where a server of the filesystem does not serve."""


@dataclass(frozen=True)
class Servers:
    """What is known of them."""

    alive: int | None = None
    """Data servers that serve, of those that the run is about; None: unknown."""
    problems: dict[str, Pair] = field(default_factory=dict)
    """What is wrong, and what is to blame."""
    unknown: list[str] = field(default_factory=list)
    good: str = ""


def ask(validation: ValidationRun, filesystem: Filesystem, client: str, files: Sequence[str]) -> Servers:
    """Every data server serves, and every chunk of the files has its copies, as ``client`` sees it."""
    if filesystem.kind != MOOSEFS:
        return Servers(unknown=[f"no probe for filesystem kind {filesystem.kind}"])
    listed = _list(validation, filesystem)
    words = " ".join(shlex.quote(file) for file in files)
    info = validation.remote.run(client, f"mfsfileinfo {words}", timeout_s=STORAGE_TIMEOUT_S, check=False)
    validation.keep(
        f"{further.folder(validation.contract, filesystem)}/servers.txt",
        f"{listed.stdout}\n{listed.stderr}\n{info.stdout}\n{info.stderr}",
    )
    return judge(validation, filesystem, listed, info)


def judge(validation: ValidationRun, filesystem: Filesystem, listed: Result, info: Result) -> Servers:
    """From what both tools printed. A server on a node that cannot be reached is that node's, and proves nothing by itself."""
    serving = data_servers(listed.stdout)
    if not serving:
        master = filesystem.metadata_server
        why = shown(listed.tail()) if listed.ok else ended.why(listed, "mfscli", master)
        reason = f"the metadata server on {master} lists no data servers: {why}"
        return Servers(unknown=[reason]) if listed.ok else Servers(problems={reason: (master, SERVER)})
    # A run of some nodes judges their servers: another one's fault must not condemn them.
    only = [n for n in filesystem.data_servers if not validation.scope.only or n in validation.scope.only]
    names = {validation.node(name).address: name for name in only or filesystem.data_servers}
    dead = [name for address, name in names.items() if not serving.get(address, False)]
    problems = {
        f"no data server on {name}": (name, SERVER) for name in dead if name not in validation.unreachable
    }
    unknown = [validation.unreachable[name] for name in dead if name in validation.unreachable]
    copies, alive = fewest_copies(info.stdout), len(names) - len(dead)
    if copies is None:
        unknown.append("mfsfileinfo says nothing about copies")
    elif copies < filesystem.copies:
        guilty = next(iter(problems.values()), ("", SERVER))
        problems[f"a chunk has {copies} of {filesystem.copies} copies"] = guilty
    good = f"{alive} data servers serve, {copies} copies each, cold clients read right"
    return Servers(alive, problems, unknown, good)


def outage(validation: ValidationRun, filesystem: Filesystem, reasons: Sequence[str]) -> tuple[str, Pair]:
    """What is said of a filesystem that no client can use, and what is to blame: its metadata server where that is silent too."""
    reason = f"{filesystem.name} is down for all {len(reasons)} clients that were asked: {reasons[0]}"
    if filesystem.kind != MOOSEFS:
        return reason, ("", SERVER)
    listed, master = _list(validation, filesystem), filesystem.metadata_server
    validation.keep(
        f"{further.folder(validation.contract, filesystem)}/servers.txt", f"{listed.stdout}\n{listed.stderr}"
    )
    if data_servers(listed.stdout):
        return f"{reason}; its metadata server {master} answers", ("", SERVER)
    return f"{reason}; its metadata server {master} gives no answer either", (master, SERVER)


def _list(validation: ValidationRun, filesystem: Filesystem) -> Result:
    master = validation.node(filesystem.metadata_server)
    return validation.remote.run(
        master.name, servers_argv(master.address), timeout_s=STORAGE_TIMEOUT_S, check=False
    )
