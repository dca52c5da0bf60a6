"""Google's Compute and Resource Manager APIs over REST, with the credentials that the engine's provider uses too.

Not by the discovery client: making one of its requests takes ten times as long as sending it, and a cluster asks
once for each node.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession

from railbed.defaults import CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S
from railbed.platforms.cloud.calls import ApiFailure, patiently

COMPUTE = "https://compute.googleapis.com/compute/v1"
PROJECTS = "https://cloudresourcemanager.googleapis.com/v1/projects"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PAGE = 500
"""Most results of one page (Compute Engine API v1, maxResults)."""
NOT_FOUND = 404
EXPIRED = "run `gcloud auth application-default login`, or renew GOOGLE_APPLICATION_CREDENTIALS"


class Refused(Exception):
    """An answer that is none."""

    def __init__(self, failure: ApiFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Session:
    """Calls in one project; all but ``act`` only read. One connection for each thread."""

    def __init__(self, project: str) -> None:
        self.project = project
        self._local = threading.local()
        self._credentials: Any = None

    def get(self, path: str, **query: str) -> dict[str, Any] | None:
        """What is at ``path`` below the project; None where there is no such thing. Raises ProviderError."""
        return self._asked("GET", f"{COMPUTE}/projects/{self.project}/{path}", query)

    def act(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The operation that an action below the project starts. Raises ProviderError."""
        return self._asked("POST", f"{COMPUTE}/projects/{self.project}/{path}", {}, body) or {}

    def about(self) -> dict[str, Any] | None:
        """The project itself. Raises ProviderError."""
        return self._asked("GET", f"{PROJECTS}/{self.project}", {})

    def elsewhere(self, path: str) -> dict[str, Any] | None:
        """What is at ``projects/…``, in whatever project. Raises ProviderError."""
        return self._asked("GET", f"{COMPUTE}/{path}", {})

    def pages(self, path: str, key: str, method: str = "GET", **query: str) -> Iterator[dict[str, Any]]:
        """All results of a list, page by page. Raises ProviderError."""
        token: dict[str, str] = {}
        while True:
            url = f"{COMPUTE}/projects/{self.project}/{path}"
            answer = self._asked(method, url, {**query, "maxResults": str(PAGE), **token}) or {}
            yield from answer.get(key, [])
            if not answer.get("nextPageToken"):
                return
            token = {"pageToken": answer["nextPageToken"]}

    def _asked(
        self, method: str, url: str, query: dict[str, str], body: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        sent = {} if body is None else {"json": body}

        def ask() -> dict[str, Any] | None:
            try:
                answer = self._connection().request(
                    method, url, params=query, timeout=(CLOUD_CONNECT_TIMEOUT_S, CLOUD_READ_TIMEOUT_S), **sent
                )
            except GoogleAuthError as wrong:
                raise Refused(ApiFailure(401, "credentials", f"{wrong} ({EXPIRED})")) from None
            except OSError as broken:
                raise Refused(ApiFailure(0, "no answer", str(broken))) from None
            if answer.status_code == NOT_FOUND:
                return None
            if answer.status_code >= 400:
                raise Refused(
                    read_failure(answer.status_code, answer.text, answer.headers.get("content-type", ""))
                )
            found: dict[str, Any] = answer.json()
            return found

        what = url.removeprefix("https://").split("/", 1)[-1]
        return patiently(f"Google Cloud on {what}", ask, (Refused,), lambda one: one.failure)  # type: ignore[attr-defined]

    def _connection(self) -> Any:
        if not hasattr(self._local, "connection"):
            if self._credentials is None:
                self._credentials, _ = google.auth.default(scopes=[SCOPE])
            self._local.connection = AuthorizedSession(self._credentials)
        return self._local.connection


def read_failure(status: int, text: str, kind: str) -> ApiFailure:
    """Google's error body: ``{"error": {"code", "message", "errors": [{"reason"}]}}``; anything else in its own words."""
    try:
        error = json.loads(text)["error"] if "json" in kind else {}
        reason = error["errors"][0]["reason"] if error.get("errors") else error.get("status", "")
        message = str(error.get("message") or text[:200])
    except (ValueError, KeyError, TypeError, IndexError):
        reason, message = "", text[:200]
    # Google reports too many calls by 403 as well as by 429.
    return ApiFailure(
        429 if reason in ("rateLimitExceeded", "userRateLimitExceeded") else status, reason, message
    )
