"""Whether apt takes the lists that publishers serve now, and finds a way for each class of nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from debian.debian_support import Version

from railbed.catalog import FLAT
from railbed.effects import signed_repository
from railbed.effects.apt_root import AptRoot
from railbed.effects.download import FetchError, download
from railbed.effects.mirror import LOCAL as MIRRORED
from railbed.effects.mirror.debian import Index
from railbed.toolbox.release_check import published
from railbed.toolbox.release_check.items import Item, NotLookedAt, judged
from railbed.toolbox.release_check.scope import Group, Scope
from railbed.toolbox.release_check.transactions import KERNEL, LOCAL, Transaction

SIGNER, KEY = "railbed release check <check@example.invalid>", "repository.asc"
INSTALLS = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", re.MULTILINE)
"""Package and version."""
SKIPPED = "Skipping acquire"
"""So apt warns, and goes on, where the signed index names no list of packages of this architecture."""
SAID = 600
"""Characters of what apt said, from the end."""


@dataclass(frozen=True)
class Source:
    """One of apt's sources."""

    serves: str
    """Name that transactions have for it: the system, a repository of the release, or LOCAL."""
    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: Path

    @property
    def lines(self) -> str:
        signed = f"deb [signed-by={self.keyring}]"
        return "\n".join(" ".join([signed, self.url, suite, *self.components]) for suite in self.suites)

    @property
    def index(self) -> str:
        """What its server has to answer with first."""
        suite = self.suites[0]
        return self.url + ("InRelease" if suite == FLAT else f"dists/{suite}/InRelease")


class Resolver:
    """Of hosts of one system and architecture. ``folder``: of what publishers gave."""

    def __init__(self, wanted: Scope, group: Group, folder: Path) -> None:
        """Raises HostError without gpg."""
        self.wanted, self.group, self.folder = wanted, group, folder
        self.sources = {f"{one.serves} {at}": one for at, one in enumerate(self._sources())}
        place = folder / ("apt-" + "-".join(group).replace(" ", ""))
        self.root = AptRoot(place, group[1], {name: one.lines for name, one in self.sources.items()})
        self.good: set[str] = set()
        """Names of the sources that apt takes."""

    def items(self, say: Callable[[str], None]) -> Iterator[Item]:
        """Each source, then each class of nodes."""
        _, architecture = self.group
        for name, source in self.sources.items():
            called = " ".join(
                ["apt", source.url if source.serves != LOCAL else LOCAL, *source.suites, architecture]
            )
            item = judged("repository", called, source.url, "apt takes it", partial(self._taken, name))
            self.good |= {name} if item.state == "pass" else set()
            say(f"{item.kind} {item.name}: {item.state}")
            yield item
        for transaction, nodes in self.wanted.transactions[self.group].items():
            called = f"{nodes} {architecture}"
            count = f"{len(transaction.packages)} packages together"
            where = " ".join(sorted(transaction.sources))
            item = judged("transaction", called, where, count, partial(self._resolved, transaction))
            say(f"{item.kind} {item.name}: {item.state}")
            yield item

    def _sources(self) -> Iterator[Source]:
        system, _ = self.group
        for archive in self.wanted.archives[self.group]:
            yield Source(
                system, archive.url, tuple(archive.suites), tuple(archive.components), Path(archive.keyring)
            )
        for name, place in self.wanted.sources.get(self.group, {}).items():
            one = self.wanted.repositories[place]
            keyring = published.work_of(self.folder, place) / published.KEYRING
            if keyring.is_file():  # else its index is not good, and no transaction takes it
                yield Source(name, one.index.url, (one.index.suite,), tuple(one.index.components), keyring)
        local = self.folder / published.files_of(self.group) / MIRRORED
        if (local / "Release").is_file():
            signed_repository.sign(local, SIGNER, KEY)
            yield Source(LOCAL, f"file:{local}/", (FLAT,), (), local / KEY)

    def _taken(self, name: str) -> str:
        source = self.sources[name]
        if not source.keyring.is_file():
            raise NotLookedAt(
                f"{source.keyring} is not on this machine: install its package", path=str(source.keyring)
            )
        if source.serves != LOCAL:
            download(source.index, self.folder / "answers")  # apt reports silence and refusal alike
        done = self.root.update(name)
        if not done.ok or SKIPPED in done.stderr:
            raise FetchError("apt refuses it", path=source.url, found=done.tail()[-SAID:])
        return "signature, age and hashes hold"

    def _resolved(self, asked: Transaction) -> str:
        names = {name for name, one in self.sources.items() if one.serves in asked.sources}
        lacking = asked.sources - {one.serves for one in self.sources.values()}
        if bad := sorted({self.sources[name].serves for name in names - self.good} | (lacking - {LOCAL})):
            raise NotLookedAt(f"not every source is good: {', '.join(bad)}", path=bad[0])
        if absent := sorted(_own(asked) - self._local()):
            raise NotLookedAt(
                f"not fetched, so not in the cluster's own repository: {', '.join(absent)}", path=LOCAL
            )
        done = self.root.resolve(asked.on(self._kernel(asked, names)).packages, names, asked.parts)
        if not done.ok:
            raise FetchError("apt finds no way", path=LOCAL, found=(done.stdout + done.stderr)[-SAID:])
        taken = INSTALLS.findall(done.stdout)
        if newer := sorted(_newer(asked, taken)):
            raise FetchError(
                "apt takes packages that are newer than the release pins them",
                path=LOCAL, found=newer, allowed=sorted("=".join(pin) for pin in asked.parts.items()),
            )  # fmt: skip
        return f"{len(taken)} packages"

    def _local(self) -> set[str]:
        index = self.folder / published.files_of(self.group) / MIRRORED / "Packages"
        return set(Index("", index.read_text()).packages) if index.is_file() else set()

    def _kernel(self, asked: Transaction, names: set[str]) -> str:
        """The newest kernel that every package of one kernel is there for; empty where nothing asks for one."""
        prefixes = [one.partition(KERNEL)[0] for one in asked.packages if KERNEL in one]
        if not prefixes:
            return ""
        found = [{name.removeprefix(one) for name in self.root.names(one, names)} for one in prefixes]
        kernels = [one for one in set.intersection(*found) if one[:1].isdigit()]
        if not kernels:
            raise FetchError("no kernel has all of its packages", path=self.group[0], found=sorted(prefixes))
        return max(kernels, key=Version)


def _newer(asked: Transaction, taken: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Parts of what is pinned that have another version than it and a newer one: their source has not the pinned one, and a
    dependency allows it. What is older is no part: NVIDIA's other packages, which the same names fit, are numbered below its
    drivers."""
    for name, version in taken:
        for pattern, pin in asked.parts.items():
            if (
                fnmatchcase(name, pattern)
                and not fnmatchcase(version, pin)
                and Version(version) > Version(pin.rstrip("-*"))
            ):
                yield f"{name} {version}"


def _own(asked: Transaction) -> set[str]:
    return {package.partition("=")[0] for package, source in asked.asked if source == LOCAL}
