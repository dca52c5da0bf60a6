"""Requests to one Kubernetes API server, as plain JSON, bounded in time and size.

The official client reads the kubeconfig and does TLS and every way to log in; its models are not used: nodes and pods of a large
cluster take it seconds to turn into objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from railbed import strict_json
from railbed.defaults import (
    INSTALL_EXTRA,
    KUBERNETES_CONNECT_TIMEOUT_S,
    KUBERNETES_FIELD_MANAGER,
    KUBERNETES_PAGE,
    KUBERNETES_READ_TIMEOUT_S,
    KUBERNETES_RESPONSE_BYTES,
)
from railbed.errors import CommandError, HostError, UsageError
from railbed.text import shown

if TYPE_CHECKING:
    from kubernetes.client import ApiClient  # 0.6 s of processor that only who asks an API should pay

Object = dict[str, Any]
GONE, CONFLICT, TOO_MANY = 404, 409, 429
DENIED = (401, 403)
LONGEST = 400
"""Characters of a server's own words that an error repeats."""


class ApiError(CommandError):
    """The API server refuses a request. ``status``: its HTTP status; ``cause``: its reason word, e.g. ``Conflict``."""

    code = "API_REFUSED"

    def __init__(self, message: str, status: int, cause: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.status, self.cause = status, cause


class Api:
    """One API server. Every method raises CommandError ``API_UNREACHABLE`` where it does not answer, and ApiError."""

    def __init__(self, client: ApiClient, where: str) -> None:
        self.client, self.where = client, where

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self.client.configuration.host)

    def get(self, path: str, **query: str) -> Object | None:
        """One object; None where there is none."""
        try:
            return self.request("GET", path, query=query)
        except ApiError as refused:
            if refused.status == GONE:
                return None
            raise

    def items(self, path: str, **query: str) -> Iterator[Object]:
        """All objects of a list, page by page."""
        more: dict[str, str] = {"limit": str(KUBERNETES_PAGE), **query}
        while True:
            page = self.request("GET", path, query=more)
            yield from page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            more["continue"] = str(token)

    def apply(self, path: str, body: Object, *, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply in railbed's name. Raises ApiError with status 409 where another owns a field, unless ``force``."""
        query = {"fieldManager": KUBERNETES_FIELD_MANAGER, "force": "true" if force else "false"}
        query |= {"dryRun": "All"} if dry_run else {}
        return self.request("PATCH", path, body=body, kind="application/apply-patch+yaml", query=query)

    def merge(self, path: str, body: Object) -> Object:
        """JSON merge patch (RFC 7396). With ``metadata.resourceVersion`` in it, refused where the object changed meanwhile."""
        query = {"fieldManager": KUBERNETES_FIELD_MANAGER}
        return self.request("PATCH", path, body=body, kind="application/merge-patch+json", query=query)

    def request(
        self, verb: str, path: str, *, body: Object | None = None, kind: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:  # fmt: skip
        """One request and its JSON object. ``path`` begins with a slash; names in it are quoted by ``name``."""
        status, data = self._asked(verb, path, body, kind, query or {}, "application/json")
        return self._read(verb, path, status, data)

    def text(self, path: str, **query: str) -> str:
        """What a path answers in plain text, such as the log of a pod."""
        status, data = self._asked("GET", path, None, "", query, "*/*")
        if 200 <= status < 300:
            return data[:KUBERNETES_RESPONSE_BYTES].decode(errors="replace")
        raise self._refused("GET", path, status, self._object(data)[1])

    def _asked(
        self, verb: str, path: str, body: Object | None, kind: str, query: Mapping[str, str], accepted: str
    ) -> tuple[int, bytes]:
        """Status and body of the answer, whatever they are."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": accepted, **({"Content-Type": kind} if body is not None else {})}
        asked = self.client.param_serialize(
            verb, path, header_params=headers, query_params=list(query.items()),
            auth_settings=["BearerToken"],
        )  # fmt: skip
        try:
            answer = self.client.call_api(
                asked[0], asked[1], header_params=asked[2], body=body,
                _request_timeout=(KUBERNETES_CONNECT_TIMEOUT_S, KUBERNETES_READ_TIMEOUT_S),
            )  # fmt: skip
            data, status = answer.response.read(KUBERNETES_RESPONSE_BYTES + 1), int(answer.status)
        except ApiException as refused:
            data, status = (refused.body or "").encode(), int(refused.status or 0)
            if not status:
                raise self._silent(str(refused.reason)) from None
        except (HTTPError, OSError) as silent:
            raise self._silent(str(silent)) from None
        return status, data

    def _read(self, verb: str, path: str, status: int, data: bytes) -> Object:
        whole, body = self._object(data)
        if whole and 200 <= status < 300:
            return body
        raise self._refused(verb, path, status if status >= 300 else 0, body)

    def _object(self, data: bytes) -> tuple[bool, Object]:
        """Whether the answer is a JSON object, and that; else one with a message that says what it is."""
        try:
            body = strict_json.loads(data, max_bytes=KUBERNETES_RESPONSE_BYTES)
        except strict_json.NotJson as wrong:
            return False, {"message": f"the answer {wrong}"}
        return (True, body) if isinstance(body, dict) else (False, {})

    def _refused(self, verb: str, path: str, status: int, body: Object) -> ApiError:
        said, cause = shown(str(body.get("message", "")))[:LONGEST], str(body.get("reason", ""))
        if status in DENIED:
            return ApiError(
                f"the Kubernetes API does not let this user do that: {said}", status, cause, code="API_DENIED",
                path=self.where, found=f"{verb} {path}",
                hint="docs/platforms/kubernetes.md lists the rights that railbed needs",
            )  # fmt: skip
        return ApiError(
            f"the Kubernetes API refuses: {said}", status, cause, path=self.where, found=f"{verb} {path}"
        )

    def _silent(self, why: str) -> CommandError:
        return CommandError(
            f"the Kubernetes API at {self.server} cannot be reached: {shown(why)[:LONGEST]}", code="API_UNREACHABLE",
            path=self.where, hint="check the network, and that the context's certificate authority is the server's",
        )  # fmt: skip


def name(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")


def opened(kubeconfig: str, context: str) -> Api:
    """The API that the context of a kubeconfig names; nothing is asked yet.

    Raises UsageError ``KUBECONFIG`` for a file or context that is not there, and for one that turns TLS's checks off; HostError
    ``DOCTOR`` where the client is not installed.
    """
    try:
        from kubernetes import config
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.config.config_exception import ConfigException
    except ImportError as lacking:
        raise HostError(
            f"this machine lacks the client of Kubernetes' API: {lacking}", code="DOCTOR", found="not installed",
            allowed="the Python package `kubernetes`", hint=INSTALL_EXTRA.format(kind="kubernetes"),
        ) from None  # fmt: skip
    file = Path(kubeconfig).expanduser()
    where = f"{kubeconfig}:{context}"
    try:
        # Read here: the client's own list wants a `current-context`, which railbed never takes.
        known = sorted(str(one["name"]) for one in yaml.safe_load(file.read_text())["contexts"])
        if context not in known:
            raise UsageError(
                "the kubeconfig has no such context", code="KUBECONFIG", path=where, found=context, allowed=known,
                hint="name one of those in `platform.context`",
            )  # fmt: skip
        settings = Configuration()
        config.load_kube_config(str(file), context, client_configuration=settings, persist_config=False)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as wrong:
        raise UsageError(
            f"the kubeconfig cannot be used: {shown(str(wrong))[:LONGEST]}", code="KUBECONFIG", path=where,
            hint="`kubectl --kubeconfig FILE --context CONTEXT version` shows whether it works",
        ) from None  # fmt: skip
    if not settings.verify_ssl or not str(settings.host).startswith("https://"):
        raise UsageError(
            "the context does not verify the API server", code="KUBECONFIG", path=where,
            found=str(settings.host), allowed="https, without insecure-skip-tls-verify",
            hint="give the cluster of the context its certificate-authority-data",
        )  # fmt: skip
    # A server that is not there is said at once; what may be tried again, railbed tries itself.
    settings.retries = False
    return Api(ApiClient(settings), where)


def version(api: Api) -> tuple[int, int]:
    """Major and minor version of the API server, e.g. (1, 37); what a provider adds (``34+``) is left out."""
    said = api.request("GET", "/version")
    digits = ["".join(c for c in str(said.get(key, "")) if c.isdigit()) for key in ("major", "minor")]
    return (int(digits[0] or 0), int(digits[1] or 0))


def cluster_id(api: Api) -> str:
    """What tells one cluster from another: the UID of its namespace ``kube-system``, which lives as long as the cluster."""
    found = api.get("/api/v1/namespaces/kube-system") or {}
    return str((found.get("metadata") or {}).get("uid", ""))
