"""Kueue on the tier's control plane: its manager runs beside the API server, as an administrator, for Jobs only."""

from __future__ import annotations

import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from tests.kube.running import LOOPBACK, ControlPlane, free_ports
from tests.processes import until

from railbed.effects.kubernetes.api import Api
from railbed.errors import RailbedError

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SYSTEM = "kueue-system"
READY_S = 120.0
METRICS_CERTIFICATES = "kueue/metrics/certs"
"""Below /etc, and no setting (cmd/kueue/main.go)."""


@contextmanager
def kueue(plane: ControlPlane, programs: Path) -> Iterator[None]:
    """Its resource definitions and its manager, from first to last.

    Its webhooks are not registered: a Job says itself that it is suspended, and nothing checks its queues' fields beyond their
    schema. The manager is the very program that sites run.
    """
    folder = plane.folder / "kueue"
    certificates = folder / "etc" / METRICS_CERTIFICATES
    certificates.mkdir(parents=True)
    for ours, theirs in (("ca.crt", "tls.crt"), ("server.key", "tls.key")):
        shutil.copy(plane.folder / ours, certificates / theirs)
    api = plane.api()
    definitions = [yaml.safe_load(file.read_text()) for file in sorted((programs / "crds").glob("*.yaml"))]
    for one in definitions:
        api.request("POST", CRDS, body=one)
    with suppress(RailbedError):
        api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": SYSTEM}})
    _until_served(api, definitions)
    health, metrics, webhook = free_ports(3)
    (folder / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "config.kueue.x-k8s.io/v1beta2", "kind": "Configuration", "namespace": SYSTEM,
                "health": {"healthProbeBindAddress": f"{LOOPBACK}:{health}"},
                "metrics": {"bindAddress": f"{LOOPBACK}:{metrics}"},
                "webhook": {"port": webhook, "host": LOOPBACK, "certDir": str(certificates)},
                "leaderElection": {"leaderElect": False}, "internalCertManagement": {"enable": False},
                "integrations": {"frameworks": ["batch/job"]},
            }
        )
    )  # fmt: skip
    plane.programs_of["kueue"] = programs / "kueue"
    plane.start(
        "kueue", f"--config={folder / 'config.yaml'}", f"--kubeconfig={plane.kubeconfig}",
        "--feature-gates=VisibilityOnDemand=false", etc=folder / "etc",
    )  # fmt: skip
    try:
        _until_ready(plane, health)
        yield
    finally:
        plane.stop("kueue")
        for one in definitions:
            with suppress(RailbedError):
                api.request("DELETE", f"{CRDS}/{one['metadata']['name']}")


def _until_served(api: Api, definitions: list[dict[str, Any]]) -> None:
    """Until discovery has all of them: the manager asks once, and ends where one lacks."""
    wanted = {
        (f"/apis/{one['spec']['group']}/{version['name']}", one["spec"]["names"]["plural"])
        for one in definitions for version in one["spec"]["versions"] if version["served"]
    }  # fmt: skip

    def there() -> bool:
        with suppress(RailbedError):
            listed = {path: (api.get(path) or {}).get("resources", []) for path, _ in wanted}
            if wanted <= {(path, one["name"]) for path, found in listed.items() for one in found}:
                return True
        time.sleep(0.2)
        return False

    until("the API server serves Kueue's resources", READY_S, there)


def _until_ready(plane: ControlPlane, health: int) -> None:
    """Until its caches are full and its controllers run."""

    def there() -> bool:
        assert not plane.dead(), plane.dead()
        with suppress(OSError), urllib.request.urlopen(f"http://{LOOPBACK}:{health}/readyz", timeout=5):
            return True
        time.sleep(0.2)
        return False

    until("Kueue is ready", READY_S, there)
