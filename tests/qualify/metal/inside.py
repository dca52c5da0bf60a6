"""The run itself, in namespaces of its own: each installer from power-off to a login and a quick validation; a JSON line a row.

usage: python -m tests.qualify.metal.inside DISK DISC FOLDER [iso|ironic …]
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.program.metal.emulator import DISCS, Emulator, emulated
from tests.qualify.page import Row

from railbed.effects.ironic.ramdisk.build import sha256
from railbed.errors import RailbedError

from . import INSTALLERS, machines
from .images import Images
from .stack import Stack

EXPECTED = {"iso": "plain disk", "ironic": "RAID 1"}


class Clock:
    """Says what happens, with seconds since the beginning, on the error output."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.marks: list[str] = []

    def __call__(self, what: str) -> None:
        print(f"{time.monotonic() - self.began:7.0f} s  {what}", file=sys.stderr, flush=True)

    def mark(self, what: str) -> None:
        self.marks.append(f"{what} {time.monotonic() - self.began:.0f}")
        self(what)


def row(kind: str, stack: Stack, redfish: Emulator, index: int) -> Row:
    """One machine's way; a fault on it is a row that fails."""
    say, problems = Clock(), list[str]()
    try:
        if (power := redfish.system(index)["PowerState"]) != "Off":
            problems.append(f"the machine was {power} to begin with")
        for line in stack.preflight():
            say(line)
        contract = stack.up(say)
        say.mark("installed, host key seen")
        problems += [] if contract.simulated else ["the contract does not say that the BMC is an emulator"]
        shown = stack.ssh(
            "cat /sys/class/dmi/id/product_serial; hostname; findmnt -no SOURCE /; cat /proc/mdstat"
        ).split("\n", 3)
        say.mark("login")
        serial, name, root, arrays = (one.strip() for one in shown)
        say(f"{serial} {name} {root}\n{arrays}")
        if (serial, name) != (f"SN{index:04d}", stack.name):
            problems.append(f"another machine answers: {serial}, {name}")
        if kind == "ironic" and (not root.startswith("/dev/md") or "[UU]" not in arrays):
            problems.append(f"no whole RAID 1 under the system: {root}, {arrays}")
        before = len(redfish.writes())
        stack.up(say)
        if len(redfish.writes()) != before:
            problems.append(f"a second run wrote {len(redfish.writes()) - before} times to the BMC")
        say.mark("second run, nothing written")
        report = stack.validate()
        say.mark("validated")
        problems += judged(report, stack.name)
        verdicts = [one["verdict"] for one in report["claims"]]
        found = (
            f"{root.split('[')[0]}; quick validation: {verdicts.count('pass')} of {len(verdicts)} claims pass"
        )
        found += f", {', '.join(sorted({one['claim'] for one in report['claims'] if one['verdict'] == 'fail'})) or 'none'} fail"
    except (RailbedError, RuntimeError, OSError) as error:
        found, problems = "not installed", [*problems, f"{type(error).__name__}: {error}"]
    return Row(
        f"{kind}: {EXPECTED[kind]}",
        f"{found} ({'; '.join(say.marks) or 'nothing'})",
        time.monotonic() - say.began,
        problems,
    )


def judged(report: dict[str, Any], name: str) -> list[str]:
    """What a machine without GPUs and rails must still pass: it is reached, and it is the one that is meant."""
    said = {one["claim"]: one["verdict"] for one in report["claims"] if one["node"] in (name, "")}
    return [
        f"{claim}: {said.get(claim, 'not asked')}"
        for claim in ("node.identity",)
        if said.get(claim) != "pass"
    ]


def rows(images: Images, folder: Path, kinds: list[str]) -> Iterator[Row]:
    listed = [
        machines.machine(at, folder, disks=2 if kind == "ironic" else 1) for at, kind in enumerate(INSTALLERS)
    ]
    machines.network([one["tap"] for one in listed])
    with (
        machines.served([images.disk, images.disc], folder / "server") as (url, certificate),
        emulated(
            folder / "bmc",
            listed,
            devices=DISCS,
            driver=machines.DRIVER,
            settings={"FIRMWARE": [str(one) for one in images.firmware]},
        ) as redfish,
    ):
        os.environ["REQUESTS_CA_BUNDLE"] = str(certificate)
        installers: dict[str, Callable[[], Stack]] = {
            "iso": lambda: Stack(folder / "iso", 0, redfish, {
                "url": f"{url}/{images.disc.name}", "sha256": sha256(images.disc), "seed_address": machines.HERE,
            }),
            "ironic": lambda: Stack(folder / "ironic", 1, redfish, {
                "kind": "ironic", "embedded": {"address": machines.HERE},
                "image": {"url": f"{url}/{images.disk.name}", "sha256": sha256(images.disk)},
            }, mirror=[{"serial": "SYSTEM10"}, {"serial": "SYSTEM11"}], erase="metadata"),
        }  # fmt: skip
        for index, kind in enumerate(INSTALLERS):
            if kind in kinds:
                yield row(kind, installers[kind](), redfish, index)


def main() -> int:
    disk, disc, folder = map(Path, sys.argv[1:4])
    for one in rows(Images(disk, disc), folder, sys.argv[4:] or list(INSTALLERS)):
        print(
            json.dumps(
                {"name": one.name, "found": one.found, "seconds": one.seconds, "problems": list(one.problems)}
            ),
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
