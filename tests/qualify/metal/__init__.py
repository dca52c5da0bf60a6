"""`make qualify PART=metal`: virtual machines behind the Redfish emulator, installed by each installer.

Images are built or taken from the cache first. Then network, BMCs, machines and railbed are in a network and a process namespace
of their own: they end with the run, however it ends. KVM where it works, else emulation (minutes become tens of minutes).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from railbed.effects.ironic import venv
from railbed.effects.ironic.ramdisk import build
from railbed.effects.lab.machines import accelerator

from ..page import Row
from . import images

INSTALLERS = ("iso", "ironic")
"""One row each."""

ROOT = Path(__file__).resolve().parents[3]
BY = "KVM" if accelerator.here().name == "kvm" else "emulation (TCG)"
ABOUT = (
    f"One virtual machine by each installer, under {BY}: from power-off to a login with the pinned host key and a quick "
    "validation. BMCs are the Redfish emulator, the ISO is a stand-in for Ubuntu's installer; Ironic, its agent, UEFI and RAID 1 "
    "are real."
)


def rows(minutes: float) -> Iterator[Row]:
    """One row for each installer; after so many minutes the run is ended where it is."""
    venv.ensure(ROOT)
    built = images.ensure(build.ensure(ROOT, _say))
    # Ironic's own user must be able to enter it.
    folder = Path(tempfile.mkdtemp(prefix="railbed-metal-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield from _inside(built, folder, minutes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _inside(built: images.Images, folder: Path, minutes: float) -> Iterator[Row]:
    """The namespaces end with this process, as it ends with the time."""
    apart = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--net",
        "--pid",
        "--mount-proc",
        "--fork",
        "--kill-child",
    ]
    command = [
        *apart,
        sys.executable,
        "-m",
        "tests.qualify.metal.inside",
        str(built.disk),
        str(built.disc),
        str(folder),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    clock = threading.Timer(minutes * 60, process.kill)
    clock.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            yield Row(**json.loads(line))
    finally:
        clock.cancel()
        process.kill()
        process.wait()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
