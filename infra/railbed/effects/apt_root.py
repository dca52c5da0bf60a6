"""A folder that this machine's apt takes for another machine: it reads sources and resolves, and installs nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from railbed.defaults import DOWNLOAD_TIMEOUT_S
from railbed.errors import HostError
from railbed.run import Result, run

FOLDERS = ("lists/partial", "archives/partial", "etc/preferences.d")
OWN = "etc/preferences.d/railbed"
"""What role packages writes of its pins. Files beside it are taken too, in the order of their names, as on a machine."""
NETWORK = ("Acquire::http", "Acquire::https", "Acquire::socks")
"""What this machine says of its proxies holds here too; nothing else of its configuration does, and none of its hooks."""


def require() -> None:
    """Raises HostError where this machine has no apt."""
    if shutil.which("apt-get") is None:
        raise HostError(
            "apt is not installed: it resolves packages", path="apt-get", hint="run it on Debian or Ubuntu"
        )


class AptRoot:
    """A machine of one architecture without packages. ``sources``: name → its lines of sources.list."""

    def __init__(self, folder: Path, architecture: str, sources: Mapping[str, str]) -> None:
        self.folder, self.sources = folder, sources
        for name in FOLDERS:
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        settings = {
            "Dir::State::lists": folder / "lists", "Dir::State::status": folder / "status",
            "Dir::Cache::archives": folder / "archives", "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::sourcelist": folder / "etc/sources.list", "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": folder / "etc/preferences.d",
            "Dir::Etc::main": "/dev/null", "Dir::Etc::parts": "/dev/null", "Dir::Etc::trustedparts": "/dev/null",
            "APT::Architecture": architecture, "APT::Architectures": architecture, "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any", "APT::Get::List-Cleanup": "false", "APT::List-Cleanup": "false",
            "Acquire::Languages": "none", "Debug::NoLocking": "true",
        }  # fmt: skip
        own = [f'{name} "{value}";' for name, value in settings.items()]
        self.settings = folder / "apt.conf"
        self.settings.write_text("\n".join([*_network(), *own]) + "\n")

    def update(self, source: str) -> Result:
        """Fetches the lists of one, as apt checks them: signature, age, hashes. It fails where they do not hold."""
        self._take([source])
        return self._run("apt-get", "-q", "update")

    def resolve(
        self,
        packages: Iterable[str],
        sources: Iterable[str],
        parts: Mapping[str, str] | None = None,
        kept: Iterable[str] = (),
    ) -> Result:
        """What apt would do with these sources alone, as the module ``debs`` asks it and with what role packages pins:
        ``packages`` and ``parts`` at their versions, and ``kept``, which an image brings."""
        self._take(sources)
        asked = sorted(package.split("=", 1) for package in packages if "=" in package)
        pins = [(name, f"version {pin}", 1002) for name, pin in [*asked, *sorted((parts or {}).items())]]
        pins += [(name, "release a=now", 1001) for name in sorted(kept)]
        (self.folder / OWN).write_text(
            "\n".join(f"Package: {name}\nPin: {pin}\nPin-Priority: {rank}\n" for name, pin, rank in pins)
        )
        allowed = ["--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages"]
        return self._run("apt-get", "-s", *allowed, "install", *sorted(packages))

    def names(self, prefix: str, sources: Iterable[str]) -> set[str]:
        """Packages of these sources whose name begins so."""
        self._take(sources)
        return set(self._run("apt-cache", "pkgnames", prefix).stdout.split())

    def _take(self, sources: Iterable[str]) -> None:
        lines = [f"{self.sources[name]}\n" for name in sorted(sources)]
        (self.folder / "etc/sources.list").write_text("".join(lines))

    def _run(self, *words: str) -> Result:
        environment = {"APT_CONFIG": str(self.settings), "LC_ALL": "C"}
        return run(words, check=False, timeout_s=DOWNLOAD_TIMEOUT_S, env=environment)


def _network() -> list[str]:
    said = run(["apt-config", "dump"], check=False).stdout.splitlines()
    return [line for line in said if line.startswith(NETWORK)]
