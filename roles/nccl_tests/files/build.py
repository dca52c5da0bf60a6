#!/usr/bin/python3
"""Fetches, checks and builds a program with make into a folder of its own. Standard library only.

usage: build.py --url URL --sha256 HEX --to FOLDER --needs NAME [--needs NAME] [--set NAME=VALUE] [--gpus]

``--needs``: a file that make must leave, without which a build is not one; these are kept, and what fits ``--keep``. In a
VALUE, ``{built}`` is a folder that make builds into (without one it builds where the source lies), and of a path with ``*``
the first that is there counts. ``--gpus`` adds nvcc's options for the GPUs of this machine.

The folder appears whole or not at all. Folders of earlier builds beside it are removed afterwards, but for the one that the
link `bin` names: it is in use until the link is moved. Exit status 0: it is there; 1: the source is not what was published,
or a program failed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

FETCH_TIMEOUT_S = 60
QUERY_TIMEOUT_S = 30
BUILD_TIMEOUT_S = 1800
LAST_LINES = 15
BUILT = re.compile(r"\d.*-")
"""Names of the folders that this program makes."""
IN_USE = "bin"
"""The link beside them."""


class Refused(Exception):
    """What stands in the way; nothing was put in place."""


def fetch(url: str, sha256: str) -> bytes:
    """The archive at ``url``. Raises Refused where it cannot be had or has another hash."""
    try:
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as answer:
            archive: bytes = answer.read()
    except (OSError, urllib.error.URLError, ValueError) as failed:
        raise Refused(f"{url}: {failed}") from None
    found = hashlib.sha256(archive).hexdigest()
    if found != sha256:
        raise Refused(f"{url} has SHA-256 {found}, not {sha256}")
    return archive


def run(argv: list[str], timeout_s: int) -> str:
    """The output of a program. Raises Refused with its last words."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Refused(f"{argv[0]}: {failed}") from None
    if done.returncode:
        told = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:])
        raise Refused(f"{argv[0]} ended with {done.returncode}: {told}")
    return done.stdout


def targets(answer: str) -> str:
    """nvcc's options for the GPUs whose compute capabilities nvidia-smi printed, e.g. ``9.0``. Raises Refused for none."""
    found = sorted({line.strip() for line in answer.splitlines() if re.fullmatch(r"\s*\d+\.\d\s*", line)})
    if not found:
        raise Refused(f"nvidia-smi names no GPU to build for: {answer.strip()!r}")
    codes = [capability.replace(".", "") for capability in found]
    return " ".join(f"-gencode=arch=compute_{code},code=sm_{code}" for code in codes)


def setting(word: str, built: Path) -> str:
    """``NAME=VALUE`` for make. Raises Refused where nothing fits a path with ``*``."""
    name, _, value = word.partition("=")
    value = value.replace("{built}", str(built))
    if "*" in value:
        found = [str(path) for path in sorted(Path("/").glob(value.lstrip("/")))]
        if not found:
            raise Refused(f"{name}: nothing is at {value}")
        value = found[0]
    return f"{name}={value}"


def build(archive: bytes, settings: list[str], needs: list[str], work: Path, gpus: bool = False) -> Path:
    """Folder with what make left, below ``work``. Raises Refused where something fails or one of ``needs`` is missing."""
    packed = work / "source.tar.gz"
    packed.write_bytes(archive)
    try:
        with tarfile.open(packed) as source:
            # What is unpacked here has the hash of the release.
            source.extractall(work / "source")
    except (tarfile.TarError, OSError) as broken:
        raise Refused(f"the archive cannot be unpacked: {broken}") from None
    tops = list((work / "source").iterdir())
    if len(tops) != 1:
        raise Refused(f"the archive has {len(tops)} folders at its top, not one")
    built = work / "built"
    words = [setting(word, built) for word in settings]
    if gpus:
        smi = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
        words.append(f"NVCC_GENCODE={targets(run(smi, QUERY_TIMEOUT_S))}")
    run(["make", f"-j{os.cpu_count() or 1}", "-C", str(tops[0]), *words], BUILD_TIMEOUT_S)
    left = built if any("{built}" in word for word in settings) else tops[0]
    if missing := [name for name in needs if not (left / name).is_file()]:
        raise Refused(f"make ended well and left no {', '.join(missing)}")
    return left


def place(built: Path, keep: list[str], to: Path) -> None:
    """Puts the files that fit ``keep`` in place in one step, then removes what earlier builds left and nobody uses."""
    whole = built.with_name("whole")
    whole.mkdir(mode=0o755)
    for program in [found for pattern in keep for found in built.glob(pattern)]:
        shutil.copy2(program, whole / program.name)
    whole.rename(to)
    used = (to.name, (to.parent / IN_USE).resolve().name)
    for other in to.parent.iterdir():
        if other.is_dir() and not other.is_symlink() and other.name not in used and BUILT.match(other.name):
            shutil.rmtree(other)


def main(argv: list[str]) -> int:
    """Entry point of the program."""
    parser = argparse.ArgumentParser(description="Build a program from its hashed source.")
    for name in ("url", "sha256"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--needs", action="append", required=True)
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--gpus", action="store_true")
    given = parser.parse_args(argv)
    if given.to.is_dir():
        return 0
    given.to.parent.mkdir(parents=True, exist_ok=True)
    try:
        archive = fetch(given.url, given.sha256)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=given.to.parent) as work:
            built = build(archive, given.settings, given.needs, Path(work), given.gpus)
            place(built, given.keep or given.needs, given.to)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
