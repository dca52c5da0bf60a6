"""The training stack's wheels in the cache: fetched once by the locked list, gone on with, or named and not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.full_disk import files_end_at
from tests.unit.effects.test_mirror import Site, site  # noqa: F401 - a fixture
from tests.unit.effects.test_mirror_wheels import asked, locked  # noqa: F401 - a fixture

from railbed import contract, plan, spec
from railbed.effects.download import FetchError, Unreachable

# Taken before tests/conftest.py puts what stands for it in its place.
from railbed.effects.local_wheels import FETCHING, digest_of, ensure, wheels_dir
from railbed.errors import HostError
from railbed.platforms import assemble, repositories

WANTED = [asked("amd64")]
EXAMPLES = Path(__file__).parents[3] / "examples"


def fetched(text: str, cache: Path) -> Path:
    said: list[str] = []
    return wheels_dir(cache) / ensure("2026.99", WANTED, {"2.99.0": text}, cache, said.append)


def files(site: Site) -> list[str]:  # noqa: F811 - the fixture
    """Wheels that were asked for."""
    return [path for path in site.asked if path.startswith("/files/")]


def test_they_are_fetched_once_and_lie_as_a_mirror_has_them(site: Site, locked: str, tmp_path: Path) -> None:  # noqa: F811
    place = fetched(locked, tmp_path)
    assert place.name == digest_of(WANTED, {"2.99.0": locked})
    names = {path.name for path in (place / "2.99.0").iterdir()}
    assert "index.html" in names and len(names) == len(files(site)) + 1 == 3
    site.asked.clear()
    assert fetched(locked, tmp_path) == place and not site.asked, "nobody is asked again"
    assert {path.name for path in wheels_dir(tmp_path).iterdir()} == {
        "lock",
        place.name,
        f"{place.name}.seen.json",
    }


def test_another_list_or_system_has_a_name_of_its_own(locked: str) -> None:  # noqa: F811
    names = {
        digest_of(wanted, {"2.99.0": text})
        for wanted in (WANTED, [asked("arm64")], [*WANTED, asked("arm64")])
        for text in (locked, locked + "\n")
    }
    assert len(names) == 6
    assert digest_of([asked("arm64"), *WANTED], {"2.99.0": locked}) in names, "in any order"


def test_an_index_that_is_down_is_named_and_nothing_is_there(site: Site, locked: str, tmp_path: Path) -> None:  # noqa: F811
    site.server.shutdown()
    site.server.server_close()
    with pytest.raises(Unreachable, match="cannot be fetched") as refused:
        fetched(locked, tmp_path)
    assert "/simple/torch/" in str(refused.value.path)
    assert not [
        one for one in wheels_dir(tmp_path).iterdir() if one.name != "lock" and FETCHING not in one.name
    ]


@pytest.mark.parametrize("fault", ["cut", "other", "gone"])
def test_a_run_that_failed_is_gone_on_with(site: Site, locked: str, tmp_path: Path, fault: str) -> None:  # noqa: F811
    # The list's last package is fetched last.
    path = next(path for path in site.files if path.startswith("/files/helper"))
    whole = site.files[path]
    if fault == "cut":
        site.cut.add(path)
    elif fault == "other":
        site.files[path] = b"another file"
    else:
        del site.files[path]
    with pytest.raises(FetchError, match={"cut": "cut off", "other": "not the one", "gone": "404"}[fault]):
        fetched(locked, tmp_path)
    assert not (wheels_dir(tmp_path) / digest_of(WANTED, {"2.99.0": locked})).exists()
    assert not list(wheels_dir(tmp_path).rglob("helper*.whl")), "nothing half-made under its name"
    site.cut.clear()
    site.files[path] = whole
    (begun,) = wheels_dir(tmp_path).glob(f"*{FETCHING}")
    (begun / ".fetching-killed").mkdir()
    site.asked.clear()
    place = fetched(locked, tmp_path)
    assert files(site) == [path], "what was whole is not fetched again"
    assert len(list(place.rglob("*.whl"))) == 2 and not begun.exists()


def test_what_an_earlier_run_left_is_compared_with_the_list(site: Site, locked: str, tmp_path: Path) -> None:  # noqa: F811
    place = fetched(locked, tmp_path)
    begun = place.with_name(place.name + FETCHING)
    begun.mkdir()
    place.rename(begun / "wheels")
    (torch,) = (begun / "wheels").rglob("torch*.whl")
    torch.write_bytes(torch.read_bytes()[:-1])
    site.asked.clear()
    assert fetched(locked, tmp_path) == place and len(files(site)) == 1


def test_a_full_disk_says_where_to_make_room(site: Site, locked: str, tmp_path: Path) -> None:  # noqa: F811
    with files_end_at(64), pytest.raises(HostError, match=r"no room for|cannot write") as refused:
        fetched(locked, tmp_path)
    assert "make room" in refused.value.hint
    assert fetched(locked, tmp_path).is_dir(), "the same again, with room"


@pytest.mark.skipif(shutil.which("uv") is None, reason="not run: uv is not on PATH")
def test_the_lab_installs_from_them_alone(
    site: Site,  # noqa: F811
    locked: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from railbed.effects import local_wheels
    from railbed.effects.lab import training

    monkeypatch.setattr(local_wheels, "ensure", ensure)
    monkeypatch.setattr(training, "TORCH", "2.99.0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Where uv would go by itself, nobody answers.
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/")
    (tmp_path / "training-requirements-2.99.0.txt").write_text(locked)
    made = training.ensure_training_stack(tmp_path, lambda _: None)
    assert "manylinux_2_28" in (made / "torch.py").read_text() and (made / "helper.py").is_file()
    site.asked.clear()
    assert training.ensure_training_stack(tmp_path, lambda _: None) == made and not site.asked


def test_what_cannot_be_had_ends_up_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` fetches before it asks a platform for nodes (railbed.platforms.fetch)."""
    monkeypatch.setattr("railbed.software.wheels.PYPI_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("railbed.effects.local_wheels.ensure", ensure)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    planned = plan.plan(spec.load(EXAMPLES / "aws-cluster.yaml"))
    with pytest.raises(Unreachable, match="cannot be fetched"):
        repositories.of(planned, tmp_path / "keys", print)


def test_the_contract_says_which_wheels_controllers_serve_and_which_nodes_these_are(tmp_path: Path) -> None:
    planned = plan.plan(spec.load(EXAMPLES / "aws-cluster.yaml"))
    listed = repositories.of(planned, tmp_path, print)
    assert [one.name for one in listed if one.wheels] == ["local"]
    for own, served in ((listed, True), ([one for one in listed if not one.wheels], False)):
        made = assemble.cluster(planned, "test", [controller()], [], own)
        assert [("wheels_nodes" in one.groups) for one in made.classes] == [served]


def controller() -> contract.Node:
    return contract.Node(
        name="ctl0", pool="controller", role="controller", machine="", gpus=0, cpus=8, memory_mib=4096,
        address="10.90.0.10", ssh=contract.Ssh(user="root", host_keys=["ssh-ed25519 AAAAC3Nza"]), rails=[],
        scalable_unit=0, identity=contract.Identity(kind="machine_id", value="id-10"),
    )  # fmt: skip
