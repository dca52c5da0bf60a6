"""The Job that runs the on-node suite on one node, and what its pod says of itself. Pure.

The suite runs in the image, with the node's files below /proc/1/root, and its commands in the node's own namespaces (nsenter(1)):
it finds what a login would find.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from railbed.contract import kubernetes as contract
from railbed.defaults import KUBERNETES_CHECK_LEFT_S, KUBERNETES_PREFIX
from railbed.effects import node_bundle
from railbed.text import shown

Object = Mapping[str, Any]
LABEL = f"{KUBERNETES_PREFIX}/checks"
"""On all objects of such a run."""
ENTER = "nsenter --target 1 --mount --uts --ipc --net --pid --"
"""A command of the node itself, from a privileged pod with the node's processes."""
CONTAINER, SUITE, FOLDER = "checks", "suite.tgz", "/railbed"
MARK = "railbed-records "
"""Begins the line of the log with the suite's records, a JSON document; kubelets mix both streams of a container."""
RECORDS = re.compile(rf"^{MARK}(?P<json>.*)$", re.M)
REFUSED = (
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
    "CreateContainerError", "RunContainerError",
)  # fmt: skip
"""Reasons of a container that waits and will not begin by waiting (kubernetes, pkg/kubelet/images/types.go and
kuberuntime_container.go); `ContainerCreating` is none of them."""
LONGEST_WANTED = 96 * 1024
"""Characters of what is expected of a node: Linux takes 128 KiB of one variable (execve(2), MAX_ARG_STRLEN)."""

SCRIPT = """
set -u
folder=$(mktemp -d /tmp/railbed-checks.XXXXXX) || exit 3
tar -xzf {suite} -C "$folder" || exit 3
cd "$folder" || exit 3
printf %s "$RAILBED_WANTED" | base64 -d | gzip -d > expectations.json || exit 3
{enter} true || exit 4
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$folder" RAILBED_ROOT={root} RAILBED_ENTER='{enter}'
export RAILBED_EXPECTATIONS="$folder/expectations.json" RAILBED_RESULTS="$folder/results.json"
{run}
code=$?
[ -s results.json ] || exit 4
printf '\n{mark}%s\n' "$(cat results.json)"
{ended}
"""
"""As for a login (validate/on_node.py), but files come as volumes, and the records are a line of the log."""


@dataclass(frozen=True)
class Stand:
    """How far the pod of a Job is. ``waits``: why it has not begun, in the words of who keeps it; empty once it has."""

    waits: str = ""
    over: bool = False
    status: int | None = None
    """Exit status of its container, where the kubelet says it."""
    stuck: bool = False
    """Whether somebody said that it cannot begin as things are: the scheduler without a place, the kubelet without the image."""


def wanted_text(wanted: Mapping[str, Any]) -> str:
    """What is expected of a node, as a variable. Raises ValueError where that is too long for one."""
    text = base64.b64encode(gzip.compress(json.dumps(wanted).encode(), mtime=0)).decode()
    if len(text) > LONGEST_WANTED:
        raise ValueError(f"{len(text)} characters, and a variable has at most {LONGEST_WANTED}")
    return text


def script(timeout_s: float, *, enter: str = ENTER, root: str = "/proc/1/root", folder: str = FOLDER) -> str:
    """What the container runs."""
    return SCRIPT.format(
        suite=f"{folder}/{SUITE}",
        enter=enter,
        root=root,
        mark=MARK,
        run=node_bundle.suite_command(timeout_s),
        ended=node_bundle.SUITE_ENDED,
    )


def suite(name: str, stack: str, bundle: bytes) -> dict[str, Any]:
    """The programs of the suite, once for all nodes."""
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "immutable": True,
        "metadata": {"name": name, "labels": {LABEL: stack}},
        "binaryData": {SUITE: base64.b64encode(bundle).decode()},
    }  # fmt: skip


def job(
    name: str,
    stack: str,
    api_name: str,
    place: contract.Checks,
    suite_name: str,
    wanted: str,
    timeout_s: float,
) -> dict[str, Any]:
    """The Job. It takes no GPU and little else, so that it runs beside a user's job, and preempts nobody.

    The scheduler places it, and says why where it cannot; the node's taints do not keep it away, as it is about that node. It is
    never tried again, ends by itself, and goes some minutes after its end where nobody removed it.
    """
    pod = {
        "restartPolicy": "Never", "hostPID": True, "automountServiceAccountToken": False, "enableServiceLinks": False,
        "priorityClassName": place.priority_class, "terminationGracePeriodSeconds": 2,
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [api_name]}]}]}}},
        "containers": [{
            "name": CONTAINER, "image": place.image, "command": ["/bin/sh", "-c", script(timeout_s)],
            "env": [{"name": "RAILBED_WANTED", "value": wanted}], "securityContext": {"privileged": True},
            "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
            "volumeMounts": [{"name": "suite", "mountPath": FOLDER, "readOnly": True}],
        }],
        "volumes": [{"name": "suite", "configMap": {"name": suite_name}}],
    }  # fmt: skip
    labels = {LABEL: stack}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 0, "activeDeadlineSeconds": KUBERNETES_CHECK_LEFT_S,
            "ttlSecondsAfterFinished": KUBERNETES_CHECK_LEFT_S,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }  # fmt: skip


def stand(pod: Object | None) -> Stand:
    """What a pod says of itself; None: the Job has made none yet."""
    if pod is None:
        return Stand(waits="the Job has no pod yet")
    status = pod.get("status") or {}
    (state,) = [one.get("state") or {} for one in (status.get("containerStatuses") or [])[:1]] or [{}]
    if status.get("phase") in ("Succeeded", "Failed"):
        code = (state.get("terminated") or {}).get("exitCode")
        return Stand(over=True, status=code if isinstance(code, int) else None)
    for one in status.get("conditions") or []:
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            words = shown(str(one.get("message") or one.get("reason") or "no reason given"))
            return Stand(waits=f"the scheduler finds no place: {words}", stuck=True)
    if status.get("phase") == "Running":
        return Stand()
    waiting = state.get("waiting") or {}
    words = ": ".join(shown(str(waiting[key])) for key in ("reason", "message") if waiting.get(key))
    why = f"its pod has not begun: {words or 'its kubelet has not reported'}"
    return Stand(waits=why, stuck=str(waiting.get("reason", "")) in REFUSED)


def records(log: str) -> str:
    """The suite's records, a JSON document; empty where the log has none."""
    found = RECORDS.findall(log)
    return found[-1] if found else ""
