"""What an image brings, as the node shows it: each way of showing a version, a part that is missing, one out of range.

Answers of the commands are fabricated in the form that dpkg-query(1), modinfo(8) and systemctl(1) give them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.contract import Brought, NodeImage
from railbed.validate.node import image

IMAGE = NodeImage(
    profile="site",
    brings={
        "kernel": Brought(accepts=">=6.8", kernel=True),
        "nvidia_driver": Brought(accepts=">=580, <600", module="nvidia"),
        "fabric_manager": Brought(accepts=">=580, <600", packages=["nvidia-fabricmanager*"]),
        "cuda": Brought(accepts=">=13.0, <14", file="/usr/local/cuda/version.json"),
    },
    services=["naming.service"],
    apt_sources=["own.list"],
    mpi_home="/opt/hpcx-*/ompi",
)
ANSWERS = {
    "dpkg-query": "nvidia-fabricmanager\t580.173.02-1\tinstalled\nnvidia-fabricmanager-570\t570.1-1\tconfig-files\n",
    "modinfo": "580.173.02\n",
    "uname": "6.17.0-1019-azure\n",
    "systemctl": "enabled\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {
        "usr/local/cuda/version.json": '{"cuda" : {"name" : "CUDA SDK", "version" : "13.0.2"}}',
        "opt/hpcx-v2.25.1-gcc/ompi/bin/mpirun": "",
        "etc/apt/sources.list.d/own.list": "deb [signed-by=/usr/share/keyrings/own.gpg] https://own.example/ noble main\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def compared(root: Path, answers: dict[str, str] | None = None, **changed: Any) -> dict[str, Any]:
    said = {**ANSWERS, **(answers or {})}

    def run(argv: Sequence[str]) -> str:
        return said[argv[0]]

    wanted = IMAGE.model_copy(update=changed).model_dump(mode="json")
    return image.compare(wanted, "2026.12", run, str(root))


def test_a_good_image_has_nothing_wrong_and_tells_its_versions(root: Path) -> None:
    found = compared(root)
    assert found["wrong"] == [] and found["mpi_home"] == "/opt/hpcx-v2.25.1-gcc/ompi"
    assert found["versions"] == {
        "kernel": "6.17.0", "nvidia_driver": "580.173.02", "fabric_manager": "580.173.02", "cuda": "13.0.2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (
            {"modinfo": "570.124.06\n"},
            "nvidia_driver: found 570.124.06, expected >=580, <600 (module nvidia)",
        ),
        ({"modinfo": "600.10\n"}, "nvidia_driver: found 600.10, expected >=580, <600 (module nvidia)"),
        ({"modinfo": ""}, "nvidia_driver: found nothing, expected >=580, <600 (module nvidia)"),
        (
            {"dpkg-query": ""},
            "fabric_manager: found nothing, expected >=580, <600 (package nvidia-fabricmanager*)",
        ),
        ({"uname": "5.15.0-1-azure\n"}, "kernel: found 5.15.0, expected >=6.8 (the running kernel)"),
        ({"systemctl": "disabled\n"}, "naming.service: found disabled, expected enabled"),
    ],
)
def test_what_is_missing_or_out_of_range_is_named(root: Path, answers: dict[str, str], reason: str) -> None:
    assert compared(root, answers)["wrong"] == [reason]


def test_a_missing_file_and_a_missing_mpi_are_named(root: Path) -> None:
    (root / "usr/local/cuda/version.json").unlink()
    wrong = compared(root, mpi_home="/opt/nowhere-*")["wrong"]
    assert wrong == [
        "cuda: found nothing, expected >=13.0, <14 (/usr/local/cuda/version.json)",
        "mpi: found nothing, expected /opt/nowhere-*",
    ]


@pytest.mark.parametrize("silent", ["dpkg-query", "modinfo"])
def test_a_reader_that_does_not_answer_says_nothing_of_the_image(
    root: Path, silent: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(argv: Sequence[str]) -> str:
        if argv[0] == silent:
            raise image.Unanswered(f"{silent} did not answer")
        return ANSWERS[argv[0]]

    monkeypatch.setattr(image, "run_here", run)
    asked = {"image": IMAGE.model_dump(mode="json"), "release": "2026.12"}
    assert image.main([json.dumps(asked)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unread"] == f"{silent} did not answer" and found["wrong"] == [] and found["versions"] == {}


def test_a_program_that_is_not_there_did_not_answer() -> None:
    with pytest.raises(image.Unanswered):
        image.run_here(["/nowhere/modinfo"])
    assert image.run_here(["false"]) == ""


@pytest.mark.parametrize("option", ["[trusted=yes]", "[ arch=amd64 trusted = yes ]", "Trusted: yes"])
def test_a_source_that_stays_must_ask_for_signatures(root: Path, option: str) -> None:
    (root / "etc/apt/sources.list.d/own.list").write_text(f"deb {option} https://own.example/ noble main\n")
    assert compared(root)["wrong"] == [
        "own.list: found a source that takes unsigned packages, expected one with a key"
    ]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ('{"release": "2026.12"}', []),
        ('{"release": "2026.11"}', ["/etc/railbed/image.json: found 2026.11, expected release 2026.12"]),
        ("[]", ["/etc/railbed/image.json: found nothing, expected release 2026.12"]),
        ("{", ["/etc/railbed/image.json: found no JSON, expected release 2026.12"]),
        (None, ["/etc/railbed/image.json: found nothing, expected release 2026.12"]),
    ],
)
def test_a_baked_image_is_of_the_release(root: Path, text: str | None, reasons: list[str]) -> None:
    if text is not None:
        (root / "etc/railbed").mkdir()
        (root / "etc/railbed/image.json").write_text(text)
    assert compared(root, stamp="/etc/railbed/image.json")["wrong"] == reasons


def test_a_node_that_was_converged_may_have_another_release_than_its_image(root: Path) -> None:
    """Else no upgrade would go past the first play."""
    (root / "etc/railbed").mkdir()
    (root / "etc/railbed/image.json").write_text('{"release": "2026.11"}')
    assert compared(root, stamp="/etc/railbed/image.json")["wrong"]
    (root / "etc/railbed/node.json").write_text('{"release": "2026.11"}')
    assert compared(root, stamp="/etc/railbed/image.json")["wrong"] == []


VERSIONS = st.lists(st.integers(0, 999), min_size=1, max_size=4)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_a_range_is_an_order_of_numbers(found: list[int], least: list[int], below: list[int]) -> None:
    def padded(version: list[int]) -> list[int]:
        return version + [0] * (4 - len(version))

    def text(version: list[int]) -> str:
        return ".".join(map(str, version))

    inside = padded(least) <= padded(found) < padded(below)
    assert image.fits(text(found), f">={text(least)}, <{text(below)}") is inside
    assert image.fits(text(found), text(found)) and not image.fits("", f">={text(least)}")


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("1:4.5.3-1", "4.5.3"),
        ("2.28.9-1+cuda13.0", "2.28.9"),
        ("580.173.02-0ubuntu0.24.04.1", "580.173.02"),
        ("1.0", "1.0"),
    ],
)
def test_a_packages_version_is_that_of_what_is_in_it(package: str, version: str) -> None:
    assert image.upstream(package) == version
