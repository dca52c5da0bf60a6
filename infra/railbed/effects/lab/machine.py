"""Host packages for the lab: installed only where a tool is missing, and never started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from railbed.defaults import DOWNLOAD_TIMEOUT_S
from railbed.effects.journal import Journal
from railbed.effects.lab.doctor import missing_tools
from railbed.run import run

POLICY = Path("/usr/sbin/policy-rc.d")
DENY = "#!/bin/sh\n# railbed: no service starts while host packages are installed\nexit 101\n"


def install_missing(journal: Journal, say: Callable[[str], None]) -> list[str]:
    """Installs the Debian packages of missing host tools; returns their names (they stay after `make destroy`)."""
    packages = missing_tools()
    if packages:
        say(f"installing host packages: {', '.join(packages)}")
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        with _starts_denied():
            run(["apt-get", "-q", "update"], env=env, timeout_s=DOWNLOAD_TIMEOUT_S)
            run(["apt-get", "-qy", "install", "--no-install-recommends", *packages], env=env, timeout_s=DOWNLOAD_TIMEOUT_S)
        journal.write("host-packages", packages=packages)
    return packages


def installed_before(journal: Journal) -> list[str]:
    """Host packages that railbed ever installed from this checkout."""
    return sorted({name for event in journal.read() if event["event"] == "host-packages" for name in event["packages"]})


@contextmanager
def _starts_denied() -> Iterator[None]:
    """Keeps package scripts from starting services; an existing policy of the machine is left as it is."""
    ours = not POLICY.exists() or POLICY.read_text() == DENY
    if ours:
        POLICY.write_text(DENY)
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
