"""docs/howto/add-a-check.md, performed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

TABLE = "tests/unit/claims/test_table.py"
FILES = 3


def test_a_check_is_three_files_and_its_claim_is_planned_and_answered(follow: Callable[..., Any]) -> None:
    tree = follow(
        "add-a-check", "infra/railbed", "pyproject.toml", "examples", "tools", "docs/reference", "roles/checks",
        "tests/support", "tests/unit", "tests/validation",
    )  # fmt: skip
    assert "**three files**" in tree.page
    assert len(tree.files) == FILES
    shown = tree.railbed("claims", "show", "node.swap", "--spec", "examples/metal-hosts.yaml", "--json")
    assert json.loads(shown.stdout)["measured_by"] == "the on-node suite"

    assert tree.run(sys.executable, "tools/claims_reference.py").returncode == 0
    golden = tree.root / "tests/unit/data/spec/lab-cluster.plan.json"
    golden.write_text(tree.railbed("plan", "--spec", "examples/lab-cluster.yaml", "--json").stdout)
    planned = tree.pytest("tests/unit/plan/test_plan.py")
    assert "failed" not in planned.stdout and "passed" in planned.stdout, planned.stdout

    test = tree.root / tree.files[-1]
    table = ("-k", "on_node_suite or makes_it_fail or says_what or page_is_current or swap", TABLE)
    checked = tree.pytest(*table, str(test))
    assert "8 passed" in checked.stdout, checked.stdout

    test.unlink()
    refused = tree.pytest(*table)
    assert "test_every_measured_claim_has_a_test_that_makes_it_fail" in refused.stdout
    assert "1 failed" in refused.stdout, refused.stdout
