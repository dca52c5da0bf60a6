"""A stand-in for a Kubernetes API server, of the few requests that railbed makes: TLS on loopback, optimistic concurrency,
merge patches, eviction; an apply is a merge, without owners of fields, schemas and admission."""

from __future__ import annotations

import copy
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from tests.support.kube_objects import CLUSTER_ID, Object

RBAC = "/apis/rbac.authorization.k8s.io/"
LISTED = ("nodes", "pods", "clusterpolicies", "namespaces", "jobs")
TOKEN = "a-token-of-the-tests"
CONTEXT = "site"


class Cluster:
    """The objects by path, and what the server is told to do wrong."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.version = ("1", "37")
        self.revision = 0
        self.budgets: dict[str, str] = {}
        """Pod (``namespace/name``) → why a disruption budget keeps it."""
        self.denied: set[str] = set()
        """Resources that the user may do nothing with, or ``verb resource`` of those that the user lacks that verb for."""
        self.raced = 0
        """So many changes of nodes are overtaken by somebody else's."""
        self.logs: dict[str, str] = {}
        """Path of a pod → what its container printed."""
        self.pod_of: Callable[[Object], Object] | None = None
        """A Job → the status of its pod, which is there at once; None: Jobs make no pods."""
        self.lock = threading.Lock()
        self.put("/api/v1/namespaces/kube-system", {"metadata": {"name": "kube-system", "uid": CLUSTER_ID}})

    def put(self, path: str, one: Object) -> Object:
        self.revision += 1
        made = copy.deepcopy(one)
        made.setdefault("metadata", {})["resourceVersion"] = str(self.revision)
        self.objects[path] = made
        return made

    def add(self, *objects: Object) -> None:
        for one in objects:
            meta = one["metadata"]
            spaced = f"namespaces/{meta['namespace']}/" if "namespace" in meta else ""
            self.put(f"/api/v1/{spaced}{one['kind'].lower()}s/{meta['name']}", one)

    def node(self, name: str) -> Object:
        return self.objects[f"/api/v1/nodes/{name}"]

    def cordon(self, name: str, *, wanted: bool = True) -> None:
        """As a person does by `kubectl cordon` or `uncordon`."""
        patch = {"spec": {"unschedulable": True if wanted else None}}
        self.answer("PATCH", f"/api/v1/nodes/{name}", {"fieldManager": "kubectl-cordon"}, patch)

    def answer(self, verb: str, path: str, query: dict[str, str], body: Object | None) -> tuple[int, Object]:
        if path == "/version":
            return 200, {"major": self.version[0], "minor": self.version[1]}
        if path.endswith("/selfsubjectaccessreviews"):
            asked = (body or {})["spec"]["resourceAttributes"]
            resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
            lacking = {resource, f"{asked['verb']} {resource}"} & self.denied
            return 201, {"status": {"allowed": not lacking}}
        if path.endswith("/log") and path.removesuffix("/log") in self.logs:
            return 200, {"log": self.logs[path.removesuffix("/log")]}
        if path.endswith("/eviction"):
            return self._evict(path.removesuffix("/eviction"))
        if path.rsplit("/", 1)[-1] in self.denied:
            return _failed(403, "Forbidden", "the user may not")
        if verb == "POST":
            return self._create(path, body or {})
        if verb == "PATCH" and "fieldManager" in query and "force" in query:
            return 200, self.put(path, _merged(self.objects.get(path), body))
        if path in self.objects:
            return self._one(verb, path, body or {}, query)
        # A Role may be named as a kind is, such as `jobs`.
        if verb == "GET" and path.rsplit("/", 1)[-1] in LISTED and not path.startswith(RBAC):
            return 200, self._list(path, query)
        return _failed(404, "NotFound", f"{path} not found")

    def _list(self, path: str, query: dict[str, str]) -> Object:
        kind = path.rsplit("/", 1)[-1]
        inside = f"{path}/" if "/namespaces/" in path else ""
        found = [
            one for at, one in self.objects.items() if at.rsplit("/", 2)[-2] == kind and at.startswith(inside)
        ]
        for part in filter(None, query.get("labelSelector", "").split(",")):
            key, _, value = part.partition("=")
            found = [one for one in found if (one["metadata"].get("labels") or {}).get(key) == value]
        for part in filter(None, query.get("fieldSelector", "").split(",")):
            key, negated, value = part.partition("!=") if "!=" in part else part.partition("=")
            one, two = key.split(".")
            found = [o for o in found if (str((o.get(one) or {}).get(two, "")) == value) is (negated == "=")]
        start, limit = int(query.get("continue", 0)), int(query.get("limit", 500))
        more = {"continue": str(start + limit)} if start + limit < len(found) else {}
        return {"metadata": more, "items": found[start : start + limit]}

    def _create(self, path: str, body: Object) -> tuple[int, Object]:
        at = f"{path}/{body['metadata']['name']}"
        if at in self.objects:
            return _failed(409, "AlreadyExists", f"{at} already exists")
        made = self.put(at, body)
        if path.endswith("/jobs"):
            made["metadata"]["uid"] = f"uid-{self.revision}"
            self._pod(path, made)
        return 201, made

    def _pod(self, path: str, job: Object) -> None:
        """As the controller of Jobs, the scheduler and a kubelet would, all at once."""
        if self.pod_of is None:
            return
        meta = job["metadata"]
        at = path.replace("/apis/batch/v1/", "/api/v1/").removesuffix("jobs") + f"pods/{meta['name']}-x"
        labels = {"batch.kubernetes.io/controller-uid": meta["uid"]}
        self.put(
            at, {"metadata": {"name": f"{meta['name']}-x", "labels": labels}, "status": self.pod_of(job)}
        )

    def _one(self, verb: str, path: str, body: Object, query: dict[str, str]) -> tuple[int, Object]:
        now = self.objects[path]
        version = now["metadata"]["resourceVersion"]
        if verb == "GET":
            return 200, now
        if verb in ("PATCH", "PUT") and "/nodes/" in path and self.raced:
            self.raced -= 1
            self.put(path, now)
            version = ""
        wanted = (body.get("metadata") or body.get("preconditions") or {}).get("resourceVersion")
        if wanted and wanted != version:
            return _failed(409, "Conflict", "the object has been modified")
        if verb == "DELETE":
            return 200, self.objects.pop(path)
        made = body if verb == "PUT" else _merged(now, body)
        return 200, self.put(path, _managed(now, made, query["fieldManager"]) if "/nodes/" in path else made)

    def _evict(self, path: str) -> tuple[int, Object]:
        name = "/".join(path.split("/")[-3::2])
        if path not in self.objects:
            return _failed(404, "NotFound", "no such pod")
        if name in self.budgets:
            return _failed(429, "TooManyRequests", self.budgets[name])
        del self.objects[path]
        return 201, {"status": "Success"}


def _failed(status: int, reason: str, message: str) -> tuple[int, Object]:
    return status, {
        "kind": "Status",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": status,
    }


def _managed(now: Object, made: Object, manager: str) -> Object:
    """With the manager of a cordon: whoever changed it last; who writes the same value again gets nothing by it."""
    before, after = ((one.get("spec") or {}).get("unschedulable") for one in (now, made))
    if before == after:
        return made
    field = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {"f:unschedulable": {}}}}
    return {**made, "metadata": {**made["metadata"], "managedFields": [field] if after else []}}


def _merged(now: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    made = dict(now) if isinstance(now, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status, answer = _failed(401, "Unauthorized", "Unauthorized")
        else:
            with self.cluster.lock:
                status, answer = self.cluster.answer(self.command, unquote(parts.path), query, body)
        data = json.dumps(answer).encode()
        if status == 200 and "log" in answer:
            data = answer["log"].encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        return


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    cert, key = folder / "ca.crt", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=kube", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def kubeconfig(file: Path, server: str, ca: Path, token: str = TOKEN, **cluster: Any) -> Path:
    """A kubeconfig with one context, whose current one is another."""
    entry = {"server": server, "certificate-authority": str(ca), **cluster}
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "somebody-elses",
                "clusters": [{"name": "c", "cluster": entry}], "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}}
                             for name in (CONTEXT, "somebody-elses")],
            }
        )
    )  # fmt: skip
    file.chmod(0o600)
    return file


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster that is served, and a kubeconfig for it."""
    cluster, (cert, key) = Cluster(), certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"cluster": cluster}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield cluster, kubeconfig(folder / "kubeconfig", f"https://127.0.0.1:{server.server_port}", cert)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
