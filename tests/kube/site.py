"""A stack of the tier's, operated as a user would, and what it has in the cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kube.cluster import Cluster
from tests.support import kube_api, kube_stack
from typer.testing import CliRunner

from railbed import flow
from railbed.cli import main
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace

SPACE, TENANT = "railbed-pretrain-kube", "team-a"
CHECKS = f"{SPACE}-checks"
QUOTA = f"/api/v1/namespaces/{TENANT}/resourcequotas/gpus"
GATE = {"key": "railbed/acceptance", "value": SPACE, "effect": "NoSchedule"}


@dataclass
class Site:
    """Of the nodes with these names in the cluster."""

    cluster: Cluster
    work: Workspace
    api_names: list[str]
    said: list[str] = field(default_factory=list)

    def up(self, **platform: Any) -> flow.UpResult:
        wanted = kube_stack.wanted(self.cluster.kubeconfig, len(self.api_names), gate=True, **platform)
        kube_stack.write(self.work, wanted)
        return flow.up(self.work, self.said.append)

    def railbed(self, *words: str) -> tuple[int, str]:
        said = CliRunner().invoke(main.assemble([*words]), [*words, "--stack", kube_stack.STACK])
        return said.exit_code, said.output

    def names(self) -> dict[str, str]:
        """Kubernetes' name of a node → the contract's."""
        return {one.api_name: one.name for one in contract_store.load(self.work).nodes}

    def gated(self) -> list[str]:
        return [name for name in self.api_names if GATE in self.cluster.node(name)["spec"].get("taints", [])]

    def account(self, folder: Path, name: str = "operator", space: str = SPACE) -> Path:
        """A kubeconfig with a token of a service account that `up` makes."""
        answer = self.cluster.api.request(
            "POST", f"/api/v1/namespaces/{space}/serviceaccounts/{name}/token", body={"spec": {}}
        )
        authority = self.cluster.kubeconfig.parent / "ca.crt"
        return kube_api.kubeconfig(
            folder / name, self.cluster.api.server, authority, answer["status"]["token"]
        )

    def left(self) -> list[str]:
        """What railbed has in the cluster beside tenants' namespaces."""
        api = self.cluster.api
        kinds = ("clusterroles", "clusterrolebindings")
        found = [f"/apis/rbac.authorization.k8s.io/v1/{kind}" for kind in kinds]
        found += ["/apis/scheduling.k8s.io/v1/priorityclasses", "/api/v1/namespaces"]
        names = [one["metadata"]["name"] for path in found for one in api.items(path)]
        return [name for name in names if name.startswith((SPACE, "pretrain-kube"))]
