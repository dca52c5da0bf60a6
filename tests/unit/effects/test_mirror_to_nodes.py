"""The whole way behind an air gap: a mirror is made and signed, named in a spec, and its folders are a node's only sources.

The vendor is a loopback server that a copy of a release names instead of NVIDIA's; keys are throwaway ones.
"""

from __future__ import annotations

import copy
import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import pytest
import yaml
from tests.unit.effects.test_mirror import Signer, Site, sha256, signers, site, stanza

from railbed import catalog, contract, plan, spec
from railbed.configure import inventory
from railbed.effects.mirror import mirror
from railbed.effects.mirror.debian import Index
from railbed.effects.workspace import Workspace
from railbed.platforms import repositories
from railbed.platforms.cloud import cluster
from railbed.platforms.cloud.members import Member, PoolStatus
from railbed.platforms.site import Site as ProgramSite
from railbed.software.artefacts import artefacts

__all__ = ["signers", "site"]
ROOT = Path(__file__).resolve().parents[3]
VENDOR = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64/"
RELEASE, MACHINE, SYSTEM = "2026.11", "aws/p5.48xlarge", "ubuntu 24.04"
DRIVER = ("nvidia-open", "570.124.06-0ubuntu1")


@pytest.fixture
def release(
    site: Site, signers: tuple[Signer, Signer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[catalog.Release]:
    """The release with its vendor on the loopback server, which has the driver, signed by the first key."""
    vendor, _ = signers
    own = Path(catalog.__file__).parent / f"software/{RELEASE}.yaml"
    text = own.read_text().replace(f"url: {VENDOR}3bf863cc.pub", f"url: {site.url}/key.asc")
    text = text.replace(VENDOR, f"{site.url}/apt/").replace(
        "EB693B3035CD5710E231E123A4B469963BF863CC", vendor.fingerprint
    )
    (tmp_path / "catalogue/software").mkdir(parents=True)
    (tmp_path / f"catalogue/software/{RELEASE}.yaml").write_text(text)
    monkeypatch.setenv(catalog.OVERLAY, str(tmp_path / "catalogue"))
    body = b"a driver"
    packed = gzip.compress(stanza(*DRIVER, body).encode())
    site.files |= {
        "/key.asc": vendor.public, f"/apt/{'_'.join(DRIVER)}.deb": body, "/apt/Packages.gz": packed,
        "/apt/InRelease": vendor.inline(f"SHA256:\n {sha256(packed)} {len(packed)} Packages.gz\n".encode()),
    }  # fmt: skip
    yield catalog.load_release(RELEASE)


def planned(folder: Path, operator: Signer) -> plan.ClusterPlan:
    """A spec that names the folder as its mirror, with the key of who signed it."""
    text = (ROOT / "examples/aws-cluster.yaml").read_text()
    data: dict[str, Any] = copy.deepcopy(yaml.safe_load(text)["config"]["railbed:cluster"])
    data["workloads"] = []
    data["pools"][0].update(nodes=1, spares=0)
    data["software"] = {
        "release": RELEASE,
        "mirror": {
            "url": folder.as_uri(), "key": operator.public.decode(), "fingerprint": operator.fingerprint,
        },
    }  # fmt: skip
    return plan.plan(spec.from_config(data, "x"))


def made(wanted: plan.ClusterPlan) -> contract.Contract:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFQ5Z0Zk0000000000000000000000000000000000aa"
    names = [cluster.CONTROLLER_POOL, wanted.pools[0].name]
    statuses = {
        name: PoolStatus(members=[Member(id=f"i-{name}", address=f"10.0.0.{at}", host_keys=[key])])
        for at, name in enumerate(names)
    }
    mounts = {one.name: cluster.Mount(source="fs@tcp:/a") for one in wanted.filesystems}
    before = cluster.PreviousContract(names={}, host_keys={})
    work = Workspace(ROOT, "test")
    here = ProgramSite(work, sources=tuple(repositories.of(wanted, work.published_keys, print)))
    return contract.validated(
        cluster.build_contract(wanted, here, statuses, mounts, lambda _: None, before), "test"
    )


def test_a_node_installs_from_the_mirror_and_believes_its_key_alone(
    release: catalog.Release, site: Site, signers: tuple[Signer, Signer], tmp_path: Path
) -> None:
    _, operator = signers
    folder = tmp_path / "mirror"
    wanted = artefacts(release, catalog.load_machine(MACHINE), SYSTEM)
    (driver,) = [one for one in wanted if one.component == "nvidia_driver"]
    (done,) = mirror(RELEASE, [driver], folder, lambda _: None)
    assert done.error is None
    for repository in (folder / "apt").iterdir():
        (repository / "InRelease").write_bytes(operator.inline((repository / "Release").read_bytes()))
    site.asked.clear()

    known = made(planned(folder, operator))
    sources = {one.name: one for one in known.software.repositories}
    cuda = sources["cuda"]
    assert (cuda.fingerprint, cuda.suite) == (operator.fingerprint, "./")
    here = Path(urlsplit(cuda.uri).path)
    keyring = tmp_path / "keyring.gpg"
    gpg = [
        "gpg",
        "--homedir",
        operator.home,
        "--batch",
        "--quiet",
        "--no-default-keyring",
        "--keyring",
        keyring,
    ]
    subprocess.run([*gpg, "--import"], input=cuda.signed_by.encode(), check=True, timeout=30)
    subprocess.run(
        ["gpgv", "--keyring", keyring, here / "InRelease"], check=True, capture_output=True, timeout=30
    )
    found = Index("", (here / "Packages").read_text()).exactly(*DRIVER)
    assert sha256((here / found["Filename"]).read_bytes()) == found["SHA256"]

    paths = inventory.Paths(ssh_config=tmp_path / "ssh", secrets=tmp_path / "secrets")
    given = inventory.build(known, {}, paths).variables["railbed_repositories"]
    template = (ROOT / "roles/packages/templates/railbed.sources.j2").read_text()
    text = jinja2.Environment(trim_blocks=True).from_string(template).render(packages_repositories=given)
    assert f"URIs: {here.as_uri()}/\nSuites: ./\nSigned-By:\n -----BEGIN PGP" in text
    assert "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n" in text
    assert "nvidia" not in "".join(line for line in text.splitlines() if "https:" in line)
    assert site.asked == [], "the vendor is not asked again"
