"""Debian packages made on the spot: stand-ins that carry a vendor's name and version, and say what they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from railbed.effects.lab import content
from railbed.run import run

SCRIPTS = content.STANDINS / "packages"
DESCRIPTION = """\
Description: simulated {package} of the railbed lab
 A stand-in with the name and version of the vendor's package. It contains nothing of the vendor's.
"""
README = """\
SIMULATED. {package} {version} is a stand-in of the railbed lab: the name and version of the vendor's package, and of its
behaviour what the lab exercises. It contains nothing of the vendor's.
"""


@dataclass
class Deb:
    """One package before it is written."""

    package: str
    version: str
    fields: dict[str, str] = field(default_factory=dict)
    """More of the control file."""
    files: dict[str, str | Path] = field(default_factory=dict)
    """Path on the host → text, or a file to copy."""
    programs: set[str] = field(default_factory=set)
    """Of the files, those that may be executed."""
    scripts: dict[str, str] = field(default_factory=dict)
    """Maintainer scripts by name."""

    @property
    def file(self) -> str:
        """Name of the package's file; an epoch is no part of it."""
        return f"{self.package}_{self.version.rpartition(':')[2]}_amd64.deb"

    def write(self, work: Path, target: Path) -> Path:
        """Builds it below ``work`` into the folder ``target``."""
        root = work / self.file.removesuffix(".deb")
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(self._control())
        for name, text in self.scripts.items():
            script = root / "DEBIAN" / name
            script.write_text(text)
            script.chmod(0o755)
        readme = f"/usr/share/doc/{self.package}/README.simulated"
        files = {readme: README.format(package=self.package, version=self.version), **self.files}
        for path, source in files.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.read_bytes() if isinstance(source, Path) else source.encode())
            place.chmod(0o755 if path in self.programs else 0o644)
        run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", root, target / self.file])
        return target / self.file

    def _control(self) -> str:
        fields = {
            "Package": self.package, "Version": self.version, "Architecture": "amd64", "Section": "non-free/misc",
            "Priority": "optional", "Maintainer": "railbed lab <lab@example.invalid>", **self.fields,
        }  # fmt: skip
        text = "".join(f"{name}: {value}\n" for name, value in fields.items())
        return text + DESCRIPTION.format(package=self.package)


def script(name: str, package: str, switch: str) -> str:
    """A maintainer script of ``standins/packages/``, behind what all of them share; ``switch`` is what it is made to do."""
    common = (SCRIPTS / "common.sh").read_text().replace("@PACKAGE@", package).replace("@SWITCH@", switch)
    return common + (SCRIPTS / name).read_text()
