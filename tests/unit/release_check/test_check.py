"""A release against a loopback server in its vendors' place, with apt itself: what holds, and each way in which it does not.

Keys, packages and indexes are made for the test.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.effects.test_mirror import Signer, Site, sha256, signers, site  # noqa: F401 - fixtures

from railbed import catalog
from railbed.catalog import Release
from railbed.catalog.facts import Source
from railbed.effects.download import Unreachable
from railbed.effects.lab.debs import Deb
from railbed.errors import Exit
from railbed.software import wheels
from railbed.toolbox import release_check
from railbed.toolbox.release_check import Item, asking, published
from railbed.toolbox.release_check.transactions import kinds, transaction

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt on this machine")
MACHINE, SYSTEM = "metal/hgx-h100", "ubuntu 24.04"
TOLD = Source(source="made for the test", checked="2026-11-30")
DRIVER, TOOL = "595.71.05-1ubuntu1", "4.2.1-1"
KERNELS = ("6.8.0-45-generic", "6.8.0-101-generic")


class World:
    """The release, and what its vendors serve."""

    def __init__(self, site: Site, signers: tuple[Signer, Signer], folder: Path) -> None:  # noqa: F811
        self.site, (self.signer, self.other), self.folder = site, signers, folder
        (folder / "work").mkdir()
        (folder / "debs").mkdir()
        Deb("enroot", TOOL).write(folder / "work", folder / "debs")
        (deb,) = (folder / "debs").iterdir()
        self.name, self.tool = deb.name, deb.read_bytes()
        self.keyring = folder / "distribution.asc"
        self.keyring.write_bytes(self.signer.public)
        self.locked = f"numpy==2.4.6 \\\n    --hash=sha256:{'a' * 64}\n"
        self.serve()

    def serve(
        self, version: str = DRIVER, needs: str = "libc6", signer: Signer | None = None, until: str = ""
    ) -> None:
        """The vendor's repository with the driver in one version."""
        body = b"a driver"
        self.index("/cuda/", [("nvidia-open", version, body, needs)], signer or self.signer, until)
        self.site.files |= {
            "/key.asc": self.signer.public,
            f"/cuda/nvidia-open_{version}.deb": body,
            f"/{self.name}": self.tool,
            "/simple/numpy/": f'<a href="numpy.whl#sha256={"a" * 64}">numpy.whl</a>'.encode(),
        }
        asked = transaction(self.release, catalog.load_machine(MACHINE), SYSTEM, kinds(self.machine)[0], [])
        first = transaction(self.release, self.machine, SYSTEM, kinds(self.machine)[1], [])
        names = {name for name, source in asked.asked | first.asked if source == SYSTEM} | {"libc6"}
        stubs = {name.replace("@kernel", kernel) for name in names for kernel in KERNELS}
        self.distribution([(name, "1", b"a stub", "") for name in sorted(stubs)], self.signer)

    def distribution(self, packages: list[tuple[str, str, bytes, str]], signer: Signer) -> None:
        text = packages_of(packages)
        about = "Suite: noble\nCodename: noble\nComponents: main\nArchitectures: amd64\n"
        release = about + listed("main/binary-amd64/", text)
        self.site.files["/ubuntu/dists/noble/InRelease"] = signer.inline(release.encode())
        self.site.files["/ubuntu/dists/noble/main/binary-amd64/Packages.gz"] = gzip.compress(text, mtime=0)

    def index(self, at: str, packages: list[tuple[str, str, bytes, str]], signer: Signer, until: str) -> None:
        text = packages_of(packages)
        signed = signer.inline(f"{until}{listed('', text)}".encode())
        for folder in (at, f"{at}./"):  # as apt asks of a flat repository
            self.site.files |= {
                f"{folder}Packages.gz": gzip.compress(text, mtime=0),
                f"{folder}InRelease": signed,
            }

    @property
    def machine(self) -> catalog.Machine:
        return catalog.load_machine(MACHINE)

    @property
    def release(self) -> Release:
        """What a file of the catalogue holds, with this server in the vendors' place."""
        own: dict[str, Any] = {"reason": "made for the test", "provenance": TOLD}
        made = Release.model_validate(
            {
                "key": "2026.99", "title": "made for the test", "training_stack_path": "/opt/x",
                "keys": {
                    "cuda": {"url": f"{self.site.url}/key.asc", "fingerprints": [self.signer.fingerprint], "provenance": TOLD}
                },
                "repositories": {"cuda": {"url": f"{self.site.url}/cuda/", "signing_key": "cuda", "provenance": TOLD}},
                "archives": {
                    "ubuntu": [{
                        "url": f"{self.site.url}/ubuntu/", "suites": ["noble"], "components": ["main"],
                        "keyring": "/usr/share/keyrings/ubuntu-archive-keyring.gpg", "provenance": TOLD,
                    }]
                },
                "components": {
                    "os": {"version": SYSTEM, **own},
                    "nvidia_driver": {
                        "version": "595.71.05", "package": "nvidia-open", "package_version": DRIVER, "pin": "version",
                        "repository": "cuda", **own,
                    },
                    "enroot": {
                        "version": "4.2.1", "installs": ["enroot"], "pin": "version", "url": f"{self.site.url}/{self.name}",
                        "sha256": sha256(self.tool), **own,
                    },
                },
            }
        )  # fmt: skip
        archives = [one.model_copy(update={"keyring": str(self.keyring)}) for one in made.archives["ubuntu"]]
        return made.model_copy(update={"archives": {"ubuntu": archives}})

    def check(self, *, whole: bool = False) -> dict[str, Item]:
        said: list[str] = []
        items = release_check.check(self.release, self.machine, "", [], self.locked, said.append, whole=whole)
        assert len(said) >= len(items)
        self.items = items
        return {f"{one.kind} {one.name}".split(" http")[0]: one for one in items}

    @property
    def status(self) -> Exit:
        return release_check.exit_status(self.items)


def packages_of(packages: list[tuple[str, str, bytes, str]]) -> bytes:
    return "\n".join(
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: made <made@example.invalid>\n"
        + (f"Depends: {needs}\n" if needs else "")
        + f"Filename: ./{name}_{version}.deb\nSize: {len(body)}\nSHA256: {sha256(body)}\nDescription: made\n"
        for name, version, body, needs in packages
    ).encode()


def listed(folder: str, text: bytes) -> str:
    """What a signed index says of a list of packages, plain and packed."""
    both = {"Packages": text, "Packages.gz": gzip.compress(text, mtime=0)}
    lines = [f" {sha256(body)} {len(body)} {folder}{name}\n" for name, body in both.items()]
    return f"Date: Mon, 30 Nov 2026 00:00:00 UTC\nSHA256:\n{''.join(lines)}"


@pytest.fixture
def world(
    site: Site,  # noqa: F811 - the fixture
    signers: tuple[Signer, Signer],  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    made = World(site, signers, tmp_path)
    monkeypatch.setattr(wheels, "PYPI_URL", f"{site.url}/simple")
    return made


@pytest.fixture
def published_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without apt, which takes most of a second."""

    class Nothing:
        def __init__(self, *_: object) -> None: ...

        def items(self, _: object) -> list[Item]:
            return []

    monkeypatch.setattr(asking, "Resolver", Nothing)


@pytest.mark.parametrize("whole", [False, True])
def test_all_of_it_passes(world: World, *, whole: bool) -> None:
    items = world.check(whole=whole)
    assert {one.state for one in world.items} == {"pass"}, "\n".join(
        f"{one.name} {one.state} {one.reason} {one.found}" for one in world.items
    )
    assert world.status == Exit.PASS
    assert {one.kind for one in world.items} == {
        "key",
        "repository",
        "package",
        "file",
        "wheel",
        "transaction",
    }
    assert items["package nvidia-open (nvidia_driver)"].found == DRIVER
    assert (f"/cuda/nvidia-open_{DRIVER}.deb" in world.site.asked) and len(world.items) == 11


def wrong_key(world: World) -> None:
    world.site.files["/key.asc"] = world.other.public


def changed_index(world: World) -> None:
    world.serve(signer=world.other)


def expired_index(world: World) -> None:
    world.serve(until="Valid-Until: Sun, 01 Nov 2026 00:00:00 UTC\n")


def version_gone(world: World) -> None:
    world.serve("610.1-1ubuntu1")


def package_gone(world: World) -> None:
    del world.site.files[f"/cuda/nvidia-open_{DRIVER}.deb"]


def package_of_another_size(world: World) -> None:
    world.site.files[f"/cuda/nvidia-open_{DRIVER}.deb"] += b"!"


def no_list_for_this_architecture(world: World) -> None:
    for folder in ("/cuda/", "/cuda/./"):
        world.site.files[f"{folder}InRelease"] = world.signer.inline(listed("arm64/", b"").encode())


def another_file(world: World) -> None:
    world.site.files[f"/{world.name}"] = world.tool + b"!"


def no_such_wheel(world: World) -> None:
    world.site.files["/simple/numpy/"] = f'<a href="numpy.whl#sha256={"b" * 64}">numpy.whl</a>'.encode()


def half_a_file(world: World) -> None:
    world.site.cut.add(f"/{world.name}")


def half_an_index(world: World) -> None:
    world.site.cut.add("/cuda/Packages.gz")


def a_page_of_a_proxy(world: World) -> None:
    world.site.files["/simple/numpy/"] = b"<html>sign in</html>"


@pytest.mark.parametrize(
    ("trouble", "bad", "found"),
    [
        (wrong_key, {"key cuda": "fail", "repository": "fail"}, ""),
        (changed_index, {"repository": "fail"}, ""),
        (expired_index, {"repository": "fail"}, "Valid-Until: Sun, 01 Nov 2026"),
        (version_gone, {"package nvidia-open (nvidia_driver)": "fail"}, "610.1-1ubuntu1"),
        (package_gone, {"package nvidia-open (nvidia_driver)": "fail"}, ""),
        (package_of_another_size, {"package nvidia-open (nvidia_driver)": "fail"}, "9"),
        (no_list_for_this_architecture, {"repository": "fail"}, "arm64/Packages"),
        (another_file, {"file enroot 4.2.1": "fail"}, ""),
        (no_such_wheel, {"wheel numpy 2.4.6": "fail"}, "a" * 64),
        (half_a_file, {"file enroot 4.2.1": "unreachable"}, ""),
        (
            half_an_index,
            {"repository": "unreachable", "package nvidia-open (nvidia_driver)": "unreachable"},
            "",
        ),
        (a_page_of_a_proxy, {"wheel numpy 2.4.6": "unreachable"}, ""),
    ],
)
def test_what_does_not_hold_is_told(
    world: World, published_alone: None, trouble: Callable[[World], None], bad: dict[str, str], found: str
) -> None:
    trouble(world)
    items = world.check()
    assert {name: items[name].state for name in bad} == bad
    assert any(found in items[name].found for name in bad)
    assert all(items[name].reason for name in bad)
    assert world.status == (Exit.FAIL if "fail" in bad.values() else Exit.UNPROVEN)
    good = {one.name for one in world.items if one.state == "pass"}
    assert good, "one that is bad stops none of the others"


def test_a_server_that_is_down_proves_nothing(world: World) -> None:
    world.site.server.shutdown()
    world.site.server.server_close()
    world.check()
    states = {one.kind: one.state for one in world.items}
    assert states.pop("transaction") == "unproven"
    assert set(states.values()) == {"unreachable"} and world.status == Exit.UNPROVEN


def test_a_large_file_is_fetched_only_where_that_is_asked_for(
    world: World, published_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "RELEASE_CHECK_MIB", 0)
    assert world.check()["file enroot 4.2.1"].state == "unproven" and world.status == Exit.UNPROVEN
    assert "--download" in world.items[-2].reason
    assert world.check(whole=True)["file enroot 4.2.1"].state == "pass" and world.status == Exit.PASS


def test_a_server_that_tells_no_size_is_asked_for_the_file(
    world: World, published_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(url: str) -> int:
        raise Unreachable("the server answers 405", path=url)

    monkeypatch.setattr(published, "size_bytes", silent)
    items = world.check()
    assert items["file enroot 4.2.1"].state == "pass"
    assert items["package nvidia-open (nvidia_driver)"].state == "unreachable"
    assert world.check(whole=True)["package nvidia-open (nvidia_driver)"].state == "pass"


def test_a_key_that_nobody_pinned_is_unproven_and_its_packages_too(
    world: World, published_alone: None
) -> None:
    release = world.release
    key = release.keys["cuda"].model_copy(update={"fingerprints": [], "unpinned": "nobody says"})
    release = release.model_copy(update={"keys": {"cuda": key}})
    items = release_check.check(release, world.machine, "", [], "", lambda _: None, whole=False)
    assert [one.state for one in items[:3]] == ["unproven"] * 3
    assert (
        release_check.exit_status(items) == Exit.UNPROVEN and release_check.exit_status([]) == Exit.UNPROVEN
    )


def test_apt_that_finds_no_way_fails_the_class_of_nodes(world: World) -> None:
    world.serve(needs="nobody-has-this")
    world.check()
    failed = [one for one in world.items if one.state != "pass"]
    assert [(one.kind, one.state) for one in failed] == [("transaction", "fail")], failed
    assert "nobody-has-this" in failed[0].found and world.status == Exit.FAIL


@pytest.mark.parametrize(("there", "state"), [(["610.1-1"], "fail"), (["610.1-1", DRIVER], "pass")])
def test_a_part_of_the_driver_that_only_comes_newer_than_its_pin_fails(
    world: World, there: list[str], state: str
) -> None:
    parts = [("libnvidia-compute", version, b"a part", "") for version in there]
    driver = ("nvidia-open", DRIVER, b"a driver", "libnvidia-compute")
    world.index("/cuda/", [driver, *parts], world.signer, "")
    driven = world.release.alternatives("nvidia_driver")[0].model_copy(update={"parts": ["libnvidia-*"]})
    release = world.release
    release = release.model_copy(update={"components": {**release.components, "nvidia_driver": driven}})
    items = release_check.check(release, world.machine, "", [], "", lambda _: None, whole=False)
    (found,) = [one for one in items if one.kind == "transaction" and "compute" in one.name]
    assert found.state == state, found
    assert state == "pass" or "libnvidia-compute 610.1-1" in found.found


def test_an_archive_of_the_distribution_that_apt_refuses_fails_and_leaves_the_rest_unproven(
    world: World,
) -> None:
    world.distribution([("libc6", "1", b"a stub", "")], world.other)
    world.check()
    failed = [one for one in world.items if one.state == "fail"]
    assert [(one.kind, one.where) for one in failed] == [("repository", f"{world.site.url}/ubuntu/")]
    assert {one.state for one in world.items if one.kind == "transaction"} == {"unproven"}
    world.keyring.unlink()
    world.check()
    assert world.status == Exit.UNPROVEN, "without its keyring nothing is known of it"


def test_a_list_is_read_as_uv_writes_it() -> None:
    tools = Path(catalog.__file__).parents[3] / "tools"
    (file,) = tools.glob("training-requirements-2.15.0.txt")
    read = wheels.read(file.read_text())
    assert {one.name: one.version for one in read}["torch"] == "2.15.0"
    assert all(one.sha256 for one in read) and sum(len(one.sha256) for one in read) == file.read_text().count(
        "--hash"
    )
