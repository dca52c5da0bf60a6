"""Runbooks: every claim, fault and page lead to each other, and every page says all that a person on call needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import table
from railbed.validate.node import faults

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs/runbooks"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
PARTS = ["Means", "Affected", "Look", "Do", "Escalate", "Give back"]
LOOKS_LEAST = 4
"""Rows of a page's table of checks, so that none is a stub."""
SUBJECTS = re.compile(r"^(?:Claims?|Alerts?) .*?(?:\n\n|\Z)", re.M | re.S)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def parts(text: str) -> dict[str, str]:
    """Heading → what stands below it."""
    found = re.split(r"^## (.+)\n", text, flags=re.M)
    return dict(zip(found[1::2], found[2::2], strict=True))


def subjects(text: str) -> set[str]:
    """Claims and alerts that a page is about: the code of its first lines."""
    head = text.partition("\n## ")[0]
    return set(re.findall(r"`([^`]+)`", " ".join(SUBJECTS.findall(head))))


@pytest.mark.parametrize("claim", table.every(), ids=lambda claim: claim.id)
def test_every_claim_has_a_page_that_names_it(claim: Any) -> None:
    page = ROOT / claim.page
    assert page.is_file() and claim.id in subjects(page.read_text())


@each_page
def test_a_page_names_no_claim_of_another_page(page: Path) -> None:
    known = {claim.id: claim.runbook for claim in table.every()}
    named = subjects(page.read_text())
    assert named, "a page is of a claim or of an alert"
    assert {known[name] for name in named if name in known} <= {page.stem}
    assert not [
        name for name in named if "." in name and "N" not in name and "@" not in name and name not in known
    ]


@each_page
def test_a_page_says_all_in_the_same_order(page: Path) -> None:
    found = parts(page.read_text())
    assert list(found) == PARTS
    assert all(text.strip() for text in found.values())
    rows = [line for line in found["Look"].splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= LOOKS_LEAST
    assert all(line.count(" | ") >= 2 for line in rows), (
        "each check has its healthy answer and what else it may say"
    )
    assert "\\|" not in found["Look"], "whoever copies it asks journalctl for a bar"
    assert sum("`" in line or "](" in line for line in rows) >= LOOKS_LEAST // 2, (
        "commands, or pages that have them"
    )


def test_no_part_of_a_page_is_that_of_another() -> None:
    seen: dict[str, str] = {}
    for page in PAGES:
        for name, text in parts(page.read_text()).items():
            said = " ".join(text.split())
            assert said not in seen, f"{page.stem}, {name}: the words of {seen.get(said)}"
            seen[said] = page.stem


def test_the_list_has_every_page() -> None:
    listed = re.findall(r"\]\(([a-z-]+)\.md\)", (FOLDER / "README.md").read_text())
    assert sorted(listed) == sorted(page.stem for page in PAGES)


@pytest.mark.parametrize("code", faults.FAULTS)
def test_every_fault_of_the_health_check_has_a_page(code: str) -> None:
    assert (FOLDER / f"{faults.runbook(code)}.md").is_file()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# A\n\nClaim `node.gpus`. Alerts `X`,\n`Y`.\n\nand `z`\n\n## Means\n`w`", {"node.gpus", "X", "Y"}),
        ("# A\n\n`b`\n", set()),
    ],
)
def test_what_a_page_is_about_is_read_from_its_head(text: str, found: set[str]) -> None:
    assert subjects(text) == found
