#!/usr/bin/python3
"""Fetches a locked list of Python packages, each by its hash, into a folder of its own. Standard library only.

usage: bring.py --requirements FILE --to FOLDER --torch VERSION [--wheels URL]...

The folder appears whole, and only once torch and the NCCL in it can be loaded; until then an earlier one stays as it is. Which
index pip asks is the node's own setting (/etc/pip.conf), unless pages of wheels are named: then each is asked in turn until one
has them all, and nothing else. The hashes are the list's. Prints `there` or `fetched` and the version of NCCL. Exit status 1:
something could not be had, has another hash, or cannot be loaded; nothing was changed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

FETCH_TIMEOUT_S = 3600
LOAD_TIMEOUT_S = 120
LAST_LINES = 15
BEGUN = ".fetching-"
BEFORE = ".before-"
SERVED = "/opt/railbed/wheels"
"""Where controllers have them (railbed.defaults.NODE_WHEELS)."""
DAMAGED = ("DO NOT MATCH THE HASHES", "HTTP ERROR 404")
"""What pip says of a file that is not the list's, and of one that the page lists and that is not there."""
LOAD = "import torch, torch.distributed; print(torch.cuda.nccl.version())"


class Refused(Exception):
    """What stands in the way; nothing was put in place."""


def version(folder: Path) -> str:
    """Of the torch in the folder, without the local part that names the CUDA build; empty where there is none."""
    found = importlib.metadata.distributions(name="torch", path=[str(folder)])
    return next((one.version.split("+")[0] for one in found), "")


def run(argv: list[str], timeout_s: int, **environment: str) -> str:
    """The output of a program. Raises Refused with its last words."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, **environment},
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Refused(f"{argv[0]}: {failed}") from None
    if done.returncode:
        output = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:])
        raise Refused(output or f"{argv[0]} ended with {done.returncode}")
    return done.stdout.strip()


def fetch(requirements: Path, new: Path, page: str) -> None:
    """Puts the list into the empty folder ``new``: of the wheels on ``page`` alone, or of the node's index. Raises Refused."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--require-hashes",
        "--only-binary=:all:",
    ]
    if page:
        # They are fetched once: a copy in pip's cache would only fill the disk.
        pip += ["--no-cache-dir", "--no-index", f"--find-links={page}"]
        if urlsplit(page).scheme == "http":
            # Else pip passes over such a page. Each file is checked by its hash all the same.
            pip.append(f"--trusted-host={urlsplit(page).netloc}")
    run([*pip, f"--target={new}", f"--requirement={requirements}"], FETCH_TIMEOUT_S)


def cure(page: str, said: str) -> str:
    """A line for whoever serves a page with a file that is damaged or gone; empty where pip says something else."""
    if not page or not any(one in said.upper() for one in DAMAGED):
        return ""
    host, digest = urlsplit(page).hostname, urlsplit(page).path.split("/")[1]
    if re.fullmatch("[0-9a-f]{12}", digest):
        return (
            f"\ncontroller {host} has a file that is damaged or gone: there, as root, `rm {SERVED}/{digest}.whole`; then "
            "`railbed converge` compares all of them and carries again what differs"
        )
    return (
        f"\nthe mirror {host} has a file that is damaged or gone: "
        "`railbed software mirror` compares all of them and fetches it again"
    )


def fetch_from_any(requirements: Path, new: Path, pages: list[str]) -> None:
    """The same of the first page that has them all. Raises Refused with what each said."""
    said = []
    for page in pages or [""]:
        try:
            fetch(requirements, new, page)
            return
        except Refused as refused:
            said.append(f"{page}: {refused}{cure(page, str(refused))}" if page else str(refused))
            for left in new.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    raise Refused("\n".join(said))


def bring(requirements: Path, to: Path, torch: str, pages: list[str]) -> str:
    """What torch says of its NCCL, from the new folder. ``pages``: the only ones that are asked. Raises Refused."""
    for left in [*to.parent.glob(f"{BEGUN}*"), *to.parent.glob(f"{BEFORE}*")]:
        shutil.rmtree(left)
    new = Path(tempfile.mkdtemp(prefix=BEGUN, dir=to.parent))
    try:
        fetch_from_any(requirements, new, pages)
        if version(new) != torch:
            raise Refused(f"the list brought torch {version(new) or 'not at all'}, not {torch}")
        said = run([sys.executable, "-c", LOAD], LOAD_TIMEOUT_S, PYTHONPATH=str(new))
        new.chmod(0o755)
        old = to.parent / f"{BEFORE}{os.getpid()}"
        if to.exists():
            to.rename(old)
        new.rename(to)
        if old.exists():
            shutil.rmtree(old)
    finally:
        if new.exists():
            shutil.rmtree(new)
    return said


def main(argv: list[str]) -> int:
    """Entry point of the program."""
    parser = argparse.ArgumentParser(description="Fetch the training stack.")
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--torch", required=True)
    parser.add_argument("--wheels", action="append", default=[])
    given = parser.parse_args(argv)
    if version(given.to) == given.torch:
        print("there")
        return 0
    given.to.parent.mkdir(parents=True, exist_ok=True)
    try:
        print(f"fetched; NCCL {bring(given.requirements, given.to, given.torch, given.wheels)}")
    except (Refused, OSError) as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
