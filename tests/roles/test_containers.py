"""Containers of one user are out of reach of another: the program that makes each user's folders, run as several users."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pytest

ROLE = Path(__file__).resolve().parents[2] / "roles/container_runtime"
USER, OTHER = 61001, 61002
NAMES = ("RUNTIME", "DATA", "CACHE")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="acts as several users")


@dataclass
class Place:
    """The folders of a node, below one that every user reaches."""

    root: Path

    @property
    def program(self) -> Path:
        return self.root / "own-folder"

    @property
    def data(self) -> Path:
        return self.root / "lib/data"

    def of(self, uid: int) -> Path:
        return self.data / f"user-{uid}"

    def run(self, uid: int, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, user=uid, group=uid, extra_groups=[], umask=0, capture_output=True, text=True, check=False
        )

    def ask(self, uid: int) -> subprocess.CompletedProcess[str]:
        return self.run(uid, self.program, self.data)

    def settings(self) -> dict[str, str]:
        """What stands in enroot.conf, by name."""
        template = jinja2.Environment(trim_blocks=True, autoescape=False).from_string(
            (ROLE / "templates/enroot.conf.j2").read_text()
        )
        text = template.render(container_runtime_data=str(self.root / "lib"))
        text = text.replace("/opt/railbed/containers/own-folder", str(self.program))
        text = text.replace("/run/enroot", str(self.root / "run"))
        return {name: re.findall(rf"^ENROOT_{name}_PATH (.*)$", text, re.M)[0] for name in NAMES}

    def paths(self, uid: int) -> dict[str, Path]:
        """What enroot takes from its settings: each value goes through `eval echo` of a bash that runs as the user."""
        made = {}
        for name, value in self.settings().items():
            asked = self.run(
                uid, "bash", "-euo", "pipefail", "-c", 'printf %s "$(eval echo "$1")"', "-", value
            )
            assert asked.returncode == 0
            made[name] = Path(asked.stdout)
        return made

    def enroot_starts(self, uid: int) -> bool:
        """Whether enroot, which stops where it cannot make its folders, would go on."""
        return self.run(uid, "mkdir", "-p", *self.paths(uid).values()).returncode == 0


@pytest.fixture
def place() -> Iterator[Place]:
    """Not below pytest's own folder, which is root's alone."""
    made = Place(Path(tempfile.mkdtemp(prefix="railbed-containers-")))
    made.root.chmod(0o755)
    for name in ("lib/data", "lib/cache", "run"):
        (made.root / name).mkdir(parents=True)
        (made.root / name).chmod(0o1777)
    shutil.copy(ROLE / "files/own-folder", made.program)
    made.program.chmod(0o755)
    yield made
    shutil.rmtree(made.root)


def taken(folder: Path, uid: int, mode: int) -> None:
    """A folder that somebody made in advance."""
    folder.mkdir()
    os.chown(folder, uid, uid)
    folder.chmod(mode)


def mode_and_owner(folder: Path) -> tuple[str, int]:
    found = folder.lstat()
    return oct(found.st_mode), found.st_uid


@pytest.mark.parametrize("uid", [USER, 0])
def test_the_first_use_makes_folders_that_are_the_users_alone(place: Place, uid: int) -> None:
    paths = place.paths(uid)
    assert paths == {
        "RUNTIME": place.root / f"run/user-{uid}",
        "DATA": place.root / f"lib/data/user-{uid}",
        "CACHE": place.root / f"lib/cache/user-{uid}",
    }
    assert {mode_and_owner(path) for path in paths.values()} == {("0o40700", uid)}
    assert place.enroot_starts(uid)


def test_the_second_use_finds_the_same_folders(place: Place) -> None:
    first = place.paths(USER)
    (first["DATA"] / "image").touch()
    assert place.paths(USER) == first and (first["DATA"] / "image").exists()
    again = place.ask(USER)
    assert (again.returncode, again.stdout, again.stderr) == (0, f"{USER}\n", "")


def test_users_do_not_get_in_each_others_way(place: Place) -> None:
    assert place.paths(USER)["DATA"] != place.paths(OTHER)["DATA"]
    assert place.run(OTHER, "ls", place.of(USER)).returncode != 0
    assert place.run(OTHER, "mv", place.of(USER), place.data / "away").returncode != 0


@pytest.mark.parametrize("mode", [0o777, 0o700, 0o1777])
@pytest.mark.parametrize("uid", [USER, 0])
def test_a_folder_that_another_made_in_advance_is_refused(place: Place, uid: int, mode: int) -> None:
    taken(place.of(uid), OTHER, mode)
    answer = place.ask(uid)
    assert answer.returncode == 1 and answer.stdout == ""
    assert f"{place.of(uid)} is a directory of " in answer.stderr and "Have root remove it" in answer.stderr
    assert not place.paths(uid)["DATA"].is_relative_to(place.of(uid))
    assert not place.enroot_starts(uid)
    assert mode_and_owner(place.of(uid)) == (oct(0o40000 | mode), OTHER) and not list(place.of(uid).iterdir())


@pytest.mark.parametrize("owner", [USER, OTHER])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_advance_is_refused(place: Place, owner: int, there: bool) -> None:
    """Of a folder of the user's own too: whoever made the link says where it leads."""
    target = place.root / "elsewhere"
    if there:
        taken(target, USER, 0o755)
    place.of(USER).symlink_to(target)
    os.lchown(place.of(USER), owner, owner)
    answer = place.ask(USER)
    assert answer.returncode == 1 and "is a symbolic link of " in answer.stderr
    assert not place.enroot_starts(USER)
    assert target.exists() == there and (not there or mode_and_owner(target) == ("0o40755", USER))


def test_a_file_in_its_place_is_refused(place: Place) -> None:
    place.of(USER).touch()
    os.chown(place.of(USER), USER, USER)
    assert place.ask(USER).returncode == 1 and not place.enroot_starts(USER)


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o750, 0o701, 0o2770, 0o1777])
def test_an_own_folder_that_is_open_is_closed(place: Place, mode: int) -> None:
    taken(place.of(USER), USER, mode)
    assert place.paths(USER)["DATA"] == place.of(USER)
    assert mode_and_owner(place.of(USER)) == ("0o40700", USER)


@pytest.mark.parametrize(("owner", "mode"), [(0, 0o777), (0, 0o755), (OTHER, 0o1777)])
def test_a_parent_in_which_others_could_rename_is_refused(place: Place, owner: int, mode: int) -> None:
    taken(place.of(USER), USER, 0o700)
    os.chown(place.data, owner, owner)
    place.data.chmod(mode)
    answer = place.ask(USER)
    assert answer.returncode == 1 and f"{place.data} is not a folder of root's" in answer.stderr
    assert not place.enroot_starts(USER)


def test_nothing_is_taken_where_nobody_can_tell(place: Place) -> None:
    """Without the program no path is left that another could have made."""
    place.program.unlink()
    for path in place.paths(USER).values():
        with pytest.raises(OSError, match="File name too long"):
            path.mkdir()
    assert not place.enroot_starts(USER)


def test_of_many_that_come_at_once_all_get_the_folder(place: Place) -> None:
    """As the ranks of a job's first step do."""
    ask = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", place.program, place.data]
    running = [subprocess.Popen(ask, stdout=subprocess.PIPE, text=True) for _ in range(16)]
    assert {one.communicate()[0] for one in running} == {f"{USER}\n"}
    assert {one.returncode for one in running} == {0}


def test_the_check_of_a_node_finds_where_images_are_unpacked(place: Place) -> None:
    """As claim node.containers reads it from the settings."""
    line = f"ENROOT_DATA_PATH {place.settings()['DATA']}"
    found = re.search(r"^ENROOT_DATA_PATH\s+(\S+)/user-", line)
    assert found and found[1] == str(place.data)
