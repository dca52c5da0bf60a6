"""The cluster of a soak: four nodes, a spare that is kept for a swap, one tenant with a user."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from tests.lab.conftest import ROOT, Cli, stacks

from railbed.effects.workspace import Workspace

from .soak_jobs import OWNER, TENANT

NODES, SPARES = 4, 1


@contextmanager
def cluster(stack: str, *, keep: bool) -> Iterator[tuple[Cli, Path]]:
    """Four nodes, a spare that is kept for a swap, one tenant with a user; and the folder with the user's key. ``keep``: a stack
    that stands stays, and is made ready the first time."""
    with ExitStack() as ends:
        cli = (
            Cli(Workspace(ROOT, stack))
            if keep
            else ends.enter_context(stacks())(stack, nodes=NODES, spares=SPARES)
        )
        folder = cli.work.dir / "people"
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        if not (folder / OWNER).exists():
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / OWNER)],
                check=True,
                timeout=30,
            )
            _declare(cli, folder)
            assert cli.json("up", status=None)["validate"]["verdict"] == "pass"
        yield cli, folder


def _declare(cli: Cli, folder: Path) -> None:
    document = yaml.safe_load(cli.work.stack_file.read_text())
    wanted = document["config"]["railbed:cluster"]
    wanted["pools"][0]["spare_jobs"] = "none"
    wanted["users"] = {OWNER: {"keys": [(folder / f"{OWNER}.pub").read_text().strip()]}}
    wanted["tenants"] = [{"name": TENANT, "members": [OWNER], "project": {"filesystem": "scratch"}}]
    cli.work.stack_file.write_text(yaml.safe_dump(document))
