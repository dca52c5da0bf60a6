"""The key that nodes trust is the key that is pinned, however the file around it is made. Keys by gpg, judged by the real apt.

A publisher's file is passed on as the role's template writes it. apt takes the first armoured block of any kind, and all
keys in it; so a file with another key must be refused, or must not come through with that key.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pytest
from tests.roles import apt_root
from tests.roles.apt_root import served

from railbed.effects import signed_repository
from railbed.effects.lab import packages
from railbed.effects.publishers import armoured
from railbed.errors import RailbedError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not run: apt works in a folder of root's")
ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = (ROOT / "roles/packages/templates/railbed.sources.j2").read_text()
HEAD, TAIL = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"


@dataclass(frozen=True)
class Publisher:
    """A repository signed by a key of its own."""

    folder: Path
    key: str
    fingerprint: str

    @property
    def body(self) -> str:
        """The base64 of the key, without the checksum."""
        lines = self.key.split("\n\n", 1)[1].splitlines()
        return "\n".join(line for line in lines if line and line[0] not in "=-") + "\n"

    def labelled(self, kind: str) -> str:
        """The same block under another name."""
        return self.key.replace("PUBLIC KEY BLOCK", kind)


def publisher(folder: Path) -> Publisher:
    folder.mkdir()
    packages.index(folder)
    signed_repository.sign(folder, packages.SIGNER, packages.KEY)
    shown = gpg("--with-colons", "--show-keys", text=(folder / "lab.asc").read_text())
    fingerprint = next(line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:"))
    return Publisher(folder, (folder / "lab.asc").read_text(), fingerprint)


def gpg(*words: str, text: str) -> str:
    argv = ["gpg", "--batch", "--quiet", "--no-autostart", *words]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    return publisher(tmp_path_factory.mktemp("keys") / "good")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Whoever changed the answer at the key's address, with a repository in the place of the publisher's."""
    return publisher(tmp_path_factory.mktemp("keys") / "other")


def both(good: Publisher, other: Publisher) -> str:
    """One block with the packets of both keys."""
    with_keys = f"{good.key}{other.key}"
    home = good.folder.parent / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    gpg("--homedir", str(home), "--import", text=with_keys)
    return gpg("--homedir", str(home), "--armor", "--export", text="")


def indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


Made = Callable[[Publisher, Publisher], str]
ARMOURS: dict[str, Made] = {
    "a message in front": lambda good, other: other.labelled("MESSAGE") + good.key,
    "a signature in front": lambda good, other: other.labelled("SIGNATURE") + good.key,
    "a part of a message in front": lambda good, other: other.labelled("MESSAGE, PART 1") + good.key,
    "a block of no kind in front": lambda good, other: other.labelled("ARMORED FILE") + good.key,
    "a private key's block in front": lambda good, other: other.labelled("PRIVATE KEY BLOCK") + good.key,
    "a message behind": lambda good, other: good.key + other.labelled("MESSAGE"),
    "two blocks": lambda good, other: good.key + other.key,
    "two keys in one block": both,
    "a block without end in front": lambda good, other: f"{HEAD}\n\n{other.body}{good.key}",
    "a key behind the checksum": lambda good, other: good.key.replace(TAIL, f"{other.body}{TAIL}"),
    "a block within a header": lambda good, other: good.key.replace(
        f"{HEAD}\n", f"{HEAD}\nComment: x\n{other.labelled('MESSAGE')}"
    ),
    "an indented block in front": lambda good, other: indented(other.labelled("MESSAGE")) + good.key,
    "words in front": lambda good, other: f"Key of {good.fingerprint}\n{good.key}",
    "another key under the name": lambda good, other: other.key,
}


def taken(keys: Path, good: Publisher, text: str) -> str | None:
    """What railbed passes on of that file; None where it refuses it."""
    folder = keys / "published"
    folder.mkdir(parents=True)
    (folder / "key.asc").write_text(text, newline="")
    with served(folder) as server:
        try:
            return armoured(
                keys / "kept", f"http://127.0.0.1:{server.server_address[1]}/key.asc", good.fingerprint
            )
        except RailbedError:
            return None


def believed(folder: Path, key: str, publisher: Publisher, patch: pytest.MonkeyPatch) -> bool:
    """Whether the real apt of a node with that key takes the publisher's index."""
    node = folder / publisher.folder.name
    apt_root.empty(node / "root")
    with apt_root.machine(node, publisher.folder, patch) as machine:
        repository = {"name": "r", "uri": machine.uri, "suite": "./", "components": [], "signed_by": key}
        text = (
            jinja2.Environment(trim_blocks=True)
            .from_string(TEMPLATE)
            .render(packages_repositories=[repository])
        )
        (machine.root / "etc/apt/sources.list.d/railbed.sources").write_text(text)
        argv = ["apt-get", "-o", "APT::Update::Error-Mode=any", "update"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 or "is not signed" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("name", ARMOURS)
def test_no_other_key_comes_through(
    name: str, good: Publisher, other: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = taken(tmp_path / "keys", good, ARMOURS[name](good, other))
    if text is not None:
        assert believed(tmp_path / "node", text, good, monkeypatch)
        assert not believed(tmp_path / "node", text, other, monkeypatch)


@pytest.mark.parametrize(
    "written",
    [
        lambda key: key,
        lambda key: key.replace("\n", "\r\n"),
        lambda key: f"\n{key}\n\n",
        lambda key: key.replace(f"{HEAD}\n", f"{HEAD}\nVersion: GnuPG v2.0.22 (GNU/Linux)\nComment: a key\n"),
    ],
    ids=["as it is", "CRLF", "blank lines around", "headers"],
)
def test_the_pinned_key_comes_through_and_is_the_only_one(
    written: Callable[[str], str],
    good: Publisher,
    other: Publisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = taken(tmp_path / "keys", good, written(good.key))
    assert text is not None and text.startswith(f"{HEAD}\n\n") and text.count("-----BEGIN") == 1
    assert believed(tmp_path / "node", text, good, monkeypatch)
    assert not believed(tmp_path / "node", text, other, monkeypatch)
