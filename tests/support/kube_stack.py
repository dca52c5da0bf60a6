"""A stack on a Kubernetes cluster in a checkout of its own, operated as a user would: `up`, `node`, `destroy`."""

from __future__ import annotations

import copy
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import kube_api, kube_provider

from railbed.effects.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
STACK = "kube"
CHECKOUT = ("Pulumi.yaml", "tools", "examples", "plugins", "docs")
PROGRAM = "infra/__main__.py"
"""A file of the checkout's own: a program knows its checkout by the folder that it really lies in."""


def wanted(kubeconfig: Path, nodes: int, **platform: Any) -> dict[str, Any]:
    """The example's spec, of so many nodes, on that cluster."""
    data: dict[str, Any] = copy.deepcopy(
        yaml.safe_load((ROOT / "examples/kubernetes-cluster.yaml").read_text())["config"]["railbed:cluster"]
    )
    data["pools"][0]["nodes"], data["workloads"] = nodes, []
    data["platform"] |= {
        "kubeconfig": str(kubeconfig), "context": kube_api.CONTEXT, "driver": "image",
        "tenants": {"team-a": {"gpus": 8, "group": "oidc:team-a"}}, **platform,
    }  # fmt: skip
    return data


def write(work: Workspace, data: dict[str, Any]) -> None:
    """As the stack's file; what the engine wrote into it stays."""
    there = yaml.safe_load(work.stack_file.read_text()) if work.stack_file.exists() else {}
    there["config"] = {**there.get("config", {}), "railbed:cluster": data}
    work.stack_file.write_text(yaml.safe_dump(there))


@contextmanager
def checkout(folder: Path) -> Iterator[Workspace]:
    """Of its own, with the stand-in as the provider's program on PATH."""
    for name in CHECKOUT:
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / PROGRAM).parent.mkdir()
    shutil.copy(ROOT / PROGRAM, folder / PROGRAM)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PATH", f"{kube_provider.installed(folder / 'bin')}{os.pathsep}{os.environ['PATH']}")
        # Session sets these for this process, which outlives the checkout.
        for name in ("PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
            patch.setenv(name, "")
        yield Workspace(folder, STACK)
