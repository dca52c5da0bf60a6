"""Role wheels: the program that serves them, and pip on a node that takes them from there and from nowhere else."""

from __future__ import annotations

import http.client
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.roles.conftest import KEY, Recorded, cluster, record
from tests.support.contracts import sealed

from railbed import contract
from railbed.configure import inventory
from railbed.defaults import NODE_WHEELS
from railbed.effects import wheel_set
from railbed.effects.mirror.folder import Folder
from railbed.effects.mirror.wheels import write_index

ROOT = Path(__file__).resolve().parents[2]
BRING = ROOT / "roles/training_stack/files/bring.py"
PYTHON = Path(sys.base_prefix) / "bin/python3"
"""With pip, as a node's; the tests' own has none."""
TORCH = {
    "torch/__init__.py": "class nccl:\n    @staticmethod\n    def version(): return (2, 30, 7)\nclass cuda:\n    nccl = nccl\n",
    "torch/distributed.py": "",
}
DIGEST = "0123456789ab"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("serve", ROOT / "roles/wheels/files/serve.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SERVE = _load()


def wheel(name: str, version: str, files: dict[str, str]) -> bytes:
    info, sink = f"{name}-{version}.dist-info", io.BytesIO()
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(sink, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD")))
    return sink.getvalue()


@dataclass
class Served:
    """A folder of wheels that the role's program serves on loopback, and the locked list of them."""

    folder: Path
    address: str
    locked: Path

    @property
    def page(self) -> str:
        return f"http://{self.address}/{DIGEST}/2.99.0/index.html"

    def get(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    place = tmp_path / "wheels" / DIGEST / "wheels/2.99.0"
    place.mkdir(parents=True)
    lines = []
    for name, version, files in (
        ("torch", "2.99.0", TORCH),
        ("helper", "1", {"helper.py": "X = 1\n" * 200_000}),
    ):
        body = wheel(name, version, files)
        (place / f"{name}-{version}-py3-none-any.whl").write_bytes(body)
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{sha256(body).hexdigest()}\n")
    write_index(Folder(place.parents[1], tmp_path, print), "wheels/2.99.0")
    place.rename(tmp_path / "wheels" / DIGEST / "2.99.0")
    (tmp_path / "list.txt").write_text("".join(lines))
    server = SERVE.server(tmp_path / "wheels", "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Served(tmp_path / "wheels", f"127.0.0.1:{server.server_address[1]}", tmp_path / "list.txt")
    server.shutdown()
    server.server_close()


def bring(served: Served, to: Path, *pages: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, BRING, f"--requirements={served.locked}", f"--to={to}", "--torch=2.99.0",
         *(f"--wheels={page}" for page in pages)],
        capture_output=True, text=True, timeout=300, check=False,
        # What pip would ask by itself answers nobody.
        env={"PATH": "/usr/bin:/bin", "HOME": str(to.parent), "PIP_INDEX_URL": "http://127.0.0.1:9/"},
    )  # fmt: skip


def test_a_node_installs_from_a_controller_alone_and_keeps_no_second_copy(
    served: Served, tmp_path: Path
) -> None:
    to = tmp_path / "node/opt/training"
    done = bring(served, to, served.page)
    assert (done.returncode, done.stdout) == (0, "fetched; NCCL (2, 30, 7)\n"), done.stderr
    assert (to / "helper.py").is_file()
    assert [path.name for path in to.parent.iterdir()] == ["training"], "nor a cache of pip's"


def test_a_controller_that_lacks_them_is_named_and_the_other_serves(served: Served, tmp_path: Path) -> None:
    lacking = served.page.replace(DIGEST, "ffffffffffff")
    # Not an address where nobody answers: pip tries that five times, with pauses.
    assert bring(served, tmp_path / "node/training", lacking, served.page).returncode == 0
    done = bring(served, tmp_path / "other/training", lacking)
    assert done.returncode == 1 and lacking in done.stderr and not (tmp_path / "other/training").exists()


def test_another_file_than_the_lists_is_not_installed(served: Served, tmp_path: Path) -> None:
    (torch,) = served.folder.rglob("torch-*.whl")
    torch.write_bytes(wheel("torch", "2.99.0", {**TORCH, "torch/more.py": "X = 1\n"}))
    write_index(Folder(served.folder, tmp_path, print), f"{DIGEST}/2.99.0")
    done = bring(served, tmp_path / "node/training", served.page)
    assert done.returncode == 1 and "DO NOT MATCH THE HASHES" in done.stderr.upper(), done.stderr
    assert not list((tmp_path / "node").glob("*training*"))
    assert f"`rm {NODE_WHEELS}/{DIGEST}.whole`; then `railbed converge`" in done.stderr
    assert "controller 127.0.0.1 has a file that is damaged or gone" in done.stderr


def test_a_damaged_file_is_named_with_its_cure_and_other_failures_without(
    served: Served, tmp_path: Path
) -> None:
    (torch,) = served.folder.rglob("torch-*.whl")
    torch.write_bytes(torch.read_bytes()[:-1])
    done = bring(served, tmp_path / "node/training", served.page)
    assert done.returncode == 1 and f"{DIGEST}.whole" in done.stderr
    (served.folder / DIGEST).rename(served.folder / "wheels")
    done = bring(served, tmp_path / "mirrored/training", served.page.replace(DIGEST, "wheels"))
    assert "the mirror 127.0.0.1 has a file that is damaged or gone: `railbed software mirror`" in done.stderr
    torch = served.folder / "wheels/2.99.0" / torch.name
    torch.unlink()
    done = bring(served, tmp_path / "lacking/training", served.page.replace(DIGEST, "wheels"))
    assert done.returncode == 1 and "damaged or gone" in done.stderr
    shutil.rmtree(served.folder / "wheels")
    done = bring(served, tmp_path / "down/training", served.page)
    assert done.returncode == 1 and "damaged or gone" not in done.stderr


def test_the_program_lists_no_folder_and_leaves_none(served: Served, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    name = next(served.folder.rglob("helper-*.whl"))
    path = f"/{name.relative_to(served.folder)}"
    assert served.get(path) == (200, name.read_bytes())
    assert served.get(path, "HEAD") == (200, b"")
    for absent in ("/", f"/{DIGEST}/", "/../secret", "/%2e%2e/secret"):
        assert served.get(absent)[0] == 404, absent
    assert served.get(path, "POST")[0] == 501


def test_many_take_the_same_file_at_once(served: Served) -> None:
    name = next(served.folder.rglob("helper-*.whl"))
    path, taken = f"/{name.relative_to(served.folder)}", list[int]()
    threads = [threading.Thread(target=lambda: taken.append(len(served.get(path)[1]))) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == [name.stat().st_size] * 64


def serving(**changes: Any) -> contract.Contract:
    """A cluster whose controllers serve wheels."""
    made = cluster()
    own = contract.Repository(
        name="local",
        uri="file:/opt/railbed/repository/abc/",
        suite="./",
        components=[],
        signed_by=KEY,
        wheels=DIGEST,
    )
    software = made.software.model_copy(update={"repositories": [own]})
    extra = {True: "wheels_nodes", False: "training_fetched"}
    classes = [
        one.model_copy(update={"groups": [*one.groups, extra[one.name.startswith("controller")]]})
        for one in made.classes
    ]
    return sealed(made.model_copy(update={"software": software, "classes": classes, **changes}))


def recorded_with(folder: Path, damage: Callable[[Path], object] = str) -> Recorded:
    """The roles over a set of one wheel in the cache, once ``damage`` was done to the wheel."""
    place = folder / "cache" / DIGEST
    (place / "2.99.0").mkdir(parents=True)
    (place / "2.99.0/helper-1-py3-none-any.whl").write_bytes(wheel("helper", "1", {"helper.py": "X = 1\n"}))
    write_index(Folder(place, folder, print), "2.99.0")
    wheel_set.remember(place)
    damage(place / "2.99.0/helper-1-py3-none-any.whl")
    extra = folder / "extra.json"
    extra.write_text(
        json.dumps({"railbed_wheels_carried": {"from": str(place), "to": f"/opt/railbed/wheels/{DIGEST}"}})
    )
    return record(folder / "checkout", serving(), container=False, tags="wheels,training_stack", extra=extra)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded_with(tmp_path_factory.mktemp("wheels"))


def test_a_damaged_set_is_not_carried_and_the_next_up_reads_it(tmp_path: Path) -> None:
    def flip(file: Path) -> None:
        stat = file.stat()
        file.write_bytes(bytes(file.stat().st_size))
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert wheel_set.unchanged(file.parents[1])

    made = recorded_with(tmp_path, flip)
    place = tmp_path / "cache" / DIGEST
    failed = made.collector.nodes["ctl0"]
    assert failed.failed_task.endswith("They are as they were fetched, and there is room for them")
    assert (
        f"damaged in {place}, not carried: 2.99.0/helper-1-py3-none-any.whl; `railbed up`" in failed.message
    )
    assert not [task for task in made.called["ctl0"] if "Carry" in task]
    assert not wheel_set.unchanged(place)


def room(to: Path, wanted_bytes: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/usr/bin/python3", ROOT / "roles/wheels/files/room.py", to, str(wanted_bytes)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_controller_without_room_names_the_figures(tmp_path: Path) -> None:
    to = tmp_path / "wheels" / DIGEST
    free = shutil.disk_usage(tmp_path).free
    assert room(to, 1).returncode == (free < 2**30 + 1) == 0
    full = room(to, 2 * free)
    assert (
        full.returncode == 1
        and f"{to}: " in full.stderr
        and f"GiB are free below {tmp_path}: " in full.stderr
    )
    assert f"(the set has {2 * free / 2**30:.1f}, 0.0 of it lie there, 1.0 stay free)" in full.stderr
    # What a run that was cut off carried is not counted again.
    to.mkdir(parents=True)
    with (to / "torch.whl").open("wb") as sparse:
        sparse.truncate(2 * free)
    assert room(to, 2 * free).returncode == 0


def test_controllers_serve_and_nodes_ask_them(recorded: Recorded) -> None:
    assert recorded.collector.finished
    assert not [one.message for one in recorded.collector.nodes.values() if one.failed_task]
    unit = recorded.text("ctl0", "/etc/systemd/system/railbed-wheels.service")
    assert "--folder /opt/railbed/wheels --address 10.90.0.10 --port 8480\n" in unit
    assert "DynamicUser=yes\n" in unit
    assert not [
        host
        for host in recorded.files
        if host != "ctl0" and "/opt/railbed/serve-wheels.py" in recorded.files[host]
    ]


def test_the_inventory_names_a_page_of_each_controller() -> None:
    made = serving()
    paths = inventory.Paths(ssh_config=Path("c"), secrets=Path("s"), wheels=Path("/cache/wheels"))
    variables = inventory.build(made, {}, paths).variables
    torch = made.software.versions["torch"]
    assert variables["railbed_wheels"] == [f"http://10.90.0.10:8480/{DIGEST}/{torch}/index.html"]
    assert variables["railbed_wheels_carried"] == {
        "from": f"/cache/wheels/{DIGEST}",
        "to": f"/opt/railbed/wheels/{DIGEST}",
    }
    assert "wheels" not in variables["railbed_repositories"][0]
    page = f"https://mirror.test/wheels/{torch}/index.html"
    mirrored = cluster()
    mirrored = sealed(
        mirrored.model_copy(update={"software": mirrored.software.model_copy(update={"wheels": page})})
    )
    variables = inventory.build(mirrored, {}, paths).variables
    assert variables["railbed_wheels"] == [page] and variables["railbed_wheels_carried"] == {}
