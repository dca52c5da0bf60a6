"""The shared filesystems, as one client sees them."""

from __future__ import annotations

from typing import Any

from railbed.validate.node.probe import NOT_RUN, Finding, Probe, Symptom

FILESYSTEM_TYPES = {"moosefs": ("fuse.mfs", "fuse mfs#"), "lustre": ("lustre",)}
"""Kind of filesystem → type in /proc/mounts, or type and head of the source; a kind that is not here may be any."""
STAT_TIMEOUT_S = 8
"""A filesystem in service answers within milliseconds; MooseFS's client waits 5 s before it tries its master again."""


def mounted_as(table: str) -> dict[str, str]:
    """Mount point → type and source, from the text of /proc/mounts."""
    # The kernel writes "#" as \043 there.
    rows = [line.replace("\\043", "#").split() for line in table.splitlines()]
    return {row[1]: f"{row[2]} {row[0]}" for row in rows if len(row) > 2}


def wrong_mount(mounted: dict[str, str], path: str, kind: str) -> str:
    """Why what is at ``path`` is not the filesystem; empty where it is."""
    if path not in mounted:
        return f"{path} is not mounted"
    if not mounted[path].startswith(FILESYSTEM_TYPES.get(kind, ("",))):
        return f"{path} is {mounted[path]}, not {kind}"
    return ""


def mounts(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every shared filesystem is mounted, with its own type, and answers."""
    mounted = mounted_as(probe.read("/proc/mounts") or "")
    expected = ", ".join(m["path"] for m in want["mounts"])
    symptoms, asked = [], []
    for mount in want["mounts"]:
        path = mount["path"]
        wrong = wrong_mount(mounted, path, mount["kind"])
        if wrong:
            code = "filesystem-foreign" if path in mounted else "filesystem-absent"
            symptoms.append(Symptom(code, path, wrong))
        else:
            asked.append(mount)
    answers = probe.together([["stat", "-f", "--format=%T", m["path"]] for m in asked], STAT_TIMEOUT_S)
    unknown = [answer.first_line for answer in answers if answer.code == NOT_RUN]
    for mount, answer in zip(asked, answers):  # noqa: B905 - Python 3.9
        if answer.code not in (0, NOT_RUN):
            server = f" (served by {mount['server']})" if mount.get("server") else ""
            reason = f"{mount['path']}{server} does not answer: {answer.first_line}"
            symptoms.append(Symptom("filesystem-silent", mount["path"], reason))
    if symptoms:
        reason = "; ".join(one.text for one in symptoms)
        return Finding("fail", reason, expected=expected, parts=("storage",), symptoms=tuple(symptoms))
    if unknown:
        return Finding("unproven", unknown[0], expected=expected)
    return Finding("pass", "mounted and answering", expected, "", expected)
