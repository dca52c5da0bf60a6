"""What a user should know of a plan, and what of it `up` makes nothing with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from railbed import catalog
from railbed.claims import Claim, table
from railbed.errors import UsageError
from railbed.plan import images, node_classes, sources
from railbed.plan.parts import ClusterPlan, PlannedFilesystem, PlannedPool, Price, Warned
from railbed.spec import ClusterSpec, controllers, storage_network
from railbed.spec.cluster import OnDemand
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.spec.metal import MetalPlatform
from railbed.spec.platforms import AzurePlatform, CloudPlatform

STOPS_NODES = ("NO_SOURCE", "NOT_PINNED")
"""With these warnings every node stops at its packages, for apt installs all of a node's packages or none."""
EXPORT = ":/"
"""In the middle of an NFS export, which any host mounts."""


def of(
    spec: ClusterSpec,
    pools: list[PlannedPool],
    filesystems: list[PlannedFilesystem],
    price: Price | None,
    where: str,
) -> Iterator[Warned]:
    """Warnings about pools, filesystems and the price; ``where`` begins their paths."""
    if spec.fabric is not None and any(pool.machine.declared for pool in pools):
        message = (
            f"nobody published the rate of {pools[0].machine.key}: the spec's {spec.fabric.node_gbps:g} Gb/s is taken "
            "as declared, and the fabric's claims stay unproven until it is measured"
        )
        yield Warned(code="RATE_DECLARED", path=f"{where}.fabric.node_gbps", message=message)
    # Kubernetes keeps none apart: a spec that asks for one is refused.
    if not any(pool.spares for pool in pools) and not isinstance(spec.platform, KubernetesPlatform):
        message = "no spare node: a broken node stays out until it is repaired"
        yield Warned(code="NO_SPARES", path=f"{where}.pools", message=message)
    if controllers.wants_pair(spec) and controllers.count(spec) == controllers.ONE:
        message = (
            "one controller for so many nodes: no job starts or ends while it is away. A pair needs a filesystem for its "
            "state: add one to `filesystems`, and there will be two"
        )
        yield Warned(code="ONE_CONTROLLER", path=f"{where}.filesystems", message=message)
    signing = spec.software.module_signing.kind
    provided = isinstance(spec.platform, CloudPlatform)
    if signing != "off" and any(node_classes.is_bare(p.machine, "machine", provided=provided) for p in pools):
        message = (
            f"`{signing}` is for nodes in secure boot, whose kernel lets nobody write PCI registers: railbed can neither turn "
            "ACS off nor raise read requests there, and `node.acs` and `node.read_requests` stay unproven where the machine's "
            "firmware setup did not"
        )
        yield Warned(code="LOCKDOWN", path=f"{where}.software.module_signing", message=message)
    yield from _storage_network(spec, where)
    for index, filesystem in enumerate(filesystems):
        yield from _filesystem(filesystem, f"{where}.filesystems[{index}]")
    if isinstance(spec.platform, CloudPlatform):
        yield from _cloud(spec, price, where)


def require_sources(plan: ClusterPlan, *, installed: bool = False) -> None:
    """Raises UsageError for a part that nodes need and cannot get: they would be bought, and stop at their packages.

    Not with a site's mirror: what lies in its own folder no plan knows. Nor where every node starts from an image that holds the
    release, unless they are ``installed`` with another one by now.
    """
    if plan.mirrored or (not installed and images.hold_release(plan)):
        return
    for one in plan.warnings:
        if one.code in STOPS_NODES:
            raise UsageError(
                "nodes would stop at their packages; nothing was made",
                code=one.code, path=one.path, hint=one.message,
            )  # fmt: skip


def _storage_network(spec: ClusterSpec, where: str) -> Iterator[Warned]:
    """Nobody but the site knows which cards and addresses its machines have, and a converge stops where they have none."""
    if source := storage_network.unsaid(spec):
        message = (
            f"{source} is mounted over @o2ib: every machine, controllers too, needs an interface with RDMA and an address by "
            "which it reaches the servers, and your installer has to give it (`{given: true}` says so). Or write "
            "`{cidr: NETWORK}`, the servers' own, and railbed gives each machine one"
        )
        yield Warned(code="STORAGE_ADDRESSES", path=f"{where}.platform.storage_network", message=message)
    network = spec.platform.storage_network if isinstance(spec.platform, MetalPlatform) else None
    if network is not None and network.cidr and not network.taken:
        message = (
            f"machines get addresses in {network.cidr}, and only the servers that a mount names were compared with them. Name "
            "all others there (Lustre's metadata and data servers, gateways) in `taken`: a node asks the network before it takes "
            "its address, but who is switched off does not answer"
        )
        yield Warned(code="STORAGE_TAKEN", path=f"{where}.platform.storage_network.taken", message=message)
    if network is not None and network.controllers and (count := controllers.count(spec)):
        hosts = "the controller" if count == controllers.ONE else f"each of {count} controllers"
        message = (
            f"{hosts} needs an RDMA card on the storage network. Without one say `controllers: false`: then it mounts over TCP, "
            "by a @tcp address of the same servers"
        )
        yield Warned(code="CONTROLLER_CARDS", path=f"{where}.platform.storage_network", message=message)


def of_software(
    spec: ClusterSpec, chosen: Mapping[str, catalog.Component], brought: Collection[str], where: str
) -> Iterator[Warned]:
    """Warnings about the parts of a release; a lab has its own source of all that it installs. ``brought``: by images."""
    slurm, rdma = spec.scheduler == "slurm", spec.fabric is not None
    if lacking := sources.without(chosen, slurm=slurm, rdma=rdma, brought=brought):
        absent = ", ".join(f"{package} ({part})" for package, part in lacking.items())
        message = (
            f"no source of this plan has {absent}: a node without them stops at its packages, and `up` makes no new one. Name a "
            "profile of its `image` that brings them, or a `software.mirror` of yours that has them in a folder of its own"
        )
        yield Warned(code="NO_SOURCE", path=f"{where}.software.release", message=message)


def of_images(spec: ClusterSpec, doubts: Mapping[str, Mapping[str, str]], where: str) -> Iterator[Warned]:
    """A warning for each doubt about an image profile (``images.doubtful``), wherever the spec names it."""
    named = dict.fromkeys(
        (images.of_pool(spec, pool), images.path_of(pool, index, where))
        for index, pool in enumerate(spec.pools)
    )
    for profile, path in named:
        for name, reason in doubts.get(profile, {}).items():
            message = f"image profile {profile}, {name}: {reason}"
            yield Warned(code="IMAGE_DOUBT", path=path, message=message)


def of_pins(release: str, lacking: Mapping[str, str], where: str) -> Iterator[Warned]:
    """A warning about keys and files that no publisher gives a fingerprint or hash of; ``lacking`` as `sources.unpinned`."""
    if lacking:
        missing = ", ".join(lacking.values())
        message = (
            f"nobody has pinned {missing}: a node without it stops at its packages, and `up` makes no new one. See what is "
            f"published, and record it once: `railbed software pin {release} {' '.join(lacking)}`. Or name an image profile that "
            "brings it, or a `software.mirror` of yours that has it in a folder of its own"
        )
        yield Warned(code="NOT_PINNED", path=f"{where}.software.release", message=message)


def of_claims(claims: Sequence[Claim], where: str) -> Iterator[Warned]:
    """A warning where a certificate is out of reach, as nothing of this release can answer some claims."""
    open_ones = [claim for claim in claims if claim.unmeasured]
    if open_ones:
        named = ", ".join(dict.fromkeys(table.defined(claim.id).id for claim in open_ones))
        message = (
            f"{len(open_ones)} of {len(claims)} claims have no measurement in this release and stay unproven, so that no "
            f"certificate is issued: {named}"
        )
        yield Warned(code="UNMEASURED", path=where, message=message)


def _filesystem(filesystem: PlannedFilesystem, at: str) -> Iterator[Warned]:
    if filesystem.data_servers and filesystem.copies < 2:
        message = f"{filesystem.name} keeps one copy: a lost data server loses its data"
        yield Warned(code="ONE_COPY", path=f"{at}.copies", message=message)
    offer = catalog.load_filesystem(filesystem.offer)
    if offer.unmounted and EXPORT not in filesystem.existing:
        message = (
            f"{filesystem.name} is not mounted by the roles, and a converge stops there: {offer.unmounted}"
        )
        yield Warned(code="NOT_MOUNTED", path=f"{at}.offer", message=message)
    if not offer.capacity_enforced:
        message = f"the size of {filesystem.name} is a label: this machine's disk is the limit"
        yield Warned(code="CAPACITY_NOT_ENFORCED", path=f"{at}.capacity_tib", message=message)


def _cloud(spec: ClusterSpec, price: Price | None, where: str) -> Iterator[Warned]:
    if price is None or price.unknown:
        parts = ", ".join(price.unknown) if price else "every part"
        message = f"the catalogue has no price of {parts}: it is in no sum and in no budget"
        yield Warned(code="PRICE_UNKNOWN", path=f"{where}.pools", message=message)
    if isinstance(spec.platform, AzurePlatform) and spec.platform.resource_group is None:
        message = (
            "`up` makes the resource group: whoever runs it needs the role `railbed-apply` on the whole subscription. In one "
            "that an administrator made, it reaches nothing else"
        )
        yield Warned(code="WIDE_RIGHTS", path=f"{where}.platform.resource_group", message=message)
    for index, pool in enumerate(spec.pools):
        if isinstance(pool.capacity, OnDemand) and any(one.kind == "pretraining" for one in spec.workloads):
            message = f"nothing holds the nodes of {pool.name} for the job: a replaced node may find none in the zone"
            yield Warned(code="NOT_RESERVED", path=f"{where}.pools[{index}].capacity", message=message)
    for index, filesystem in enumerate(spec.filesystems):
        if filesystem.existing is None and filesystem.keep_on_destroy is not False:
            message = (
                f"{filesystem.name} stays after a destroy, and goes on costing, until someone deletes it"
            )
            yield Warned(code="KEPT_ON_DESTROY", path=f"{where}.filesystems[{index}]", message=message)
