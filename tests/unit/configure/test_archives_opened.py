"""Archives that module `built` opens as root: whose what lies there is, who may write it, and where links lead."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from tests.unit.configure import modules

ARCHIVE = modules.ARCHIVE
OTHER = 50326
"""Who packed NVIDIA's releases is such a number, of nobody on a node or, worse, of a user."""


def packed(file: Path, *members: tarfile.TarInfo) -> Path:
    """An archive with these members, in this order; files hold their name."""
    with tarfile.open(file, "w:bz2") as archive:
        for member in members:
            data = member.name.encode() if member.isfile() else b""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


def one(name: str, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    """A member that another user packed."""
    made = tarfile.TarInfo(name)
    made.mode, made.type, made.linkname, made.mtime = mode, kind, to, 1_700_000_000
    made.uid = made.gid = OTHER
    made.uname = made.gname = "nobody"
    return made


def test_what_is_opened_is_of_who_opens_it_and_nobody_else_writes(tmp_path: Path) -> None:
    file = packed(
        tmp_path / "hpcx.tbz",
        one("hpcx", 0o777, tarfile.DIRTYPE),
        one("hpcx/bin", 0o2777, tarfile.DIRTYPE),
        one("hpcx/bin/mpirun", 0o6777),
        one("hpcx/secret.conf", 0o600),
        one("hpcx/lib/libmpi.so.40", 0o666),
        one("hpcx/lib/libmpi.so", 0o777, tarfile.SYMTYPE, "libmpi.so.40"),
        one("hpcx/lib/up", 0o777, tarfile.SYMTYPE, "../bin/mpirun"),
        one("hpcx/bin/mpiexec", 0o777, tarfile.LNKTYPE, "hpcx/bin/mpirun"),
    )
    ARCHIVE.opened(file, tmp_path / "opened")
    found = {
        str(path.relative_to(tmp_path / "opened")): path.lstat() for path in (tmp_path / "opened").rglob("*")
    }
    assert {status.st_uid for status in found.values()} == {os.geteuid()}
    assert {status.st_gid for status in found.values()} <= {os.getegid(), 0}
    modes = {name: stat.S_IMODE(s.st_mode) for name, s in found.items() if not stat.S_ISLNK(s.st_mode)}
    assert modes == {
        "hpcx": 0o755, "hpcx/bin": 0o755, "hpcx/bin/mpirun": 0o755, "hpcx/bin/mpiexec": 0o755, "hpcx/secret.conf": 0o644,
        "hpcx/lib": 0o755, "hpcx/lib/libmpi.so.40": 0o644,
    }  # fmt: skip
    assert (tmp_path / "opened/hpcx/lib/up").read_text() == "hpcx/bin/mpirun"
    assert found["hpcx/bin/mpirun"].st_mtime == 1_700_000_000, "make goes by it"


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([one("../away")], "would lie outside"),
        ([one("/tmp/railbed-away")], "would lie outside"),
        ([one("top/l", kind=tarfile.SYMTYPE, to="/etc")], "l leads outside"),
        ([one("top/l", kind=tarfile.SYMTYPE, to="../../x")], "l leads outside"),
        ([one("top/l", kind=tarfile.SYMTYPE, to="..")], "l leads outside"),
        ([one("top/l", kind=tarfile.LNKTYPE, to="../../etc/passwd")], "l leads outside"),
        ([one("top/l", kind=tarfile.SYMTYPE, to="."), one("top/l/x")], "x would lie outside"),
        ([one("top/l", kind=tarfile.SYMTYPE, to="x"), one("top/l")], "l would lie outside"),
        # By its words inside, by the link that it goes through outside.
        (
            [
                one("top/a/b", kind=tarfile.DIRTYPE, mode=0o755),
                one("top/a/b/d", kind=tarfile.SYMTYPE, to="../.."),
                one("top/a/b/l", kind=tarfile.SYMTYPE, to="d/../../x"),
            ],
            "l leads outside",
        ),
        ([one("top/device", kind=tarfile.CHRTYPE)], "no file, folder or link"),
        ([one("top/pipe", kind=tarfile.FIFOTYPE)], "no file, folder or link"),
    ],
)
def test_what_would_lie_or_lead_outside_is_refused(
    members: list[tarfile.TarInfo], says: str, tmp_path: Path
) -> None:
    file = packed(tmp_path / "archive.tbz", *members)
    with pytest.raises(ARCHIVE.Unsafe, match=says):
        ARCHIVE.opened(file, tmp_path / "work/opened")
    assert not (tmp_path / "away").exists() and not Path("/tmp/railbed-away").exists()
