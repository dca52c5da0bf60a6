"""A real control plane on loopback: etcd, API server, controller manager, scheduler, and KWOK for nodes and pods.

TLS is verified by everyone: a certificate authority of the run's own signs the API server. All of it ends with the run, also
where the run is killed (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import random
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.kube import logs
from tests.processes import until
from tests.support import kube_api

from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes.api import Api
from railbed.errors import RailbedError

READY_S, END_S = 240.0, 60.0
"""On a quiet machine 3 s and 5 s."""
LOOPBACK = "127.0.0.1"
PORTS = (20000, 32767)
"""Linux's own begin at 32768 (ip(7), ip_local_port_range)."""
FAKE = "kwok.x-k8s.io/node"
BOUND = 'mount --bind "$1" /etc && shift && exec "$@"'


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at; below those that the kernel gives to connections, which come and go meanwhile."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(*PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            found += [port] if port not in found else []
    return found


@dataclass
class ControlPlane:
    """What runs, and how to reach it."""

    folder: Path
    programs: Path
    kubeconfig: Path = field(init=False)
    kubelets: int = field(init=False)
    """Port of KWOK, where the kubelets of all its nodes answer."""
    log: Path = field(init=False)
    """What the pods of checks printed, says whoever writes it."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    programs_of: dict[str, Path] = field(default_factory=dict)
    """Name → program, of those that are not among ``programs``."""

    def api(self) -> Api:
        return apis.opened(str(self.kubeconfig), kube_api.CONTEXT)

    def start(self, name: str, *words: str, etc: Path | None = None) -> None:
        """One of the programs; it is killed when this process ends, however that comes about.

        ``etc``: what it sees as /etc, alone.
        """
        program = self.programs_of.get(name, self.programs / name)
        apart = ["unshare", "--mount", "--map-root-user", "sh", "-c", BOUND, "sh", etc] if etc else []
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [*apart, "setpriv", "--pdeathsig", "KILL", "--", program, *words], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def stop(self, name: str) -> None:
        """Ends it and waits until it is gone: the API server keeps its port for seconds."""
        process = self.running.pop(name)
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def dead(self) -> str:
        """What ended by itself, with the last it said; empty where all runs."""
        for name, process in self.running.items():
            if process.poll() is not None:
                return f"{name} ended: {(self.folder / f'{name}.log').read_text()[-1500:]}"
        return ""


def _secrets(folder: Path) -> str:
    """Certificates of the run, and the token of its administrator."""
    kube_api.certificate(folder)
    subprocess.run(
        ["openssl", "genrsa", "-out", "sa.key", "2048"], cwd=folder, check=True, capture_output=True
    )
    subprocess.run(
        ["openssl", "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    token = secrets.token_hex(16)
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{token},admin,admin,"system:masters"\n')
    return token


@contextmanager
def control_plane(programs: Path, folder: Path) -> Iterator[ControlPlane]:
    """A cluster without nodes, from its first to its last process."""
    made, token = ControlPlane(folder, programs), _secrets(folder)
    etcd, peer, secure, manager, scheduler, kwok = free_ports(6)
    made.kubeconfig = kube_api.kubeconfig(
        folder / "kubeconfig", f"https://{LOOPBACK}:{secure}", folder / "ca.crt", token
    )
    own = f"--kubeconfig={made.kubeconfig}"
    try:
        made.start(
            "etcd", f"--data-dir={folder / 'etcd'}", f"--listen-client-urls=http://{LOOPBACK}:{etcd}",
            f"--advertise-client-urls=http://{LOOPBACK}:{etcd}", f"--listen-peer-urls=http://{LOOPBACK}:{peer}",
            f"--initial-advertise-peer-urls=http://{LOOPBACK}:{peer}",
            f"--initial-cluster=default=http://{LOOPBACK}:{peer}", "--unsafe-no-fsync",
        )  # fmt: skip
        made.start(
            "kube-apiserver", f"--etcd-servers=http://{LOOPBACK}:{etcd}", f"--bind-address={LOOPBACK}",
            f"--secure-port={secure}", f"--tls-cert-file={folder / 'ca.crt'}",
            f"--tls-private-key-file={folder / 'server.key'}", "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={folder / 'sa.pub'}",
            f"--service-account-signing-key-file={folder / 'sa.key'}", f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC", "--endpoint-reconciler-type=none", "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
        )  # fmt: skip
        _until_ready(made)
        made.start(
            "kube-controller-manager", own, f"--service-account-private-key-file={folder / 'sa.key'}",
            f"--root-ca-file={folder / 'ca.crt'}", "--use-service-account-credentials=true", "--leader-elect=false",
            f"--bind-address={LOOPBACK}", f"--secure-port={manager}",
        )  # fmt: skip
        made.start(
            "kube-scheduler", own, "--leader-elect=false", f"--bind-address={LOOPBACK}", f"--secure-port={scheduler}",
            f"--authentication-kubeconfig={made.kubeconfig}", f"--authorization-kubeconfig={made.kubeconfig}",
        )  # fmt: skip
        made.kubelets = kwok
        config, made.log = logs.configured(folder)
        stages = ["--config", str(config)] + [
            word for one in sorted((programs / "stages").iterdir()) for word in ("--config", str(one))
        ]
        made.start(
            "kwok", own, "--manage-all-nodes=false", f"--manage-nodes-with-annotation-selector={FAKE}=fake",
            f"--server-address={LOOPBACK}:{kwok}", "--node-lease-duration-seconds=40",
            f"--tls-cert-file={folder / 'ca.crt'}", f"--tls-private-key-file={folder / 'server.key'}", *stages,
        )  # fmt: skip
        yield made
    finally:
        for name in reversed(list(made.running)):
            made.stop(name)


def _until_ready(made: ControlPlane) -> None:
    """Until the API server has made its own namespaces: what comes before them fails."""

    def there() -> bool:
        assert not made.dead(), made.dead()
        with suppress(RailbedError):
            return bool(apis.cluster_id(made.api()))
        time.sleep(0.5)
        return False

    until("the API server is ready", READY_S, there)
