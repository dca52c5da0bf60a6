"""A folder that real apt and dpkg take for a machine, and a signed repository on the loopback that can be made to go wrong."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

from railbed.effects import signed_repository
from railbed.effects.lab import packages
from railbed.effects.lab.debs import Deb

DEBS = modules.load("debs")
FOLDERS = (
    "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial",
    "var/log/apt", "etc/apt/sources.list.d", "etc/apt/preferences.d", "etc/apt/apt.conf.d", "usr",
)  # fmt: skip
LISTS_LOCK = "var/lib/apt/lists/lock"
ARCHIVES_LOCK = "var/cache/apt/archives/lock"
DPKG_LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock")
HOLD = """
import fcntl, subprocess, sys, time
path, seconds, *then = sys.argv[1:]
with open(path, "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(float(seconds))
    if then:
        subprocess.run(then, check=True, stdout=sys.stderr)
"""
"""Another package manager: has one lock for so long, and ends with a command."""
FAIL = "#!/bin/sh\necho 'no headers of the running kernel' >&2\nexit 1\n"
CALL_APT = "#!/bin/sh\nexec apt-get -y --fix-broken install\n"
FAIL_WHERE_TOLD = '#!/bin/sh\n[ ! -e "$DPKG_ROOT/broken" ] || { echo "told to fail" >&2; exit 1; }\n'
TRIO = {"linux-image-generic": "6.8.0", "nvidia-open": "570.124.06", "nvidia-fabricmanager": "570.124.06"}
"""Kernel, driver and fabric manager of one release, and after it of the next."""
NEXT = {"linux-image-generic": "6.9.0", "nvidia-open": "595.71.05", "nvidia-fabricmanager": "595.71.05"}


def build(folder: Path) -> None:
    """The packages: both releases, a driver whose postinst fails, one that is far too large, one that lacks something."""
    work, target = folder / "work", folder / "repository"
    for each in (work, target):
        each.mkdir()
    for release in (TRIO, NEXT):
        for name, version in release.items():
            Deb(name, f"{version}-1", scripts={"postinst": FAIL_WHERE_TOLD}).write(work, target)
    Deb("nvidia-open", "610.1-1", scripts={"postinst": FAIL}).write(work, target)
    Deb("calling", "1.0-1", scripts={"postinst": CALL_APT}).write(work, target)
    Deb("huge", "1.0-1", fields={"Installed-Size": str(2**42)}).write(work, target)
    Deb("lacking", "1.0-1", fields={"Depends": "nobody-has-this"}).write(work, target)
    packages.index(target)
    signed_repository.sign(target, packages.SIGNER, packages.KEY)


class Server(http.server.ThreadingHTTPServer):
    """Serves the repository; ``gone`` are paths that it answers with 404."""

    gone: tuple[str, ...] = ()


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if any(name in self.path for name in self.server.gone):  # type: ignore[attr-defined]
            self.send_error(404)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Machine:
    """The folder, and what the module does to it."""

    root: Path
    repository: Path
    server: Server

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def source(self, uri: str) -> None:
        """The only package source from now on, trusted by the repository's key."""
        key = "".join(f" {line or '.'}\n" for line in (self.repository / "lab.asc").read_text().splitlines())
        path = self.root / "etc/apt/sources.list.d/railbed.sources"
        path.write_text(f"Types: deb\nURIs: {uri}\nSuites: ./\nSigned-By:\n{key}")

    def bring(
        self, *wanted: str, hold: tuple[str, ...] = (), check: bool = False, patience: int = 20
    ) -> dict[str, Any]:
        given = {"packages": list(wanted), "hold": list(hold), "lock_timeout_s": patience}
        return modules.call(DEBS, check=check, **given)

    def installed(self) -> dict[str, tuple[str, str]]:
        """Name → version and state of everything that dpkg knows."""
        text = (self.root / "var/lib/dpkg/status").read_text()
        blocks = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
                  for block in text.split("\n\n") if block.strip()]  # fmt: skip
        return {block["Package"]: (block.get("Version", ""), block["Status"]) for block in blocks}

    def tree(self) -> dict[str, bytes]:
        """Every file but what apt keeps of lists, archives and logs, and dpkg's locks."""
        passing = ("var/lib/apt", "var/cache", "var/log", "var/lib/dpkg/lock", "var/lib/dpkg/triggers")
        files = [path for path in self.root.rglob("*") if path.is_file()]
        named = {str(path.relative_to(self.root)): path.read_bytes() for path in files}
        return {name: content for name, content in named.items() if not name.startswith(passing)}


@contextmanager
def held(path: Path, seconds: float = 60, *then: str) -> Iterator[int]:
    """The lock is held by another process, whose id this is."""
    # dpkg is told, as apt tells it, that the frontend's lock is held for it.
    argv, environment = [sys.executable, "-c", HOLD, str(path), str(seconds), *then], os.environ
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, env={**environment, "DPKG_FRONTEND_LOCKED": "1"}
    ) as other:
        assert other.stdout and other.stdout.readline() == b"held\n"
        try:
            yield other.pid
        finally:
            other.kill()


def empty(root: Path) -> None:
    """A machine without packages."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()


@contextmanager
def machine(folder: Path, repository: Path, patch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """The machine below ``folder``/root, with the repository as its source."""
    root = folder / "root"
    config = folder / "apt.conf"
    config.write_text(
        f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\nAPT::Sandbox::User "root";\n'
        'Acquire::Retries "0";\nAPT::Architecture "amd64";\n'
    )
    patch.setenv("APT_CONFIG", str(config))
    patch.setenv("DPKG_ROOT", str(root))
    # Maintainer scripts run on this machine, told by DPKG_ROOT where they are: a folder has no shell to change into.
    patch.setenv("DPKG_FORCE", "script-chrootless,downgrade")
    patch.setattr(DEBS, "REFRESHED", str(root / "var/lib/apt/periodic/railbed-refreshed"))
    patch.setattr(DEBS, "HELD", str(root / "var/lib/apt/periodic/railbed-held"))
    patch.setattr(DEBS, "KEPT", str(root / "var/lib/apt/periodic/railbed-kept"))
    patch.setattr(DEBS, "UNFINISHED", str(root / "var/lib/dpkg/updates"))
    patch.setattr(DEBS, "LOCKS", (str(root / DPKG_LOCKS[0]), str(root / DPKG_LOCKS[1])))
    with served(repository) as server:
        made = Machine(root, repository, server)
        made.source(made.uri)
        yield made
