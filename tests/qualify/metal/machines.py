"""The qualification's virtual machines and the network that they are in. Called inside namespaces that end with the run."""

from __future__ import annotations

import functools
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.program.metal import emulator

from railbed.effects.bmc.certificate import certify
from railbed.run import run

HERE, PREFIX = "10.77.0.1", 24
DISK_GIB, MEMORY_MIB = 4, 3072
DRIVER = Path(__file__).with_name("qemu_driver.py")


def network(taps: list[str]) -> None:
    """A bridge with this machine's address and a tap for each machine; in a namespace that nothing leads out of."""
    lines = [
        "link set lo up",
        "link add provision type bridge forward_delay 0",
        f"address add {HERE}/{PREFIX} dev provision",
    ]
    lines += [f"tuntap add dev {one} mode tap" for one in taps]
    lines += [f"link set {one} master provision up" for one in taps]
    run(["ip", "-batch", "-"], stdin="\n".join([*lines, "link set provision up"]) + "\n")


def machine(index: int, folder: Path, *, disks: int) -> dict[str, Any]:
    """A powered-off server with empty NVMe drives, for the emulator's configuration."""
    mine = folder / f"machine-{index}"
    mine.mkdir(parents=True)
    drives = {f"d{at}": f"SYSTEM{index}{at}" for at in range(disks)}
    for name in drives:
        run(["qemu-img", "create", "-q", "-f", "qcow2", mine / f"{name}.qcow2", f"{DISK_GIB}G"])
    plain = emulator.machine(
        index, drives=drives, machine=str(mine), tap=f"tap{index}", memory_mib=MEMORY_MIB
    )
    # Boot entries that the agent writes into UEFI's variables decide where they are; else the order of the drives.
    return {**plain, "nics": plain["nics"][:1], "by_order": disks == 1, "versions": {"BiosVersion": "2.1.8"}}


@contextmanager
def served(files: Sequence[Path], own: Path) -> Iterator[tuple[str, Path]]:
    """The files over HTTPS, with a certificate of this run's own; yields URL and certificate."""
    shown = own / "files"
    shown.mkdir(parents=True)
    for file in files:
        (shown / file.name).symlink_to(file)
    certificate, key = certify(own, HERE)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((HERE, 0), functools.partial(Handler, directory=str(shown)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://{HERE}:{server.server_address[1]}", certificate
    finally:
        server.shutdown()
        server.server_close()
