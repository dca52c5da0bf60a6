"""What a vendor asks for when a part is to be replaced, as a page: identity, fault, what was tried, what a person must add. Pure.

NVIDIA, "GPU Debug Guidelines" and "A100 GPU Memory Error Management" (docs.nvidia.com/deploy): serial number,
nvidia-bug-report.sh, kernel log, the field diagnostic's result; for memory also the failure flag of row remapping.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from railbed.certificate.identity import Identity
from railbed.contract import Node
from railbed.effects.journal_index import Entry
from railbed.operate import standing
from railbed.operate.picture import Picture

UNKNOWN = "not known here"
BY_HAND = (
    "which part (GPU index and serial number), seen at the machine",
    "result of the vendor's field diagnostic (NVIDIA asks for it with every GPU)",
    "contract or ticket number, address for the exchange, who is on site and when",
)


def fill(
    node: Node, seen: Picture, entries: Sequence[Entry], shown: Identity | None, verdicts: Sequence[Mapping[str, Any]],
    members: Collection[str], left_out: Mapping[str, str],
) -> str:  # fmt: skip
    """The page, Markdown. Every number is one that was read; the rest is for a person."""
    stands, state = standing.of(node, seen), seen.states.get(node.name)
    machine = seen.contract.machine(node.machine) if node.machine else None
    model = f"{node.machine}, {node.gpus} × {machine.gpu_model}" if machine and node.gpus else node.machine
    parts = [
        f"# {node.name}: support request\n",
        _table(
            {
                "machine": model or UNKNOWN,
                "serial number of the machine": (shown.serial if shown else None) or _serial(node),
                "release": seen.contract.software.release,
                "state": f"{stands.state}: {stands.why}", "since": stands.since or UNKNOWN,
                "scheduler says": f"{state.text} {state.reason}" if state else UNKNOWN,
            }
        ),
        "\n## Parts, when it was accepted\n",
        _parts(shown),
        "\n## What it failed\n",
        _list(
            f"{one['ended']}  {one['claim']} {one['verdict']}: {one['reason']}" for one in verdicts
        ),
        "\n## What was done\n",
        _list(_done(one) for one in entries if one.kind.startswith(("repair-", "rma", "drain", "resume"))),
        "\n## In this file\n",
        _list([*sorted(members), *(f"{name}: left out, {why}" for name, why in sorted(left_out.items()))]),
        "\n## To be added by a person\n",
        "".join(f"- [ ] {one}\n" for one in BY_HAND),
        "\nSecrets, users' names and mail addresses are taken out; host names and addresses are not.\n",
    ]  # fmt: skip
    return "".join(parts)


def _serial(node: Node) -> str:
    return node.identity.value if node.identity.kind == "serial" else UNKNOWN


def _parts(shown: Identity | None) -> str:
    if shown is None:
        return f"{UNKNOWN}: it was never accepted\n"
    gpus = [
        f"GPU {index}: serial {one.serial or UNKNOWN}, {one.uuid}" for index, one in enumerate(shown.gpus)
    ]
    cards = [f"{one.name}: {one.guid or one.mac or UNKNOWN}" for one in shown.nics]
    return _list([*gpus, *cards, *(f"simulated: {one}" for one in shown.simulated)])


def _done(entry: Entry) -> str:
    said = entry.event
    words = {
        key: said[key]
        for key in ("rung", "causes", "wrong", "reason", "verdict", "claim", "report")
        if said.get(key)
    }
    rest = ", ".join(
        f"{key} {', '.join(one) if isinstance(one, list) else one}" for key, one in words.items()
    )
    return f"{entry.at}  {entry.kind}{f' ({rest})' if rest else ''}"


def _table(rows: Mapping[str, str]) -> str:
    return "| | |\n|---|---|\n" + "".join(f"| {key} | {value} |\n" for key, value in rows.items())


def _list(items: Any) -> str:
    return "".join(f"- {one}\n" for one in items) or "- nothing\n"
