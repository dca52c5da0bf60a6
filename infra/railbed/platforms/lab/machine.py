"""This machine as the lab's ground: host tools (only where one is missing, never started), caches, leftovers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from railbed.defaults import DOWNLOAD_TIMEOUT_S
from railbed.effects.journal import Journal
from railbed.effects.lab import sweep as remains
from railbed.effects.lab.image import ensure_image
from railbed.effects.lab.machines import image as machine_image
from railbed.effects.lab.packages import ensure_repository
from railbed.effects.lab.training import ensure_training_stack
from railbed.effects.workspace import Workspace
from railbed.platforms.lab.doctor import missing_tools
from railbed.run import run

POLICY = Path("/usr/sbin/policy-rc.d")
DENY = "#!/bin/sh\n# railbed: no service starts while host packages are installed\nexit 101\n"


def prepare(work: Workspace, say: Callable[[str], None], *, machines: bool = False) -> None:
    """Host tools, then image, repository and training stack side by side; ``machines``: the image of virtual ones too."""
    install_missing(Journal(work.journal_file), say, machines=machines)
    tools = work.root / "tools"

    def packages() -> None:
        ensure_image(say)
        ensure_repository(tools, say)
        if machines:
            machine_image.ensure_image(say)

    with ThreadPoolExecutor(max_workers=2) as pool:
        images, stack = pool.submit(packages), pool.submit(ensure_training_stack, tools, say)
        images.result()
        stack.result()


def sweep(work: Workspace) -> list[str]:
    """Removes every namespace, process, cgroup, mount and disk of the stack; returns what was there."""
    return remains.sweep(work.lab_id, work.lab_dir)


def install_missing(journal: Journal, say: Callable[[str], None], *, machines: bool = False) -> list[str]:
    """Installs the Debian packages of missing host tools; returns their names (they stay after `make destroy`)."""
    packages = missing_tools(machines=machines)
    if packages:
        say(f"installing host packages: {', '.join(packages)}")
        install(packages)
        journal.write("host-packages", packages=packages)
    return packages


def install(packages: Sequence[str]) -> None:
    """Installs Debian packages without what they only recommend; none of their services starts."""
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with _starts_denied():
        run(["apt-get", "-q", "update"], env=env, timeout_s=DOWNLOAD_TIMEOUT_S)
        run(
            ["apt-get", "-qy", "install", "--no-install-recommends", *packages],
            env=env,
            timeout_s=DOWNLOAD_TIMEOUT_S,
        )


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
