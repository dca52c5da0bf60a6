"""File Storage with Lustre: made in GB and tiers of MB/s per TB, or looked up; and what clients mount."""

from __future__ import annotations

import hashlib
import re

import pulumi
from pulumi_oci import lustre

from railbed import catalog
from railbed.errors import SpecError
from railbed.laws import storage
from railbed.plan import PlannedFilesystem
from railbed.platforms.cloud.cluster import Mount
from railbed.platforms.oci.fabric import Network
from railbed.platforms.oci.scope import Scope

TIB_GBYTES = 2**40 / 10**9
NAME_LETTERS = 8
"""Longest name that Lustre itself knows a filesystem by (oci.lustre.FileStorageLustreFileSystem, fileSystemName)."""
REPOSITORY = re.compile(r"^oci://(?P<namespace>[^/]+)/(?P<rest>[^/].*)$")


def filesystem(scope: Scope, network: Network, planned: PlannedFilesystem) -> pulumi.Output[Mount]:
    """Declares the filesystem, or looks at the one that is there; what clients mount of it."""
    if planned.existing:
        found = lustre.get_file_storage_lustre_file_system_output(
            lustre_file_system_id=planned.existing, opts=scope.asking()
        )
        return _mount(found)
    made = _made(scope, network, planned)
    if planned.data_repository:
        _link(scope, planned, made)
    return _mount(made)


def _made(scope: Scope, network: Network, planned: PlannedFilesystem) -> lustre.FileStorageLustreFileSystem:
    assert network.lustre is not None
    return lustre.FileStorageLustreFileSystem(
        planned.name,
        availability_domain=scope.place.zone,
        compartment_id=scope.account,
        capacity_in_gbs=gbytes(planned),
        performance_tier=tier(planned),
        file_system_name=lustre_name(planned.formerly or planned.name),
        display_name=f"{scope.plan.name}-{planned.name}",
        subnet_id=network.subnet,
        nsg_ids=[network.lustre.id],
        root_squash_configuration=lustre.FileStorageLustreFileSystemRootSquashConfigurationArgs(
            identity_squash="NONE"
        ),
        freeform_tags=scope.tags(filesystem=planned.name),
        # Lustre's own name cannot change; the filesystem keeps the one it was made with, whatever it is called later.
        opts=scope.filesystem_options(planned, ignore_changes=["fileSystemName"]),
    )


def gbytes(planned: PlannedFilesystem) -> int:
    """Capacity in GB (10⁹ bytes), the nearest whole number of the offer's increments; the spec's check allowed no other."""
    step = storage.step_of(catalog.load_filesystem(planned.offer), planned.mbytes_per_s_per_tib)
    assert step is not None
    assert step.increment_tib is not None
    increment = round(step.increment_tib * TIB_GBYTES)
    return round(planned.capacity_tib * TIB_GBYTES / increment) * increment


def tier(planned: PlannedFilesystem) -> str:
    """Performance tier: Oracle counts MB/s per TB (10¹² bytes), the catalogue per TiB."""
    step = storage.step_of(catalog.load_filesystem(planned.offer), planned.mbytes_per_s_per_tib)
    assert step is not None
    return f"MBPS_PER_TB_{round(step.mbytes_per_s_per_tib * 10**12 / 2**40)}"


def lustre_name(name: str) -> str:
    """At most eight letters, digits and ``_``; a longer name keeps its beginning and gets a short hash."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if len(plain) <= NAME_LETTERS:
        return plain
    return plain[:4] + hashlib.sha256(name.encode()).hexdigest()[:4]


def _link(scope: Scope, planned: PlannedFilesystem, made: lustre.FileStorageLustreFileSystem) -> None:
    """The object store that the filesystem is filled from: imported once, files that are there are left alone."""
    found = REPOSITORY.match(planned.data_repository)
    if found is None:
        raise SpecError(
            "this is no object store of Oracle Cloud",
            path=f"railbed:cluster.filesystems ({planned.name}).data_repository",
            found=planned.data_repository,
            allowed="oci://NAMESPACE/BUCKET or oci://NAMESPACE/BUCKET/PREFIX",
            hint="`oci os ns get` prints the namespace",
        )
    lustre.FileStorageObjectStorageLink(
        f"{planned.name}-repository",
        availability_domain=scope.place.zone,
        compartment_id=scope.account,
        lustre_file_system_id=made.id,
        file_system_path="/",
        object_storage_prefix=f"{found['namespace']}:/{found['rest']}",
        is_overwrite=False,
        start_import_from_object_trigger=1,
        display_name=f"{scope.plan.name}-{planned.name}",
        freeform_tags=scope.tags(filesystem=planned.name),
        opts=scope.options(f"{planned.formerly}-repository" if planned.formerly else ""),
    )


def _mount(one: lustre.FileStorageLustreFileSystem) -> pulumi.Output[Mount]:
    return pulumi.Output.all(one.management_service_address, one.lnet, one.file_system_name).apply(
        lambda it: Mount(source=f"{it[0]}@{it[1]}:/{it[2]}")
    )
