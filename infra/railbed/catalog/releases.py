"""Software releases: exact versions, where each comes from, and how a fetched copy is checked."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from railbed.catalog.facts import Entry, Facts, Source

FLAT = "./"
"""The suite of a repository without suites."""
PATTERN = r"[a-z0-9*][a-z0-9+.*-]*"
"""Of names of packages, with ``*``."""
SYSTEM = "os"
"""The component that is the operating system itself; its first alternative that applies is the default."""


class Key(Facts):
    """A signing key of a publisher, or the few that it signs with in turn."""

    fingerprints: list[str] = Field(default_factory=list)
    """Of the primary keys that sign. The file at ``url`` may hold more; those are passed on to nobody."""
    url: str = Field(pattern=r"^https?://")
    """Where the public key is published; of what lies there only keys with these fingerprints are taken."""
    unpinned: str = ""
    """Why the release has no fingerprint: what was looked for in vain. `railbed software pin` records one."""
    provenance: Source

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if bool(self.fingerprints) == bool(self.unpinned):
            raise ValueError("a key has `fingerprints`, or says in `unpinned` what is missing")
        if wrong := [one for one in self.fingerprints if not re.fullmatch("[0-9A-F]{40}", one)]:
            raise ValueError(f"a fingerprint has 40 digits of hexadecimal: {wrong[0]}")
        return self

    @property
    def fingerprint(self) -> str:
        """All of them, a space between; empty where none is known."""
        return " ".join(self.fingerprints)


class Repository(Facts):
    """A package repository of one system and architecture, of Debian's format."""

    url: str = Field(pattern=r"^https?://.*/$")
    suite: str = Field(default=FLAT, pattern=r"^[A-Za-z0-9.][A-Za-z0-9./_-]*$")
    """A suite below ``dists/``, or a path that ends in a slash: a flat repository."""
    components: list[str] = Field(default_factory=list)
    """Of the suite; a flat repository has none."""
    signing_key: str
    """Name of one of the release's ``keys``."""
    when: dict[str, Any] = Field(default_factory=dict)
    """As in a component."""
    provenance: Source

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if self.suite.endswith("/") == bool(self.components):
            raise ValueError("a suite has components, and a flat repository (its suite ends in a slash) none")
        return self


class Archive(Facts):
    """Where a distribution's own packages come from, on one system and architecture."""

    url: str = Field(pattern=r"^https?://.*/$")
    suites: list[str] = Field(min_length=1)
    components: list[str] = Field(min_length=1)
    keyring: str = Field(pattern=r"^/usr/share/keyrings/[a-z-]+\.gpg$")
    """The distribution's own keys, which every installation of it has."""
    when: dict[str, Any] = Field(default_factory=dict)
    """As in a component."""
    provenance: Source


class Component(Facts):
    """One program of a release, exactly."""

    version: str = Field(min_length=1)
    """As the program reports it."""
    when: dict[str, Any] = Field(default_factory=dict)
    """Conditions, as of a rule, on ``os``, ``filesystem`` (the kinds that are mounted) and facts of the machine; the
    first alternative of which all hold is installed."""
    package: str = ""
    """Package of its system that brings it; empty where no package does."""
    package_version: str = ""
    """Exact package version; empty where the distribution's point release may add to ``version``."""
    installs: list[str] | None = None
    """Packages by which nodes install it; None: ``package``, where there is one."""
    pin: Literal["version", "package"] | None = None
    """Nodes hold them at ``version``, whatever the packager adds, or at ``package_version``; None: any version."""
    parts: list[str] = Field(default_factory=list)
    """Names, with ``*``, of packages that have this version where something brings them. A vendor's package depends on others of
    exactly its version, or of a newer one too, and apt by itself takes the newest."""
    repository: str = ""
    """Name of the release's ``repositories`` that has the package; empty: the distribution's own."""
    url: str = Field(default="", pattern=r"^(https?://.+)?$")
    """The file, where it comes from no package repository."""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Of that file."""
    signature: str = Field(default="", pattern=r"^(https?://.+)?$")
    """Its detached OpenPGP signature."""
    signing_key: str = ""
    """Name of the release's ``keys`` that made the signature."""
    unverifiable: str = ""
    """Why a copy cannot be had by everybody, or never be checked. Such a file is never fetched."""
    unpinned: str = ""
    """Why the release has no hash of the file: what was looked for in vain. `railbed software pin` records one, and until
    then it is never fetched."""
    opens: str = ""
    """Of an archive: which of its members are the Debian packages for a node, as a pattern with ``*``. ``{system}`` stands for
    the system (``UBUNTU2404``), ``{machine}`` for its CPU as the kernel calls it (``x86_64``)."""
    built: bool = False
    """Whether each node builds it from the source at ``url``: no package brings it."""
    optional: bool = False
    """Of a source that nodes build: whether a node, and so the cluster's own repository, may do without."""
    purl: str = Field(default="", pattern=r"^(pkg:.+)?$")
    """Package URL, where it is not made from the package's name."""
    in_lab: bool = True
    """False where the lab's repository has no stand-in, so that lab hosts do without."""
    reason: str = Field(min_length=8)
    provenance: Source

    @model_validator(mode="after")
    def _checkable(self) -> Self:
        if bool(self.signature) != bool(self.signing_key):
            raise ValueError("a signature needs a signing key, and a key a signature")
        if (self.sha256 or self.signature) and not self.url:
            raise ValueError("a hash or signature needs the url that it is of")
        said = [bool(self.sha256 or self.signature), bool(self.unverifiable), bool(self.unpinned)]
        if self.url and sum(said) != 1:
            raise ValueError(
                "a url has either a hash or signature, or says in `unpinned` or `unverifiable` what is missing"
            )
        if self.repository and self.package and not self.package_version:
            raise ValueError("a package of a vendor's repository has its exact package_version")
        if self.repository and not self.node_packages:
            raise ValueError("what comes from a repository is a `package`, or `installs` some of it")
        if (self.opens or self.built) and not self.url:
            raise ValueError("what is opened or built has a url")
        if self.optional and not self.built:
            raise ValueError("only what nodes build can be `optional`")
        if self.pin == "package" and not self.package_version:
            raise ValueError("a pin to the package's version needs `package_version`")
        if self.parts and not self.pin:
            raise ValueError("`parts` have the version of a `pin`")
        if wrong := [name for name in self.parts if not re.fullmatch(PATTERN, name)]:
            raise ValueError(f"no name of a package: {wrong[0]}")
        return self

    @property
    def served_by(self) -> Literal["repository", "archive", "built", "distribution", "none"]:
        """Where nodes have it from: a vendor's signed repository; packages that are a file by themselves or lie in an archive
        (they come by the cluster's own repository); a source that each node builds; the distribution, or another component
        that brings it. ``none``: nobody serves it."""
        if self.repository:
            return "repository"
        if self.built:
            return "built"
        if self.unverifiable:
            return "none"
        return "archive" if self.url and self.node_packages else "distribution"

    @property
    def node_packages(self) -> dict[str, str]:
        """Package → version at which nodes hold it, as apt takes it, or empty. A pin to the program's version keeps the
        package's epoch and leaves open what the packager adds."""
        names = self.installs if self.installs is not None else [self.package] if self.package else []
        return dict.fromkeys(names, self._pinned)

    @property
    def part_packages(self) -> dict[str, str]:
        """Names of ``parts`` → the same version."""
        return dict.fromkeys(self.parts, self._pinned)

    @property
    def _pinned(self) -> str:
        epoch, colon, _ = self.package_version.rpartition(":")
        versions = {"version": f"{epoch}{colon}{self.version}-*", "package": self.package_version, None: ""}
        return versions[self.pin]


class Release(Entry):
    """A set of versions that go together."""

    training_stack_path: str
    keys: dict[str, Key] = Field(default_factory=dict)
    repositories: dict[str, Repository | list[Repository]] = Field(default_factory=dict)
    """Name → the repository, or one per system and architecture."""
    archives: dict[str, list[Archive]] = Field(default_factory=dict)
    """Distribution → its archives, for what comes from no vendor's repository."""
    components: dict[str, Component | list[Component]]
    """Name → the component, or its alternatives, the first that applies first."""
    other_versions: dict[str, list[Component]] = Field(default_factory=dict)
    """Versions that a repository carries besides, e.g. the driver before; no converge installs them."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        if SYSTEM not in self.components:
            raise ValueError(f"`components` names no {SYSTEM!r}")
        named = [r.signing_key for name in self.repositories for r in self.repositories_of(name)]
        every = [c for name in self.components for c in self.alternatives(name)]
        named += [c.signing_key for c in every if c.signing_key]
        if unknown := sorted(set(named) - set(self.keys)):
            raise ValueError(f"`keys` has no {', '.join(unknown)}")
        if unknown := sorted({c.repository for c in every if c.repository} - set(self.repositories)):
            raise ValueError(f"`repositories` has no {', '.join(unknown)}")
        return self

    def alternatives(self, name: str) -> list[Component]:
        """All alternatives of a component, in order; empty for one that the release does not have."""
        found = self.components.get(name, [])
        return found if isinstance(found, list) else [found]

    def repositories_of(self, name: str) -> list[Repository]:
        """All repositories of a name, in order."""
        found = self.repositories.get(name, [])
        return found if isinstance(found, list) else [found]

    @property
    def systems(self) -> list[str]:
        """Operating systems that the release is made for, as ``<id> <version id>`` of /etc/os-release."""
        return list(dict.fromkeys(system.version for system in self.alternatives(SYSTEM)))
