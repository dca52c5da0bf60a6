"""A release's bill of materials in CycloneDX 1.6 (ECMA-424). The same release gives the same text."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component as Material
from cyclonedx.model.component import ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from railbed.catalog import SYSTEM, Component, Machine, Release, Rules
from railbed.software.compat import repository_of, select
from railbed.software.compat.conditions import numbers, parse

NAMESPACE = uuid.UUID("0e3f8f0a-6f6a-5d0b-9d56-2f8d3b1f4c11")
"""Of the serial numbers, which are made from the content."""
_TYPES = {"kernel": ComponentType.OPERATING_SYSTEM, "nvidia_driver": ComponentType.DEVICE_DRIVER}
NVIDIA = ("cuda", "container_toolkit")
"""Repositories of one vendor."""
_CONTAINERS = ("gib", "dcgm_exporter")


def sbom(
    release: Release,
    rules: Iterable[Rules],
    machine: Machine | None,
    os: str,
    filesystems: Iterable[str] = (),
) -> str:
    """JSON of one machine and system; without a machine, of every alternative (of ``os`` alone where it is given)."""
    licenses = {name: trait.license for file in rules for name, trait in file.components.items()}
    parts = list(_parts(release, machine, os, list(filesystems)))
    materials = [
        _material(release, name, component, machine, os, licenses.get(name, "")) for name, component in parts
    ]
    root = Material(
        type=ComponentType.PLATFORM, name="railbed-release", version=release.key, description=release.title,
        bom_ref=f"release@{release.key}",
    )  # fmt: skip
    bom = Bom(components=materials, metadata=BomMetaData(component=root))
    bom.metadata.timestamp = _checked(parts)
    bom.metadata.tools.components.clear()
    bom.register_dependency(root, materials)
    bom.serial_number = uuid.uuid5(NAMESPACE, "\n".join(sorted(str(m.bom_ref) for m in materials)))
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _parts(
    release: Release, machine: Machine | None, os: str, filesystems: list[str]
) -> Iterator[tuple[str, Component]]:
    """Programs and systems; what is only a choice (a kind of module, a way to GPU memory) is no material."""
    systems = [component for component in release.alternatives(SYSTEM) if os in ("", component.version)]
    yield from (
        (SYSTEM, component) for component in {component.version: component for component in systems}.values()
    )
    if machine is not None:
        found = [(name, [component]) for name, component in select(release, machine, os, filesystems).items()]
    else:
        found = [(name, release.alternatives(name)) for name in release.components if name != SYSTEM]
    for name, alternatives in found:
        for component in alternatives:
            if numbers(component.version) and (not os or _is_for(component, os)):
                yield name, component


def _is_for(component: Component, system: str) -> bool:
    return SYSTEM not in component.when or bool(
        parse(component.when[SYSTEM], component.package).holds(system, {})
    )


def _material(
    release: Release, name: str, component: Component, machine: Machine | None, os: str, license_name: str
) -> Material:
    purl = _purl(release, name, component, machine, os)
    ref = f"{name}@{component.version}" + (f"?{_when(component)}" if component.when else "")
    return Material(
        type=ComponentType.OPERATING_SYSTEM if name == SYSTEM else _type(name),
        name=component.version.partition(" ")[0] if name == SYSTEM else name,
        version=component.version.partition(" ")[2] if name == SYSTEM else component.version,
        description=component.reason,
        bom_ref=ref,
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=component.sha256)] if component.sha256 else [],
        licenses=[LicenseFactory().make_from_string(license_name)] if license_name else [],
        external_references=[
            ExternalReference(type=kind, url=XsUri(url))
            for kind, url in (
                (ExternalReferenceType.DISTRIBUTION, component.url), (ExternalReferenceType.ATTESTATION, component.signature),
            )
            if url
        ],
        properties=[Property(name=f"railbed:{key}", value=value) for key, value in _properties(release, component) if value],
    )  # fmt: skip


def _type(name: str) -> ComponentType:
    if name in _CONTAINERS:
        return ComponentType.CONTAINER
    return _TYPES.get(name, ComponentType.APPLICATION)


def _properties(release: Release, component: Component) -> Iterator[tuple[str, str]]:
    yield "source", f"{component.provenance.source} ({component.provenance.checked})"
    yield "when", _when(component)
    yield "unverifiable", component.unverifiable
    keys = {repository.signing_key for repository in release.repositories_of(component.repository)}
    for key in sorted(keys | {component.signing_key} - {""}):
        if key:
            yield "signing-key", release.keys[key].fingerprint


def _when(component: Component) -> str:
    return "&".join(f"{subject}={condition}" for subject, condition in sorted(component.when.items()))


def _purl(
    release: Release, name: str, component: Component, machine: Machine | None, os: str
) -> PackageURL | None:
    """A package of a distribution or a vendor's repository, what the file says, or the plain file."""
    if name == SYSTEM:
        return None
    if component.purl:
        return PackageURL.from_string(component.purl)
    if component.package:
        named = component.when.get(SYSTEM, os)
        system = os or (named if isinstance(named, str) else "")
        qualifiers = {"distro": system.replace(" ", "-")} if system else {}
        repository = repository_of(release, component, machine, os) if machine is not None else None
        if repository is not None:
            qualifiers["repository_url"] = repository.url
        maker = system.partition(" ")[0]
        vendor = "nvidia" if component.repository in NVIDIA else component.repository or maker or None
        return PackageURL(
            "deb", vendor, component.package, component.package_version or component.version, qualifiers
        )
    qualifiers = {"download_url": component.url} if component.url else {}
    if component.sha256:
        qualifiers["checksum"] = f"sha256:{component.sha256}"
    return PackageURL("generic", None, name, component.version, qualifiers)


def _checked(parts: list[tuple[str, Component]]) -> datetime:
    """Date of the last check of a source: the age of the document's data."""
    return datetime.fromisoformat(max(component.provenance.checked for _, component in parts)).replace(
        tzinfo=UTC
    )
