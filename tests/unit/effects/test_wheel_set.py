"""Wheels in the cache: damage is found and fetched again, unchanged ones are not read, old sets go."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.effects.test_local_wheels import WANTED, ensure, fetched, files
from tests.unit.effects.test_mirror import Site, site  # noqa: F401 - a fixture
from tests.unit.effects.test_mirror_wheels import locked  # noqa: F401 - a fixture

from railbed.effects import wheel_set
from railbed.effects.download import FetchError
from railbed.effects.local_wheels import FETCHING, wheels_dir
from railbed.effects.mirror.wheels import INDEX


def flip(file: Path) -> None:
    """One bit, of the same size and time of change."""
    stat, body = file.stat(), bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def again(locked: str, cache: Path) -> list[str]:  # noqa: F811 - the fixture's name
    """What the next run says."""
    said: list[str] = []
    ensure("2026.99", WANTED, {"2.99.0": locked}, cache, said.append)
    return said


@pytest.mark.parametrize(
    "damage", [cut, Path.unlink, lambda file: file.write_bytes(b"x" * file.stat().st_size)]
)
def test_a_changed_wheel_is_named_and_alone_fetched_again(
    site: Site,  # noqa: F811
    locked: str,  # noqa: F811
    tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:
    place = fetched(locked, tmp_path)
    (torch,) = place.rglob("torch*.whl")
    whole = torch.read_bytes()
    damage(torch)
    site.asked.clear()
    said = again(locked, tmp_path)
    assert [
        line for line in said if f"damaged in {place}" in line and torch.name in line and "helper" not in line
    ]
    assert torch.read_bytes() == whole and len(files(site)) == 1
    assert not again(locked, tmp_path), "nothing to do"


def test_an_unchanged_set_is_not_read_and_damage_that_no_time_shows_is_found_before_it_is_carried(
    site: Site,  # noqa: F811
    locked: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = fetched(locked, tmp_path)
    assert wheel_set.damaged(place) == []
    (torch,) = place.rglob("torch*.whl")
    flip(torch)
    with monkeypatch.context() as patch:
        patch.setattr(wheel_set, "damaged", lambda _: pytest.fail("every file is read"))
        assert not again(locked, tmp_path)
    # What carries it reads it (plugins/lookup/wheel_set.py), and the next run then does.
    assert wheel_set.damaged(place) == [f"2.99.0/{torch.name}"]
    wheel_set.forget(place)
    site.asked.clear()
    assert again(locked, tmp_path) and wheel_set.damaged(place) == [] and len(files(site)) == 1


def test_another_time_alone_fetches_nothing(site: Site, locked: str, tmp_path: Path) -> None:  # noqa: F811
    place = fetched(locked, tmp_path)
    for file in place.rglob("*.whl"):
        os.utime(file, (1, 1))
    site.asked.clear()
    (line,) = again(locked, tmp_path)
    assert line.startswith("reads the training stack's wheels") and not site.asked
    assert not again(locked, tmp_path)


def halve(page: Path) -> None:
    page.write_bytes(page.read_bytes()[: page.stat().st_size // 2])


@pytest.mark.parametrize("damage", [Path.unlink, halve, lambda page: page.write_text("")])
def test_a_damaged_page_is_written_anew(
    site: Site,  # noqa: F811
    locked: str,  # noqa: F811
    tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:
    place = fetched(locked, tmp_path)
    page = place / "2.99.0" / INDEX
    whole = page.read_bytes()
    damage(page)
    again(locked, tmp_path)
    assert wheel_set.damaged(place) == [] and page.read_bytes() == whole


def test_where_nobody_answers_a_damaged_set_is_not_there_under_its_name(
    site: Site,  # noqa: F811
    locked: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    place = fetched(locked, tmp_path)
    (torch,) = place.rglob("torch*.whl")
    cut(torch)
    pages = dict(site.files)
    site.files.clear()
    with pytest.raises(FetchError):
        again(locked, tmp_path)
    assert not place.exists() and not list(wheels_dir(tmp_path).rglob(torch.name))
    assert [*wheels_dir(tmp_path).rglob("helper*.whl")], "what was whole stays"
    site.files |= pages
    site.asked.clear()
    again(locked, tmp_path)
    assert wheel_set.damaged(place) == [] and len(files(site)) == 1


def test_a_fetch_leaves_itself_and_the_last_two_that_were_used(
    site: Site,  # noqa: F811 - the fixture
    locked: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    root = wheels_dir(tmp_path)
    for at, name in enumerate(["a" * 12, "b" * 12, f"{'c' * 12}{FETCHING}", "d" * 12]):
        (root / name).mkdir(parents=True)
        (root / name / "file.whl").write_text("x")
        wheel_set.remember(root / name)
        os.utime(root / name, (at, at))
    # The oldest was used once more.
    os.utime(root / ("a" * 12), (9, 9))
    said: list[str] = []
    place = root / ensure("2026.99", WANTED, {"2.99.0": locked}, tmp_path, said.append)
    kept = {one.name for one in root.iterdir() if one.is_dir()}
    assert kept == {place.name, "a" * 12, "d" * 12}
    assert {one.name for one in root.glob("*.seen.json")} == {f"{name}.seen.json" for name in kept}
    assert [line for line in said if "b" * 12 in line] and not again(locked, tmp_path)


def test_a_set_that_is_used_counts_as_the_latest(site: Site, locked: str, tmp_path: Path) -> None:  # noqa: F811
    place = fetched(locked, tmp_path)
    os.utime(place, (1, 1))
    again(locked, tmp_path)
    for at, name in enumerate(["a" * 12, "b" * 12]):
        (place.parent / name).mkdir()
        os.utime(place.parent / name, (at + 2, at + 2))
    other = place.parent / local_wheels_of(locked + "\n", tmp_path)
    assert {one.name for one in place.parent.iterdir() if one.is_dir()} == {place.name, other.name, "b" * 12}


def local_wheels_of(text: str, cache: Path) -> str:
    return ensure("2026.99", WANTED, {"2.99.0": text}, cache, lambda _: None)
