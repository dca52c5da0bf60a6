"""Azure Resource Manager over REST, with the credentials that the engine's provider uses too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from azure.core import PipelineClient
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential

from railbed.defaults import CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S
from railbed.platforms.cloud.calls import ApiFailure, patiently

ARM = "https://management.azure.com"
SCOPE = f"{ARM}/.default"
COMPUTE, NETWORK = "2024-11-01", "2018-10-01"
"""Versions of the APIs: Microsoft.Compute, and the look-up of a scale set's cards that Microsoft.Network serves there."""
NOT_THERE = (404, 409)
"""Not there, or not there yet (a VM that is being made)."""
CONFLICT, BUSY = 409, 429
EXPIRED = "run `az login`, or renew the service principal's secret"


class Refused(Exception):
    """An answer that is none."""

    def __init__(self, failure: ApiFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Session:
    """Calls in one subscription; all but ``act`` only read. Many threads may use one."""

    def __init__(self, subscription: str) -> None:
        self.subscription = subscription

    def get(self, path: str, version: str = COMPUTE, **query: str) -> dict[str, Any] | None:
        """What is at ``path`` (below the subscription, or a whole id); None where it is not there. Raises ProviderError."""
        return self._asked("GET", path, {**query, "api-version": version})

    def post(self, path: str, version: str = COMPUTE) -> dict[str, Any] | None:
        """The answer of an action that changes nothing; None as above. Raises ProviderError."""
        return self._asked("POST", path, {"api-version": version})

    def act(self, path: str, body: dict[str, Any], version: str = COMPUTE) -> None:
        """Starts an action, and waits while another one on the same thing goes on. Raises ProviderError."""
        full = f"{path}?api-version={version}"
        self._patiently(full, "POST", ARM + full, {}, signed=True, body=body)

    def pages(self, path: str, version: str = COMPUTE, **query: str) -> Iterator[dict[str, Any]]:
        """All results of a list, page by page. Raises ProviderError."""
        answer = self.get(path, version, **query) or {}
        yield from answer.get("value", [])
        while answer.get("nextLink"):
            answer = self._asked("GET", answer["nextLink"], {}) or {}
            yield from answer.get("value", [])

    def text(self, url: str) -> str:
        """A file behind a link that carries its own right to read it; empty where there is none. Raises ProviderError."""
        return self._patiently("the console's log", "GET", url, {}, signed=False)[1]

    def _asked(self, method: str, path: str, query: dict[str, str]) -> dict[str, Any] | None:
        full = path if path.startswith(("/", ARM)) else f"/subscriptions/{self.subscription}/{path}"
        url = full if full.startswith(ARM) else ARM + full
        status, body = self._patiently(full.removeprefix(ARM), method, url, query, signed=True)
        if status in NOT_THERE or not body:
            return None
        found: dict[str, Any] = json.loads(body)
        return found

    def _patiently(
        self, what: str, method: str, url: str, query: dict[str, str], *, signed: bool,
        body: dict[str, Any] | None = None,
    ) -> tuple[int, str]:  # fmt: skip
        acting = {} if body is None else {"body": body}

        def ask() -> tuple[int, str]:
            try:
                status, text = self._send(method, url, query, signed=signed, **acting)
            except ClientAuthenticationError as wrong:
                raise Refused(ApiFailure(401, "credentials", f"{wrong.message} ({EXPIRED})")) from None
            except AzureError as broken:
                raise Refused(ApiFailure(0, "no answer", str(broken))) from None
            if status == CONFLICT and acting:
                raise Refused(replace(read_failure(status, text), status=BUSY))
            if status >= 400 and (acting or status not in NOT_THERE):
                raise Refused(read_failure(status, text))
            return status, "" if status in NOT_THERE else text

        return patiently(f"Azure on {what}", ask, (Refused,), lambda one: one.failure)  # type: ignore[attr-defined]

    def _send(
        self,
        method: str,
        url: str,
        query: dict[str, str],
        *,
        signed: bool,
        body: dict[str, Any] | None = None,
    ) -> tuple[int, str]:
        """The one place where calls go out: status and body. A link with its own signature never gets the token."""
        client = self._signed if signed else self._plain
        request = HttpRequest(method, url, params=query, **({} if body is None else {"json": body}))
        times = {"connection_timeout": CLOUD_CONNECT_TIMEOUT_S, "read_timeout": CLOUD_READ_TIMEOUT_S}
        answer = client.send_request(request, **times)
        return answer.status_code, answer.text()

    @cached_property
    def _signed(self) -> Any:
        token = BearerTokenCredentialPolicy(DefaultAzureCredential(), SCOPE)
        return PipelineClient(ARM, policies=[token])

    @cached_property
    def _plain(self) -> Any:
        return PipelineClient(ARM, policies=[])


def read_failure(status: int, body: str) -> ApiFailure:
    """Azure's error body: ``{"error": {"code", "message"}}``; anything else in its own words."""
    try:
        error = json.loads(body)["error"]
        return ApiFailure(status, str(error["code"]), str(error["message"]))
    except (ValueError, KeyError, TypeError):
        return ApiFailure(status, "", body[:200])
