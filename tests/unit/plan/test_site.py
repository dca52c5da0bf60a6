"""Services of the site: what the spec takes and refuses, and what of it the plan shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.plan.test_clock import codes, planned

from railbed.errors import SpecError

DNS = {"servers": ["10.1.0.53"], "search": ["corp.example"]}


def refused(tmp_path: Path, example: str = "metal-cluster.yaml", **site: Any) -> SpecError:
    with pytest.raises(SpecError) as wrong:
        planned(example, tmp_path, site=site)
    return wrong.value


def test_name_servers_bring_their_claim_and_without_them_it_is_out_of_scope(tmp_path: Path) -> None:
    made = planned("metal-cluster.yaml", tmp_path, site={"dns": DNS})
    assert "node.dns" in [claim.id for claim in made.claims]
    assert made.as_json()["site"] == {"dns": DNS}
    bare = planned("metal-cluster.yaml", tmp_path, site={})
    assert "node.dns" in [one.id for one in bare.out_of_scope] and "site" not in bare.as_json()


def test_a_cloud_whose_names_are_not_divided_is_warned_of(tmp_path: Path) -> None:
    assert "DNS_UNDIVIDED" in codes(
        planned("aws-flagship.yaml", tmp_path, site={"dns": {"servers": ["10.1.0.53"]}})
    )
    assert "DNS_UNDIVIDED" not in codes(planned("aws-flagship.yaml", tmp_path, site={"dns": DNS}))


@pytest.mark.parametrize(
    "dns",
    [
        {"servers": []},
        {"servers": ["dns.example"]},
        {"servers": ["10.0.0.1"] * 4},
        {**DNS, "search": ["-x"]},
        {},
    ],
)
def test_what_is_no_name_server_is_refused(tmp_path: Path, dns: dict[str, Any]) -> None:
    assert "site.dns" in str(refused(tmp_path, dns=dns).path)
