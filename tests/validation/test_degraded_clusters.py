"""Replayed clusters with one thing changed: exactly the right claims do not pass, and the right part is named."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from tests.support.replay.remote import Site, degraded, tables

from railbed.claims import Verdict
from railbed.validate import html_report, records

KINDS = ("hgx", "roce", "p5", "p4d")
CASES = [(kind, table) for kind in KINDS for table in tables(kind)]
KEYS = {"name", "fail", "unproven", "culprits"}


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a healthy cluster's report are drawn in test_replayed_clusters.py, where its JUnit file is written too."""
    monkeypatch.setattr(html_report, "render", lambda *_: b"")
    monkeypatch.setattr(records, "junit", lambda *_: b"")


def expected(
    site: Site, table: dict[str, Any], verdict: str, asked: set[tuple[str, str]]
) -> set[tuple[str, str]]:
    """The questions that a table says this verdict of: claims as globs, with nodes, ``all`` of them, or the ``cluster``."""
    found: set[tuple[str, str]] = set()
    for glob, names in table.get(verdict, {}).items():
        nodes = {"cluster": {""}, "all": {n.name for n in site.contract.with_role("compute")}}.get(
            names, set(names.split(", "))
        )
        matching = {one for one in asked if fnmatchcase(one[0], glob) and one[1] in nodes}
        assert matching, f"{glob} on {names} is asked of nobody"
        found |= matching
    return found


@pytest.mark.parametrize(("kind", "table"), CASES, ids=[f"{kind}: {table['name']}" for kind, table in CASES])
def test_a_degraded_cluster(
    kind: str, table: dict[str, Any], sites: dict[str, Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = sites[kind]
    report = degraded(
        site, {key: value for key, value in table.items() if key not in KEYS}, tmp_path, monkeypatch
    )
    asked = {(one.claim, one.node) for one in report.claims}
    for verdict in (Verdict.FAIL, Verdict.UNPROVEN):
        found = {(one.claim, one.node) for one in report.of(verdict)}
        assert found == expected(site, table, verdict.value, asked)
    assert sorted(f"{one.node or 'cluster'}: {one.part}" for one in report.culprits) == sorted(
        table.get("culprits", [])
    )
    assert bool(report.certificate) is not bool(report.of(Verdict.FAIL) or report.of(Verdict.UNPROVEN))


def test_the_tables_are_many_and_each_changes_something() -> None:
    names = [f"{kind} {table['name']}" for kind, table in CASES]
    assert len(set(names)) == len(names) >= 30
    assert all(set(table) - KEYS for _, table in CASES)
