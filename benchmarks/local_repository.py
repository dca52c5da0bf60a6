"""Measures how long what nodes install from is fetched and built into an empty cache, and how long it takes again.

usage: .venv/bin/python benchmarks/local_repository.py [--release 2026.12] [--system "debian 12"] [--installer-mib 1024] [--lab]

Into a cache of its own, which goes again; minutes, and about 10 GB of disk for that time (with --lab 15, as root, for the
image of the lab's hosts and its repository, from Debian's own archive). Wheels come from PyPI. What vendors publish stands in:
files of this size built here and served from loopback, so that the vendors' networks are not measured. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import os
import platform
import resource
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from railbed import catalog, plan, spec
from railbed.effects import local_repository, local_wheels
from railbed.effects.lab.image import ensure_image
from railbed.effects.lab.packages import ensure_repository
from railbed.effects.mirror.wheels import lists
from railbed.effects.workspace import cache_dir
from railbed.plan import sources
from railbed.software.artefacts import Artefact

ROOT = Path(__file__).resolve().parents[1]
MACHINE = "metal/hgx-h100-ib"
PACKAGES = 8
"""Of the installer that stands for a vendor's."""
BUDGET_S = 600.0
MIB = 1 << 20


def main() -> None:
    """Prints the table."""
    given = _options()
    release = catalog.load_release(given.release)
    machine = catalog.load_machine(MACHINE)
    chosen = [*sources.wheel_sets(release, [machine], [], given.system)]
    sourced = sources.archives(release, [machine], [], given.system)
    with tempfile.TemporaryDirectory(prefix="railbed-benchmark-") as folder:
        work = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(work / "cache")
        with served(work / "vendor") as url:
            wanted = [
                *_sources(sourced, work / "vendor", url),
                _installer(work / "vendor", url, given.installer_mib),
            ]
            stages = {
                "wheels, from PyPI": lambda: local_wheels.ensure(
                    release.key, chosen, lists(ROOT, release), cache_dir(), _quiet
                ),
                f"repository, {given.installer_mib} MiB from loopback": lambda: local_repository.ensure(
                    release.key, wanted, cache_dir(), _quiet
                ),
            }
            if given.lab:
                stages["lab: image, from Debian"] = lambda: ensure_image(_quiet)
                stages["lab: repository"] = lambda: ensure_repository(ROOT / "tools", _quiet)
            print(f"{datetime.now(UTC):%Y-%m-%d %H:%M}  Linux {platform.release()}  {os.cpu_count()} CPUs")
            print(f"release {release.key}, {MACHINE}, {given.system}; load {os.getloadavg()[0]:.0f}")
            for title in ("built once", "again"):
                print(f"{title:38} {'seconds':>9} {'processor':>10} {'MB':>7} {'MB/s':>7}")
                _run(stages)


def _options() -> argparse.Namespace:
    known = plan.plan(spec.load(ROOT / "examples/lab-cluster.yaml"))
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--release", default=known.software.release)
    options.add_argument("--system", default="debian 12")
    options.add_argument("--installer-mib", type=int, default=1024)
    options.add_argument("--lab", action="store_true")
    return options.parse_args()


def _run(stages: dict[str, Callable[[], object]]) -> None:
    whole = 0.0
    for title, work in stages.items():
        before = _bytes(cache_dir())
        start, processor = time.perf_counter(), _processor_s()
        work()
        took, used = time.perf_counter() - start, _processor_s() - processor
        whole += took
        new = (_bytes(cache_dir()) - before) / 1e6
        print(f"{title:38} {took:9.2f} {used:10.2f} {new:7.0f} {new / took if new else 0:7.1f}", flush=True)
    print(f"{'all of it':38} {whole:9.2f}   {whole / BUDGET_S:.3f} of {BUDGET_S:.0f} s\n", flush=True)


def _sources(known: list[Artefact], folder: Path, url: str) -> Iterator[Artefact]:
    """The release's own list of files, each with a file of 1 MiB in its place that opens to nothing."""
    for one in known:
        if one.built:
            (folder / one.component).write_bytes(os.urandom(MIB))
            yield _here(one, folder / one.component, url)


def _installer(folder: Path, url: str, size_mib: int) -> Artefact:
    """An archive of Debian packages, as EFA's installer is one."""
    archive = folder / "installer.tar.gz"
    with (
        tempfile.TemporaryDirectory(dir=folder) as work,
        tarfile.open(archive, "w:gz", compresslevel=1) as tar,
    ):
        for number in range(PACKAGES):
            root = Path(work) / f"part{number}"
            (root / "DEBIAN").mkdir(parents=True)
            (root / "DEBIAN/control").write_text(
                f"Package: part{number}\nVersion: 1\nArchitecture: amd64\nMaintainer: benchmark <b@example.invalid>\n"
                "Description: of a benchmark\n"
            )
            with (root / "data").open("wb") as data:
                for _ in range(size_mib // PACKAGES):
                    data.write(os.urandom(MIB))
            deb = Path(work) / f"part{number}_1_amd64.deb"
            subprocess.run(["dpkg-deb", "-Znone", "-b", root, deb], check=True, capture_output=True)
            tar.add(deb, f"installer/{deb.name}")
            deb.unlink()
            (root / "data").unlink()
    blank = Artefact(component="installer", version="1", kind="file", opens="installer/*.deb")
    return _here(blank, archive, url)


def _here(one: Artefact, file: Path, url: str) -> Artefact:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return one.model_copy(update={"url": f"{url}/{file.name}", "sha256": digest, "signature": ""})


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder on loopback."""
    folder.mkdir()
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing between the rows."""


def _processor_s() -> float:
    """Of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _quiet(_: str) -> None:
    """The table says what there is."""


if __name__ == "__main__":
    main()
