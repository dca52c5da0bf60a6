"""The one transaction with real apt and dpkg, on a folder: whatever is wrong with a source, nothing is changed.

Seconds, without network: the repository is on the loopback.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.roles import apt_root
from tests.roles.apt_root import ARCHIVES_LOCK, DPKG_LOCKS, LISTS_LOCK, NEXT, TRIO, Machine, held

from railbed.effects import signed_repository
from railbed.effects.lab import packages

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not run: dpkg unpacks files as root")


def exact(release: dict[str, str]) -> list[str]:
    return [f"{name}={version}-*" for name, version in release.items()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the repository, and a machine that has one release's trio."""
    folder = tmp_path_factory.mktemp("apt")
    apt_root.build(folder)
    apt_root.empty(folder / "root")
    with (
        pytest.MonkeyPatch.context() as patch,
        apt_root.machine(folder, folder / "repository", patch) as made,
    ):
        assert made.bring(*exact(TRIO), hold=tuple(TRIO))["changed"]
    return folder


@pytest.fixture
def machine(tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A copy of that machine, with a repository of its own."""
    for name in ("repository", "root"):
        shutil.copytree(built / name, tmp_path / name)
    with apt_root.machine(tmp_path, tmp_path / "repository", monkeypatch) as made:
        yield made


def refused(machine: Machine, *wanted: str) -> str:
    """What the module says; not a byte of the machine may have changed."""
    before = machine.tree()
    answer = machine.bring(*(wanted or exact(NEXT)))
    assert answer.get("failed") and answer["half_done"] is False, answer
    assert machine.tree() == before
    assert str(answer["msg"]).startswith("no package was changed; "), answer["msg"]
    return str(answer["msg"])


def test_kernel_driver_and_fabric_manager_move_together(machine: Machine) -> None:
    assert machine.installed() == {n: (f"{v}-1", "hold ok installed") for n, v in TRIO.items()}
    assert not machine.bring(*exact(TRIO), hold=tuple(TRIO))["changed"]
    answer = machine.bring(*exact(NEXT), hold=tuple(TRIO))
    assert answer["installed"] == {name: f"{version}-1" for name, version in TRIO.items()}
    assert {name: version for name, (version, _) in machine.installed().items()} == {
        name: f"{version}-1" for name, version in NEXT.items()
    }
    history = (machine.root / "var/log/apt/history.log").read_text().split("\n\n")
    last = [block for block in history if "Upgrade:" in block][-1]
    assert all(name in last for name in NEXT), "one transaction"
    back = machine.bring(*exact(TRIO), hold=tuple(TRIO))
    assert back["changed"] and machine.installed()["nvidia-open"][0] == "570.124.06-1"


def test_check_mode_changes_no_file(machine: Machine) -> None:
    before = machine.tree()
    assert machine.bring(*exact(NEXT), check=True)["changed"]
    assert machine.tree() == before


def test_a_source_that_is_down(machine: Machine) -> None:
    machine.source("http://127.0.0.1:9")
    assert "package source http://127.0.0.1:9 is down: Could not connect" in refused(machine)


def test_a_source_that_is_gone(machine: Machine) -> None:
    machine.server.gone = ("Release",)
    assert f"package source {machine.uri} is missing (404): 404" in refused(machine)


def test_a_folder_that_is_gone(machine: Machine) -> None:
    machine.source("file:/nowhere")
    assert "package source file:/nowhere is missing (404)" in refused(machine)


def test_a_package_that_is_gone_stops_the_whole_transaction(machine: Machine) -> None:
    machine.server.gone = ("nvidia-fabricmanager_595",)
    assert f"package source {machine.uri} is missing (404): 404" in refused(machine)


def test_a_list_that_was_changed_after_it_was_signed(machine: Machine) -> None:
    signed = machine.repository / "InRelease"
    signed.write_text(signed.read_text().replace("Suite: lab", "Suite: lob"))
    said = refused(machine)
    assert f"package source {machine.uri} is wrongly signed" in said and "BADSIG" in said


def test_a_list_signed_with_another_key(machine: Machine) -> None:
    key = (machine.repository / "lab.asc").read_bytes()
    (machine.repository / "lab.asc").unlink()
    signed_repository.sign(machine.repository, packages.SIGNER, packages.KEY)
    (machine.repository / "lab.asc").write_bytes(key)
    said = refused(machine)
    assert f"package source {machine.uri} is wrongly signed" in said and "NO_PUBKEY" in said


def test_a_source_without_a_signature(machine: Machine) -> None:
    (machine.repository / "InRelease").unlink()
    shutil.rmtree(machine.root / "var/lib/apt/lists")
    said = refused(machine)
    assert f"package source {machine.uri} is wrongly signed: is not signed" in said


def test_a_package_with_a_wrong_hash(machine: Machine) -> None:
    file = machine.repository / "nvidia-open_595.71.05-1_amd64.deb"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert f"package source {machine.uri} is corrupt (wrong hash)" in refused(machine)


def test_an_index_with_a_wrong_hash(machine: Machine) -> None:
    for name in ("Packages", "Packages.gz"):
        (machine.repository / name).write_text("Package: nvidia-open\n")
    shutil.rmtree(machine.root / "var/lib/apt/lists")
    assert f"package source {machine.uri} is corrupt (wrong hash)" in refused(machine)


def test_a_version_that_nobody_has(machine: Machine) -> None:
    assert "Version '1.2.3-*' for 'nvidia-open' was not found" in refused(machine, "nvidia-open=1.2.3-*")


def test_what_depends_on_something_that_nobody_has(machine: Machine) -> None:
    assert "nobody-has-this" in refused(machine, *exact(NEXT), "lacking")


def test_a_disk_without_room_is_named_before_anything_is_unpacked(machine: Machine) -> None:
    assert "the disk is full: the packages need" in refused(machine, *exact(NEXT), "huge")


def test_a_driver_that_breaks_off_is_told_as_half_done_and_the_next_run_mends_it(machine: Machine) -> None:
    answer = machine.bring("nvidia-open=610.1-*")
    assert answer["failed"] and answer["half_done"] is True
    assert "in the middle of it: nvidia-open" in answer["msg"]
    assert "no headers of the running kernel" in answer["msg"]
    assert machine.installed()["nvidia-open"] == ("610.1-1", "install ok half-configured")
    machine.server.gone = ("Release",)
    still = machine.bring(*exact(TRIO))
    assert still["failed"] and still["half_done"] is True, (
        "a node that is half done stays so while its source is gone"
    )
    machine.server.gone = ()
    assert machine.bring(*exact(TRIO), hold=tuple(TRIO))["changed"]
    assert machine.installed()["nvidia-open"] == ("570.124.06-1", "hold ok installed")
    assert not machine.bring(*exact(TRIO), hold=tuple(TRIO))["changed"]


def test_an_interrupted_dpkg_is_brought_to_its_end_first(machine: Machine) -> None:
    (machine.root / "broken").touch()
    assert machine.bring(*exact(NEXT))["half_done"] is True
    (machine.root / "broken").unlink()
    # Killed while it wrote its journal: apt refuses to do anything until dpkg has read it.
    (machine.root / "var/lib/dpkg/updates/0001").touch()
    assert machine.bring(check=True)["changed"]
    answer = machine.bring(*exact(NEXT), hold=tuple(NEXT))
    assert answer["changed"] and not answer.get("failed"), answer
    assert machine.installed() == {n: (f"{v}-1", "hold ok installed") for n, v in NEXT.items()}


def test_a_package_of_somebody_else_that_was_interrupted_is_mended_too(machine: Machine) -> None:
    (machine.root / "broken").touch()
    machine.bring(*exact(NEXT))
    (machine.root / "broken").unlink()
    answer = machine.bring("linux-image-generic", hold=tuple(TRIO))
    assert answer.get("changed"), answer
    assert machine.installed()["nvidia-open"] == ("595.71.05-1", "hold ok installed")
    assert not machine.bring("linux-image-generic", hold=tuple(TRIO))["changed"]


def test_one_that_was_held_and_is_not_wanted_any_more_leaves_though_it_was_interrupted(
    machine: Machine,
) -> None:
    (machine.root / "broken").touch()
    machine.bring(*exact(NEXT))
    (machine.root / "broken").unlink()
    answer = machine.bring("linux-image-generic", hold=("linux-image-generic", "nvidia-open"))
    assert answer.get("removed") == {"nvidia-fabricmanager": "595.71.05-1"}, answer
    assert "nvidia-fabricmanager" not in {
        n for n, (_, state) in machine.installed().items() if state.endswith(" installed")
    }


LOCKS = (LISTS_LOCK, ARCHIVES_LOCK, *DPKG_LOCKS)


def interrupted(machine: Machine) -> None:
    """The next release is half done."""
    (machine.root / "broken").touch()
    assert machine.bring(*exact(NEXT))["half_done"] is True
    (machine.root / "broken").unlink()


@pytest.mark.parametrize("lock", LOCKS)
def test_another_package_manager_that_ends_is_waited_for(machine: Machine, lock: str) -> None:
    with held(machine.root / lock, 2):
        answer = machine.bring(*exact(NEXT))
    assert answer.get("changed") and not answer.get("failed"), answer
    assert machine.installed()["nvidia-open"][0] == "595.71.05-1"


@pytest.mark.parametrize("lock", LOCKS)
def test_another_package_manager_that_does_not_end_is_named(machine: Machine, lock: str) -> None:
    before, since = machine.tree(), time.monotonic()
    with held(machine.root / lock) as pid:
        answer = machine.bring(*exact(NEXT), patience=1)
    assert answer.get("failed") and answer["half_done"] is False, answer
    assert machine.tree() == before
    assert "no package was changed; waited 1 s for another package manager: " in answer["msg"]
    assert str(machine.root / lock) in answer["msg"] and f"process {pid} (python" in answer["msg"]
    assert 1 <= time.monotonic() - since < 10


def test_only_so_long_is_waited_in_all(machine: Machine) -> None:
    """The lists are free after eight of ten seconds, and dpkg six later: so far apart that a busy machine is not in between."""
    with held(machine.root / LISTS_LOCK, 8), held(machine.root / DPKG_LOCKS[0], 14):
        answer = machine.bring(*exact(NEXT), patience=10)
    assert answer.get("failed") and DPKG_LOCKS[0] in answer["msg"], answer


@pytest.mark.parametrize("lock", DPKG_LOCKS)
def test_what_another_one_is_in_the_middle_of_is_its_own_to_finish(machine: Machine, lock: str) -> None:
    interrupted(machine)
    before = machine.tree()
    with held(machine.root / lock) as pid:
        answer = machine.bring(*exact(NEXT), patience=1)
        assert answer.get("failed") and answer["half_done"] is False, answer
        assert machine.tree() == before
        assert f"process {pid} (python" in answer["msg"] and "is still at work" in answer["msg"]
    with held(machine.root / DPKG_LOCKS[0], 2, "dpkg", "--configure", "-a"):
        answer = machine.bring(*exact(NEXT), hold=tuple(NEXT))
    assert not answer.get("failed") and answer["installed"] == {}, answer


def test_what_another_one_began_meanwhile_is_not_told_as_half_done(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh, journal = apt_root.DEBS.Apt.refresh, machine.root / "var/lib/dpkg/updates/0001"
    with ExitStack() as others:

        def begin(apt: object) -> None:
            others.enter_context(held(machine.root / DPKG_LOCKS[0]))
            journal.touch()
            machine.server.gone = ("Release",)
            refresh(apt)

        monkeypatch.setattr(apt_root.DEBS.Apt, "refresh", begin)
        answer = machine.bring(*exact(NEXT), patience=1)
    assert answer["failed"] and answer["half_done"] is False, answer
    assert "is missing (404)" in answer["msg"] and "is still at work" in answer["msg"]


def test_what_was_interrupted_is_mended_after_another_one_ended(machine: Machine) -> None:
    interrupted(machine)
    with held(machine.root / DPKG_LOCKS[0], 2):
        answer = machine.bring(*exact(NEXT), hold=tuple(NEXT))
    assert answer.get("changed") and not answer.get("failed"), answer
    assert machine.installed() == {n: (f"{v}-1", "hold ok installed") for n, v in NEXT.items()}


def test_what_cannot_be_mended_stays_half_done_though_another_one_has_the_lists(machine: Machine) -> None:
    interrupted(machine)
    (machine.root / "broken").touch()
    with held(machine.root / LISTS_LOCK):
        answer = machine.bring(*exact(NEXT), patience=1)
    assert answer["failed"] and answer["half_done"] is True, answer
    assert "in the middle of it: " in answer["msg"] and LISTS_LOCK in answer["msg"]


def test_a_package_that_calls_apt_itself_is_not_waited_for(machine: Machine) -> None:
    """It meets the lock of the apt that installs it."""
    since = time.monotonic()
    answer = machine.bring("calling", patience=60)
    assert answer["failed"] and answer["half_done"] is True, answer
    assert "Could not get lock" in answer["msg"] and time.monotonic() - since < 30
