"""Software releases: exact versions, where each comes from, and how a fetched copy is checked."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from railbed.catalog.facts import Entry, Facts, Source

SYSTEM = "os"
"""The component that is the operating system itself; its first alternative that applies is the default."""


class Key(Facts):
    """A signing key of a publisher."""

    fingerprint: str = Field(pattern=r"^[0-9A-F]{40}$")
    url: str = Field(pattern=r"^https?://")
    """Where the public key is published; what lies there is taken only if it has the fingerprint."""
    provenance: Source


class Repository(Facts):
    """A package repository of one system and architecture: a flat one of Debian's format."""

    url: str = Field(pattern=r"^https?://.*/$")
    signing_key: str
    """Name of one of the release's ``keys``."""
    when: dict[str, Any] = Field(default_factory=dict)
    """As in a component."""
    provenance: Source


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
    """Why a fetched copy cannot be checked: what was looked for in vain. Such a file is never fetched."""
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
        checked = bool(self.sha256 or self.signature)
        if self.url and checked == bool(self.unverifiable):
            raise ValueError(
                "a url has either a hash or signature, or says in `unverifiable` what is missing"
            )
        if self.repository and not (self.package and self.package_version):
            raise ValueError("a package of a vendor's repository has its exact package_version")
        if self.pin == "package" and not self.package_version:
            raise ValueError("a pin to the package's version needs `package_version`")
        return self

    @property
    def node_packages(self) -> dict[str, str]:
        """Package → version at which nodes hold it, as apt takes it, or empty. A pin to the program's version keeps the
        package's epoch and leaves open what the packager adds."""
        names = self.installs if self.installs is not None else [self.package] if self.package else []
        epoch, colon, _ = self.package_version.rpartition(":")
        version = {"version": f"{epoch}{colon}{self.version}-*", "package": self.package_version, None: ""}[
            self.pin
        ]
        return dict.fromkeys(names, version)


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
