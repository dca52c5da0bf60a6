"""Runs the on-node suite by a Job on each node, under the node's lease, and leaves nothing of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from railbed.contract import Contract
from railbed.contract.kubernetes import Checks
from railbed.defaults import (
    KUBERNETES_CHECK_POLL_S,
    KUBERNETES_LEASE_S,
    KUBERNETES_PLACE_S,
    KUBERNETES_PULL_S,
    KUBERNETES_TRIES,
    NODE_OUTPUT_BYTES,
)
from railbed.effects import node_bundle
from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes import check_jobs, lease, objects
from railbed.effects.kubernetes.api import CONFLICT, GONE, Api, ApiError, Object
from railbed.errors import Busy, CommandError, RailbedError, UnprovenError
from railbed.run import TIMED_OUT, Result
from railbed.text import shown

Clock = Callable[[], float]
OWNED = "batch.kubernetes.io/controller-uid"
"""Label that the Job controller gives to pods (kubernetes.io, "Well-Known Labels, Annotations and Taints")."""
RENEW_S = KUBERNETES_LEASE_S / 3


class NotRun(UnprovenError):
    """The suite did not run on a node; the message is the reason of what stays unproven there."""

    code = "NOT_RUN"


class NodeJobs:
    """Of one stack and one run. ``now`` and ``sleep``: the clock."""

    def __init__(
        self, contract: Contract, checks: Checks, api: Api, now: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        place = contract.kubernetes
        assert place is not None
        self.api, self.checks, self.stack, self.namespace = api, checks, contract.stack, place.namespace
        self._api_names = {node.name: node.api_name for node in contract.nodes}
        self._now, self._sleep = now, sleep
        bundle = node_bundle.packed({})
        self._bundle, self._suite = bundle, f"suite-{hashlib.sha256(bundle).hexdigest()[:12]}"

    def _path(self, kind: str, name: str = "") -> str:
        group = "apis/batch/v1" if kind == "jobs" else "api/v1"
        base = f"/{group}/namespaces/{apis.name(self.checks.namespace)}/{kind}"
        return f"{base}/{apis.name(name)}" if name else base

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """With the suite in the cluster meanwhile. Raises CommandError where the API takes it not."""
        try:
            self.api.request(
                "POST", self._path("configmaps"), body=check_jobs.suite(self._suite, self.stack, self._bundle)
            )
        except ApiError as there:
            if there.status != CONFLICT:
                raise
        try:
            yield
        finally:
            # Another operator's run may have Jobs that wait for the same suite: its last one removes it.
            with suppress(RailbedError):
                if not any(True for _ in self.api.items(self._path("jobs"))):
                    self.api.request("DELETE", self._path("configmaps", self._suite))

    def run(self, node: str, wanted: Mapping[str, Any], timeout_s: float) -> Result:
        """What the suite said on the node: its records, and beside them the log. Raises NotRun."""
        name = f"checks-{node}"
        try:
            text = check_jobs.wanted_text(wanted)
            with lease.acquired(self.api, self.namespace, node) as held:
                uid = self._create(name, node, text, timeout_s)
                try:
                    return self._answer(uid, timeout_s, held)
                finally:
                    self._remove(name)
        except Busy as locked:
            raise NotRun(f"{locked.message}: {shown(str(locked.found))}") from None
        except (CommandError, ValueError) as broken:
            said = broken.message if isinstance(broken, CommandError) else str(broken)
            raise NotRun(f"its Job cannot run: {said}") from None

    def _create(self, name: str, node: str, wanted: str, timeout_s: float) -> str:
        """Gives its UID. A Job of that name which is there is of a run that was cut off: whoever has the lease may remove it."""
        body = check_jobs.job(
            name, self.stack, self._api_names[node], self.checks, self._suite, wanted, timeout_s
        )
        for _ in range(KUBERNETES_TRIES):
            try:
                made = self.api.request("POST", self._path("jobs"), body=body)
            except ApiError as there:
                if there.status != CONFLICT:
                    raise
                self._remove(name)
                self._sleep(KUBERNETES_CHECK_POLL_S)
            else:
                return str(objects.metadata(made).get("uid", ""))
        raise CommandError(
            f"the Job {name} of an earlier run does not go", code="JOB_STAYS", path=self.api.where
        )

    def _remove(self, name: str) -> None:
        with suppress(RailbedError):
            self.api.request("DELETE", self._path("jobs", name), query={"propagationPolicy": "Background"})

    def _pod(self, uid: str) -> Object | None:
        return next(self.api.items(self._path("pods"), labelSelector=f"{OWNED}={uid}"), None)

    def _answer(self, uid: str, timeout_s: float, held: lease.Held) -> Result:
        """Waits as long as whoever is at work may need: the scheduler, the kubelet that fetches the image, the suite."""
        began = renewed = self._now()
        placed: float | None = None
        stuck: float | None = None
        while True:
            pod = self._pod(uid)
            stand = check_jobs.stand(pod)
            now = self._now()
            if stand.over and pod is not None:
                return self._read(objects.api_name(pod), stand)
            if not stand.waits:
                placed = now if placed is None else placed
                if now - placed > timeout_s + KUBERNETES_PLACE_S:
                    raise NotRun(
                        f"its pod runs, and gave no answer within {timeout_s + KUBERNETES_PLACE_S:g} s"
                    )
            else:
                stuck = (now if stuck is None else stuck) if stand.stuck or pod is None else None
                if now - began > KUBERNETES_PULL_S or (
                    stuck is not None and now - stuck > KUBERNETES_PLACE_S
                ):
                    raise NotRun(f"pending: {stand.waits}")
            if now - renewed > RENEW_S:
                held.renew()
                renewed = now
            self._sleep(KUBERNETES_CHECK_POLL_S)

    def _read(self, pod: str, stand: check_jobs.Stand) -> Result:
        try:
            log = self.api.text(
                f"{self._path('pods', pod)}/log",
                container=check_jobs.CONTAINER,
                limitBytes=str(NODE_OUTPUT_BYTES),
            )
        except ApiError as lost:
            if lost.status != GONE:
                raise
            log = ""
        records = check_jobs.records(log)
        code = stand.status if stand.status is not None else (0 if records else TIMED_OUT)
        return Result(("job", pod), code, records, log)
