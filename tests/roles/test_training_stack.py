"""Role training_stack: the program that fetches it, with a stand-in for pip; and the lists of every release."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from railbed import catalog

ROOT = Path(__file__).resolve().parents[2]
LOADS = "class nccl:\n    @staticmethod\n    def version(): return (2, 27, 5)\nclass cuda:\n    nccl = nccl\n"
PIP = """
import pathlib, sys
told = dict(word.split("=", 1) for word in sys.argv if "=" in word)
assert "--require-hashes" in sys.argv and "--only-binary=:all:" in sys.argv
target = pathlib.Path(told["--target"])
(target / "torch").mkdir()
(target / "torch/__init__.py").write_text({torch!r})
(target / "torch/distributed.py").touch()
(target / "torch-{version}.dist-info").mkdir()
(target / "torch-{version}.dist-info/METADATA").write_text("Name: torch\\nVersion: {version}+cu128\\n")
if {fails!r}:
    sys.exit({fails!r})
"""


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("bring", ROOT / "roles/training_stack/files/bring.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BRING = _load()


class Node:
    """A folder with a stand-in for pip on Python's path."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.to = folder, folder / "opt/training"
        (folder / "path/pip").mkdir(parents=True)
        patch.setenv("PYTHONPATH", str(folder / "path"))

    def pip(self, version: str = "2.10.0", torch: str = LOADS, fails: str = "") -> None:
        text = PIP.format(version=version, torch=torch, fails=fails)
        (self.folder / "path/pip/__main__.py").write_text(text)

    def bring(self) -> int:
        argv = [f"--requirements={self.folder / 'list.txt'}", f"--to={self.to}", "--torch=2.10.0"]
        return int(BRING.main(argv))

    def left(self) -> list[str]:
        return [path.name for path in self.to.parent.iterdir()]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(tmp_path, monkeypatch)
    made.pip()
    return made


def test_it_appears_whole_with_its_nccl_and_is_not_fetched_again(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    (node.folder / "opt/.fetching-left").mkdir(parents=True)
    assert node.bring() == 0
    assert capsys.readouterr().out == "fetched; NCCL (2, 27, 5)\n"
    assert node.left() == ["training"] and node.to.stat().st_mode & 0o777 == 0o755
    node.pip(fails="asked again")
    assert node.bring() == 0 and capsys.readouterr().out == "there\n"


def test_another_torch_takes_the_place_of_the_one_before(node: Node) -> None:
    node.to.mkdir(parents=True)
    (node.to / "old").touch()
    assert node.bring() == 0
    assert not (node.to / "old").exists() and node.left() == ["training"]


@pytest.mark.parametrize(
    ("pip", "says"),
    [
        ({"fails": "THESE PACKAGES DO NOT MATCH THE HASHES"}, "DO NOT MATCH THE HASHES"),
        ({"fails": "No space left on device"}, "No space left"),
        ({"version": "2.9.0"}, "torch 2.9.0, not 2.10.0"),
        ({"torch": "import nothing_of_that_name"}, "nothing_of_that_name"),
    ],
)
def test_what_cannot_be_had_or_loaded_leaves_the_one_before(
    pip: dict[str, str], says: str, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    node.to.mkdir(parents=True)
    (node.to / "old").touch()
    node.pip(**pip)
    assert node.bring() == 1
    assert says in capsys.readouterr().err
    assert (node.to / "old").exists() and node.left() == ["training"]


@pytest.mark.parametrize("release", catalog.keys("software"))
def test_every_torch_of_a_release_has_a_list_in_which_each_package_has_hashes(release: str) -> None:
    for torch in catalog.load_release(release).alternatives("torch"):
        lines = (ROOT / f"tools/training-requirements-{torch.version}.txt").read_text().splitlines()
        assert f"torch=={torch.version} \\" in lines
        named = [index for index, line in enumerate(lines) if re.match(r"\S+==", line)]
        assert len(named) > 20 and all("--hash=sha256:" in lines[index + 1] for index in named)
