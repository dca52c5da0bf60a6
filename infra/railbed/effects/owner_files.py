"""Files of a job's owner, read on a node as that user: root may not read them on every filesystem."""

from __future__ import annotations

import re
from collections.abc import Sequence

from railbed import ended
from railbed.effects.remote import Remote
from railbed.errors import CommandError
from railbed.parse import swap_contract
from railbed.parse.swap_contract import Marker, Saved
from railbed.run import Result

LOOK_S, HASH_S = 20.0, 900.0
"""A filesystem that hangs must not hold railbed; hashing at 1 GB/s reads 900 GB in that time."""
TIME = re.compile(r"[0-9]{1,12}\.[0-9]{9}")
READ = 'stat -L -c %.9Y -- "$1" && head -c "$2" -- "$1"'
SIZES = 'while IFS= read -r path; do stat -L -c %s -- "$path" 2>/dev/null || echo -1; done'
DIGESTS = 'while IFS= read -r path; do sha256sum < "$path" 2>/dev/null | cut -c 1-64 || echo -; done'


def marker(remote: Remote, node: str, owner: str, path: str) -> tuple[int, Marker]:
    """Time of its last change, by the filesystem's clock in nanoseconds, and the marker.

    Raises CommandError where it cannot be read or is none.
    """
    said = _as_owner(remote, node, owner, READ, [path, str(swap_contract.MARKER_BYTES + 1)], limit_s=LOOK_S)
    changed, _, text = said.stdout.partition("\n")
    if not TIME.fullmatch(changed):
        raise CommandError(f"{path} on {node} has no time of change", found=changed[:40])
    try:
        return int(changed.replace(".", "")), swap_contract.marker(text, path)
    except ValueError as wrong:
        raise CommandError(f"the marker of the job is not usable: {wrong}", path=path) from None


def differing(remote: Remote, node: str, owner: str, files: Sequence[Saved]) -> str:
    """Why the files of a checkpoint are not what its marker says: by size, and by SHA-256 where it has one. Empty where they are.

    Raises CommandError where the node does not answer.
    """
    listed = "".join(f"{one.path}\n" for one in files)
    sizes = _as_owner(remote, node, owner, SIZES, [], limit_s=LOOK_S, stdin=listed).stdout.split()
    for one, size in zip(files, [*sizes, *[""] * len(files)], strict=False):
        if size != str(one.size_bytes):
            return f"{one.path} has {size or 'no'} bytes, its marker says {one.size_bytes}"
    hashed = [one for one in files if one.sha256]
    listed = "".join(f"{one.path}\n" for one in hashed)
    digests = (
        _as_owner(remote, node, owner, DIGESTS, [], limit_s=HASH_S, stdin=listed).stdout.split()
        if hashed
        else []
    )
    for one, digest in zip(hashed, [*digests, *[""] * len(hashed)], strict=False):
        if digest != one.sha256:
            return f"{one.path} has not the SHA-256 that its marker says"
    return ""


def _as_owner(
    remote: Remote,
    node: str,
    owner: str,
    script: str,
    words: Sequence[str],
    *,
    limit_s: float,
    stdin: str = "",
) -> Result:
    argv = ["runuser", "-u", owner, "--", "timeout", str(limit_s), "sh", "-c", script, "sh", *words]
    answer = remote.run(node, argv, stdin=stdin, timeout_s=limit_s + LOOK_S, check=False)
    if not answer.ok:
        raise CommandError(ended.why(answer, f"reading files of {owner}", node))
    return answer
