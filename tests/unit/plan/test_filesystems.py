"""Filesystems that only a client of their provider's can mount: said in the plan, and never taken for something else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.contract import Filesystem, mounts

ROOT = Path(__file__).resolve().parents[3]


def warned(kind: str, existing: str | None) -> list[str]:
    text = (ROOT / f"examples/{kind}-cluster.yaml").read_text()
    data: dict[str, Any] = copy.deepcopy(yaml.safe_load(text)["config"]["railbed:cluster"])
    data["filesystems"][0].pop("existing", None)
    if existing:
        data["filesystems"][0]["existing"] = existing
    made = plan.plan(spec.from_config(data, "x"))
    return [one.message for one in made.warnings if one.code == "NOT_MOUNTED"]


@pytest.mark.parametrize("kind", ["volcengine", "alicloud"])
def test_what_roles_do_not_mount_is_said_with_the_way_round(kind: str) -> None:
    for existing in (None, "vepfs-cnbj0123456789"):
        (message,) = warned(kind, existing)
        assert "`existing`" in message and "client" in message
    assert warned(kind, "export.example.com:/vepfs/data") == []


@pytest.mark.parametrize("kind", ["aws", "gcp", "oci", "nebius"])
def test_others_are_mounted(kind: str) -> None:
    assert warned(kind, None) == []


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("vepfs://vepfs-cnbj0123456789", "external"),
        ("cpfs://cpfs-0.cn-wulanchabu.cpfs.aliyuncs.com/", "external"),
        ("export.example.com:/vepfs/data", "nfs"),
        ("scratch", "virtiofs"),
    ],
)
def test_a_provider_s_own_client_is_no_shared_folder(source: str, kind: str) -> None:
    one = Filesystem(
        name="scratch", kind="external", mount="/scratch", metadata_server="", data_servers=[], data_path="",
        copies=1, capacity_tib=1.0, source=source,
    )  # fmt: skip
    assert mounts.client(one)["kind"] == kind
