"""Vendors' images: what a release asks of a node takes nothing of its image away and replaces none of it.

As Microsoft's in test_transactions.py, with the same resolver and index; tests/unit/data/apt/images.yaml has what is on each.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.plan.test_transactions import Root, having, known, of

from railbed import catalog
from railbed.run import Result

IMAGES: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "data/apt/images.yaml").read_text()
)
SYSTEM = "ubuntu 24.04"

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt on this machine")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return Root(tmp_path_factory.mktemp("apt"), SYSTEM, [one for one in known() if one.system == SYSTEM])


def resolved(root: Root, release: str, image: str, profile: str, *, pinned: bool = True) -> Result:
    """On a node of ``image`` that is converged with ``profile``. ``pinned``: with what the profile keeps from moving."""
    known = catalog.load_image(profile)
    asked = of(release, IMAGES[image]["machine"], SYSTEM, image=profile)
    kept = {name for part in known.brings.values() for name in (*part.packages, *part.holds)}
    with having(root, IMAGES[image]["packages"]):
        return root.resolve(asked, kept=kept if pinned else ())


def changed(done: Result) -> set[str]:
    """Packages that are installed, replaced or removed."""
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith(("Remv", "Inst"))}


@pytest.mark.parametrize("release", catalog.keys("software"))
@pytest.mark.parametrize("image", IMAGES)
def test_with_its_profile_nothing_of_an_image_is_removed_or_replaced(
    root: Root, release: str, image: str
) -> None:
    done = resolved(root, release, image, image)
    assert done.ok, done.stdout + done.stderr
    assert not changed(done) & set(IMAGES[image]["packages"]), changed(done)
    assert {"enroot", "slurmd"} <= changed(done), "the release fills the rest"


@pytest.mark.parametrize(
    ("image", "lost"), [("aws-dlami", "nvidia-container-toolkit"), ("oci-gpu", "openmpi")]
)
def test_as_a_plain_image_a_vendors_would_lose_some(root: Root, image: str, lost: str) -> None:
    done = resolved(root, "2026.12", image, catalog.STOCK, pinned=False)
    assert not done.ok or lost in changed(done), done.stdout


@pytest.mark.parametrize("image", IMAGES)
def test_the_data_says_where_each_package_is_from(image: str) -> None:
    packages = IMAGES[image]["packages"]
    assert packages and all(fields["from"] and fields["Version"] for fields in packages.values())
