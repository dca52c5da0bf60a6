"""`railbed fabric switches`: configurations of the switches, linted and compared with what runs; nothing is applied."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from pathlib import Path
from typing import Any

import typer

from railbed import inputs
from railbed.cli import output
from railbed.cli.fabric_options import Chosen, sized
from railbed.errors import Exit, Unsupported, UsageError
from railbed.platforms.metal.switches import dry_run, guids, opensm, partitions
from railbed.platforms.metal.switches.addresses import LOOPBACKS, Networks
from railbed.platforms.metal.switches.addresses import RAILS as RAILS_NETWORK
from railbed.platforms.metal.switches.facts import facts
from railbed.platforms.metal.switches.nvue import Nvue
from railbed.platforms.metal.switches.sonic import Sonic

SYSTEMS = {"nvue": "ethernet", "sonic": "ethernet", "opensm": "infiniband"}
SHOWN = 40
"""Most findings and differing files that text shows; JSON has all."""
NOTHING = "Nothing was applied: railbed reaches no switch. Load the files yourself."

OS = typer.Option(..., "--os", help=f"One of {', '.join(SYSTEMS)}.")
OUTPUT = typer.Option(..., "--output", "-o", help="Folder for the files; made where it is not there.")
AGAINST = typer.Option(
    None, "--against", help="Folder with what runs now, laid out as --output: show the difference."
)
ADAPTIVE = typer.Option(True, help="Adaptive routing between switches (nvue, sonic).")
RAILS = typer.Option(
    None, "--rails-network", help=f"Addresses of the rails. Else the spec's, or {RAILS_NETWORK}."
)
LOOPS = typer.Option(str(LOOPBACKS), "--loopback-network", help="Addresses of the switches.")
STEP = typer.Option(
    None, "--port-step", help="From one EthernetN to the next (sonic). Else by the switch's lanes."
)
MANAGER = typer.Option(opensm.MANAGERS[0], "--subnet-manager", help=f"One of {', '.join(opensm.MANAGERS)}.")
OBSERVED = typer.Option(None, "--observed", help="Output of ibnetdiscover: the GUIDs (opensm).")
PARTITIONS = typer.Option(
    None, "--partitions", help="YAML file: who may talk with whom. Else all nodes (opensm)."
)
SHARP = typer.Option(True, help="In-network reductions (opensm).")


@sized
def switches(
    chosen: Chosen,
    system: str = OS,
    to: Path = OUTPUT,
    against: Path = AGAINST,
    adaptive_routing: bool = ADAPTIVE,
    rails_network: str = RAILS,
    loopback_network: str = LOOPS,
    port_step: int = STEP,
    subnet_manager: str = MANAGER,
    observed: Path = OBSERVED,
    partition_file: Path = PARTITIONS,
    sharp: bool = SHARP,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Render and lint the switches' configurations; exit 0 clean, 1 findings or differences. Applies nothing."""
    _fits(chosen, system)
    if system == "opensm":
        manager = _manager(subnet_manager, sharp)
        seen = guids.read(inputs.read_log(observed), str(observed)) if observed else None
        wanted = _partitions(partition_file, seen)
        rendered = dry_run.infiniband(chosen.fabric, chosen.names, manager, seen, wanted)
        form: dry_run.Comparable = opensm.comparable
    else:
        networks = Networks(
            _network("--rails-network", rails_network or chosen.rails_network or str(RAILS_NETWORK)),
            _network("--loopback-network", loopback_network),
        )
        os = _system(chosen, system, adaptive_routing, port_step)
        rendered = dry_run.ethernet(chosen.fabric, chosen.names, networks, os)
        form = os.comparable
    changed = [] if against is None else dry_run.differences(rendered.files, _folder(against), form)
    written = _write(to, rendered)
    document = {
        "os": system,
        "output": str(to),
        "configurations": len(rendered.files),
        "files": written,
        "findings": [finding.as_json() for finding in rendered.findings],
        "against": None if against is None else str(against),
        "differences": [one.as_json() for one in changed],
        "applied": False,
        "warnings": _warnings(chosen, system, adaptive_routing, port_step, observed),
    }
    if as_json:
        output.print_json(document)
    else:
        _show(document)
    output.leave(Exit.FAIL if rendered.findings or changed else Exit.PASS)


def _fits(chosen: Chosen, system: str) -> None:
    if system not in SYSTEMS:
        raise UsageError("unknown network operating system", path="--os", found=system, allowed=list(SYSTEMS))
    if chosen.switch is not None and chosen.switch.kind != SYSTEMS[system]:
        raise UsageError(
            f"{chosen.switch.title} is an {chosen.switch.kind} switch", path="--os", found=system,
            allowed=[name for name, kind in SYSTEMS.items() if kind == chosen.switch.kind],
        )  # fmt: skip


def _manager(kind: str, sharp: bool) -> opensm.Manager:
    if kind not in opensm.MANAGERS:
        raise UsageError(
            "unknown subnet manager", path="--subnet-manager", found=kind, allowed=list(opensm.MANAGERS)
        )
    return opensm.Manager(kind, sharp)


def _partitions(file: Path | None, seen: guids.Guids | None) -> list[partitions.Partition] | None:
    if file is None:
        return None
    if seen is None:
        raise UsageError(
            "partitions are made of GUIDs", code="FABRIC_PARTITIONS", path="--partitions", found=str(file),
            hint="give --observed with the output of `ibnetdiscover`",
        )  # fmt: skip
    return partitions.load(file)


def _network(option: str, text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as wrong:
        raise UsageError(
            f"this is no IPv4 network: {wrong}", path=option, found=text, allowed=str(RAILS_NETWORK)
        ) from None


def _system(chosen: Chosen, system: str, adaptive: bool, step: int | None) -> Nvue | Sonic:
    adaptive = adaptive and chosen.fabric.up > 0
    cage = chosen.mode.ports_per_transceiver if chosen.mode else 1
    if system == "nvue":
        if adaptive and chosen.rate_gbps not in facts().nvue_adaptive_gbps:
            raise Unsupported(
                f"Cumulus Linux {facts().nvue_release}", f"adaptive routing at {chosen.rate_gbps:g} Gb/s",
                f"plan links of {' or '.join(map(str, facts().nvue_adaptive_gbps))} Gb/s, or --no-adaptive-routing",
                path="--adaptive-routing",
            )  # fmt: skip
        return Nvue(cage, chosen.rate_gbps, adaptive)
    if step is not None and step < 1:
        raise UsageError("ports are at least one lane apart", path="--port-step", found=step, allowed="≥ 1")
    key = chosen.switch.key if chosen.switch else ""
    lanes = facts().lanes(key) or facts().sonic_lanes_per_port
    return Sonic(step or lanes // cage, chosen.rate_gbps, key.partition("/")[0], adaptive)


def _warnings(
    chosen: Chosen, system: str, adaptive: bool, step: int | None, observed: Path | None
) -> list[dict[str, str]]:
    found = []
    if (
        system == "sonic"
        and step is None
        and facts().lanes(chosen.switch.key if chosen.switch else "") is None
    ):
        message = f"EthernetN counts in steps of {facts().sonic_lanes_per_port}; compare with the switch's port_config.ini"
        found.append({"code": "SWITCH_PORT_NAMES", "message": message, "path": "--port-step"})
    if system == "sonic" and adaptive:
        message = f"adaptive routing takes the ARS tables of {facts().sonic_adaptive_model} and NICs that reorder packets"
        found.append({"code": "SWITCH_ADAPTIVE", "message": message, "path": "--adaptive-routing"})
    if system == "opensm" and observed is None:
        message = (
            "GUIDs are unknown: no roots, partitions and names yet; render again with --observed once cabled"
        )
        found.append({"code": "SWITCH_GUIDS", "message": message, "path": "--observed"})
    return found


def _folder(folder: Path) -> dict[str, dict[str, str]]:
    """Switch → file → text of a folder. Raises UsageError where there is none."""
    if not folder.is_dir():
        raise UsageError(
            "no such folder", path="--against", found=str(folder), hint="a folder per switch, as --output"
        )
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    return {
        place.name: {file.name: inputs.read_log(file) for file in sorted(place.iterdir()) if file.is_file()}
        for place in inside
    }


def _write(to: Path, rendered: dry_run.Rendered) -> int:
    """Writes the files; their number. Raises UsageError where other switches' files are there, or nothing can be written."""
    try:
        others = sorted(path.name for path in to.iterdir() if path.is_dir()) if to.is_dir() else []
        strange = sorted(set(others) - set(rendered.files))
        if strange:
            raise UsageError(
                "the folder holds other switches' files", path="--output", found=strange[:8],
                allowed="a new folder, or one with the same switches", hint="remove them, or name another folder",
            )  # fmt: skip
        for switch, texts in rendered.files.items():
            place = to / switch
            place.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                (place / name).write_text(text)
        if rendered.rails:
            (to / dry_run.RAILS).write_text(rendered.rails)
    except OSError as wrong:
        raise UsageError(f"cannot be written: {wrong.strerror}", path=str(to)) from None
    return sum(map(len, rendered.files.values())) + bool(rendered.rails)


def _show(document: dict[str, Any]) -> None:
    out = output.out
    out.print(
        f"{document['configurations']} configurations, {document['files']} files in {document['output']}",
    )
    for warning in document["warnings"]:
        out.print(f"{warning['code']} {warning['message']}", style="yellow", soft_wrap=True)
    findings, changed = document["findings"], document["differences"]
    out.print(f"lint: {len(findings) or 'no'} findings")
    for one in findings[:SHOWN]:
        place = f"{one['switch']} {one['port']}".strip()
        out.print(f"  {one['check']}: {place}: {one['message']}", soft_wrap=True)
    if document["against"] is not None:
        out.print(f"against {document['against']}: {len(changed) or 'no'} files would change")
    for one in changed[:SHOWN]:
        out.print(one["diff"], end="", soft_wrap=True)
    hidden = max(len(findings) - SHOWN, 0) + max(len(changed) - SHOWN, 0)
    if hidden:
        out.print(f"… and {hidden} more: --json has all")
    out.print(NOTHING)
