"""The program of role scratch_nvme against drives that are kept in memory: what is written over, and what never is."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("scratch", ROOT / "roles/scratch_nvme/files/scratch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scratch"] = module
    spec.loader.exec_module(module)
    return module


SCRATCH = _load()


@dataclass
class Disks:
    """lsblk, mdadm, wipefs, mkfs.xfs and mount over drives in memory, in the form that util-linux 2.38 and mdadm 4.2 print."""

    drives: dict[str, str]
    """Path → signature: nothing, a filesystem's name, or ``ours:UUID:MEMBERS``."""
    models: dict[str, str] = field(default_factory=dict)
    mounts: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    up: bool = False
    """Whether the boot assembled the array."""
    filesystem: str = "xfs"
    """On the array."""
    broken: str = ""
    """A program that fails."""
    slow: bool = False
    """Whether udev does not name the array while it is waited for."""
    named: bool = False
    done: list[str] = field(default_factory=list)

    def run(self, *argv: str, fine: tuple[int, ...] = (0,)) -> str:
        del fine
        program = argv[0]
        if program == self.broken:
            raise SCRATCH.Refused(f"{program}: broken")
        if program == "udevadm":
            self.named = not self.slow
            if self.slow:
                raise SCRATCH.Refused("udevadm settle: ")
            return ""
        if SCRATCH.ARRAY in argv and program != "mdadm" and not self.named:
            # As wipefs of util-linux 2.38 said on a virtual machine whose processor is emulated.
            raise SCRATCH.Refused(
                f"{program}: {SCRATCH.ARRAY}: probing initialization failed: No such file or directory"
            )
        if program == "lsblk":
            return json.dumps({"blockdevices": [self._block(path) for path in self.drives] + [self._other()]})
        if argv[:2] == ("mdadm", "--examine"):
            return self._examined(argv[-1])
        if argv[:2] == ("wipefs", "--no-act"):
            kind = self.filesystem if argv[-1].startswith("/dev/md") else self.drives[argv[-1]]
            return json.dumps({"signatures": [{"type": kind}]}) if kind else ""
        self.done.append(" ".join(argv[:2]) if program in ("mdadm", "wipefs") else program)
        if argv[:2] == ("mdadm", "--create"):
            paths = [one for one in argv if one.startswith("/dev/nvme")]
            self.drives |= dict.fromkeys(paths, f"ours:new:{len(paths)}")
        if argv[:2] == ("wipefs", "--all"):
            self.filesystem = ""
        if program == "mkfs.xfs":
            assert self.filesystem == "", "mkfs on something"
            self.filesystem = "xfs"
        return ""

    def _block(self, path: str) -> dict[str, Any]:
        children = []
        if path in self.parts:
            name = f"{path}p1"
            mounted = [self.mounts.get(name)]
            children.append({"name": name[5:], "path": name, "type": "part", "mountpoints": mounted})
        if self.up and self.drives[path].startswith("ours"):
            children.append({"name": "md127", "path": "/dev/md127", "type": "raid0", "mountpoints": [None]})
        return {
            "name": path.removeprefix("/dev/"), "path": path, "type": "disk", "model": self.models.get(path, "SAMSUNG MZ"),
            "mountpoints": [self.mounts.get(path)], "children": children,
        }  # fmt: skip

    def _other(self) -> dict[str, Any]:
        return {"name": "sda", "path": "/dev/sda", "type": "disk", "model": "QEMU", "mountpoints": [None]}

    def _examined(self, path: str) -> str:
        if not self.drives[path].startswith("ours"):
            return ""
        _, uuid, members = self.drives[path].split(":")
        return f"MD_LEVEL=raid0\nMD_DEVICES={members}\nMD_METADATA=1.2\nMD_UUID={uuid}\nMD_NAME=any:railbed-scratch\n"


def drive(number: int) -> str:
    return f"/dev/nvme{number}n1"


def drives(*signatures: str) -> dict[str, str]:
    return {drive(number): signature for number, signature in enumerate(signatures)}


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def bring(disks: Disks) -> str:
        monkeypatch.setattr(SCRATCH, "run", disks.run)
        settings = {"mount": str(tmp_path / "local"), "network_models": ["Amazon Elastic Block Store"]}
        return str(SCRATCH.up(settings))

    return bring


WRITES = ("mdadm --create", "mkfs.xfs", "wipefs --all", "mdadm --stop")


def test_blank_drives_become_an_array(up: Any) -> None:
    disks = Disks(drives("", "", "", ""))
    assert "created over 4 drives" in up(disks)
    assert disks.done == ["mdadm --create", "wipefs --all", "mkfs.xfs", "mount"]


@pytest.mark.parametrize("booted", [False, True])
def test_a_whole_array_is_only_mounted(up: Any, booted: bool) -> None:
    disks = Disks(drives("ours:a:2", "ours:a:2"), up=booted)
    assert "assembled over 2 drives" in up(disks)
    assert disks.done == ([] if booted else ["mdadm --assemble"]) + ["mount"]


@pytest.mark.parametrize("signature", ["", "ours:a:2"])
def test_an_array_is_not_touched_before_udev_has_named_it(up: Any, signature: str) -> None:
    disks = Disks(drives(signature, signature), slow=True)
    with pytest.raises(SCRATCH.Refused, match="udevadm"):
        up(disks)
    assert len(disks.done) == 1, "created or assembled, and nothing after it"


def test_no_drives_is_nothing_to_do(up: Any) -> None:
    disks = Disks({})
    assert up(disks) == "no local NVMe drives" and disks.done == []


def test_a_replaced_drive_makes_a_new_array(up: Any) -> None:
    disks = Disks(drives("ours:a:3", "", "ours:a:3"), up=True)
    assert "created over 3 drives" in up(disks)
    assert disks.done[:2] == ["mdadm --stop", "mdadm --create"] and disks.done[-1] == "mount"


def test_an_added_drive_leaves_the_array_as_it_is(up: Any) -> None:
    disks = Disks(drives("ours:a:2", "ours:a:2", ""))
    up(disks)
    assert disks.done == ["mdadm --assemble", "mount"]


def test_a_missing_drive_may_come_back(up: Any) -> None:
    disks = Disks(drives("ours:a:3", "ours:a:3"))
    with pytest.raises(SCRATCH.Refused, match="2 of 3 drives are there"):
        up(disks)
    assert disks.done == []


def test_drives_of_two_arrays_are_not_mixed(up: Any) -> None:
    disks = Disks(drives("ours:a:2", "ours:b:2"))
    with pytest.raises(SCRATCH.Refused, match="different arrays"):
        up(disks)
    assert disks.done == []


def test_what_others_wrote_stays(up: Any) -> None:
    disks = Disks(drives("", "ext4", ""))
    with pytest.raises(SCRATCH.Refused, match=r"/dev/nvme1n1 carries ext4: not written over"):
        up(disks)
    assert disks.done == []


def test_partitions_stay(up: Any) -> None:
    disks = Disks(drives("", ""), parts={drive(1): "p"})
    with pytest.raises(SCRATCH.Refused, match="nvme1n1p1"):
        up(disks)
    assert disks.done == []


def test_the_systems_own_drive_is_passed_over(up: Any) -> None:
    disks = Disks(drives("", "", ""), parts={drive(0): "p"}, mounts={f"{drive(0)}p1": "/boot"})
    assert "created over 2 drives" in up(disks) and disks.drives[drive(0)] == ""


def test_network_disks_are_passed_over(up: Any) -> None:
    disks = Disks(drives("", "", ""), models={drive(0): "Amazon Elastic Block Store              "})
    assert "created over 2 drives" in up(disks) and disks.drives[drive(0)] == ""


def test_a_making_that_was_cut_off_goes_on(up: Any) -> None:
    disks = Disks(drives("", ""), broken="mkfs.xfs")
    with pytest.raises(SCRATCH.Refused, match="mkfs"):
        up(disks)
    disks.broken, disks.done = "", []
    up(disks)
    assert disks.done == ["mdadm --assemble", "mkfs.xfs", "mount"]


def test_another_filesystem_on_our_array_stays(up: Any) -> None:
    disks = Disks(drives("ours:a:1"), filesystem="ext4")
    with pytest.raises(SCRATCH.Refused, match="carries ext4"):
        up(disks)
    assert "mkfs.xfs" not in disks.done and "mount" not in disks.done


@given(
    st.lists(st.sampled_from(["", "", "ext4", "ours:a:1", "ours:a:2", "ours:a:3", "ours:b:2"]), max_size=5)
)
def test_nothing_of_others_and_no_readable_array_is_ever_written_over(signatures: list[str]) -> None:
    disks = Disks(drives(*signatures))
    original = SCRATCH.run
    SCRATCH.run = disks.run
    try:
        plan = SCRATCH.decide(SCRATCH.drives([]))
    except SCRATCH.Refused:
        return
    finally:
        SCRATCH.run = original
    ours = [one for one in signatures if one.startswith("ours")]
    assert "ext4" not in signatures and (plan == "none") == (not signatures)
    if plan == "create":
        assert len(set(ours)) <= 1
        assert not ours or len(ours) < int(ours[0][-1]) <= len(signatures)


def test_the_drives_keep_their_order_beyond_ten(up: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SCRATCH, "run", Disks(drives(*[""] * 12)).run)
    assert [one.path for one in SCRATCH.drives([])] == [drive(number) for number in range(12)]
