"""The recipe of an image of Compute Engine: a machine without GPUs and without an address, reached through IAP."""

from __future__ import annotations

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.gcp.facts import facts
from railbed.platforms.packer.recipe import Source, Variable, image_name, stamped
from railbed.platforms.packer.template import var
from railbed.spec.platforms import GcpPlatform


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables. The base image is the platform's: an image by name, or the newest of a family."""
    place = plan.place
    assert isinstance(place, GcpPlatform)
    shape = place.controller_shape or facts().controller_shapes[pool.machine.cpu_architecture]
    project, _, rest = place.image.id.partition("/global/images/")
    family = rest.removeprefix("family/") if rest.startswith("family/") else ""
    named = {"source_image_family": family} if family else {"source_image": rest or place.image.id}
    owner = project.removeprefix("projects/") if rest else place.account
    name = image_name(plan, pool)
    return Source(
        builder="googlecompute",
        attributes={
            "project_id": place.account,
            "zone": place.zone,
            **named,
            "source_image_project_id": [owner],
            "machine_type": var("shape"),
            "disk_size": facts().disk_gib,
            "disk_type": "hyperdisk-balanced"
            if shape.split("-")[0] in facts().hyperdisk_families
            else "pd-ssd",
            "image_name": stamped(plan, pool),
            "image_family": name,
            "image_labels": {"railbed-release": plan.software.release.replace(".", "-")},
            "subnetwork": var("subnet"),
            "omit_external_ip": True,
            "use_internal_ip": True,
            "use_iap": True,
            "enable_secure_boot": False,
            "enable_vtpm": True,
            "enable_integrity_monitoring": True,
            "disable_default_service_account": True,
            "metadata": {"block-project-ssh-keys": "TRUE", "serial-port-enable": "FALSE"},
        },
        variables=[
            Variable("subnet", "Subnetwork with a way out to the package sources (Cloud NAT).", place.subnet),
            Variable("shape", "Machine type to build on; it needs no GPU.", shape),
        ],
        login="railbed-build",
        result=f"`image: projects/{place.account}/global/images/NAME` in the pool; `manifest.json` has the name.",
        notes=[
            "Images are encrypted with Google's own keys.",
            f"The firewall must let {facts().iap_cidr} in to port 22 of that subnetwork, as railbed's own networks do.",
        ],
    )
