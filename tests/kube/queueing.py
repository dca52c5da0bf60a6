"""Kueue on the tier's control plane: its manager runs beside the API server, as an administrator, for Jobs only."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
    for file in sorted((programs / "crds").glob("*.yaml")):
        api.request("POST", CRDS, body=yaml.safe_load(file.read_text()))
    with suppress(RailbedError):
        api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": SYSTEM}})
    _until_served(api)
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
        yield
    finally:
        plane.stop("kueue")
        for file in (programs / "crds").glob("*.yaml"):
            with suppress(RailbedError):
                api.request("DELETE", f"{CRDS}/{yaml.safe_load(file.read_text())['metadata']['name']}")


def _until_served(api: Api) -> None:
    def there() -> bool:
        with suppress(RailbedError):
            return api.get("/apis/kueue.x-k8s.io/v1beta2/clusterqueues") is not None
        time.sleep(0.5)
        return False

    until("the API server serves Kueue's resources", READY_S, there)
