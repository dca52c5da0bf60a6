#!/usr/bin/python
"""Sets kernel parameters, now and for the next boot, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sysctls
short_description: Set kernel parameters, now and for the next boot
options:
  path:
    description: The file below /etc/sysctl.d that keeps them.
    type: path
    required: true
  values:
    description: Parameter to value. A key that this host does not have, or may not set, is an error.
    type: dict
    default: {}
  where_writable:
    description: Like O(values), but left alone where this node may not write them (a container).
    type: dict
    default: {}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Let sockets grow
  sysctls:
    path: /etc/sysctl.d/90-railbed.conf
    values: {net.ipv4.tcp_rmem: 4096 131072 67108864}
"""

RETURN = r"""
set:
  description: Parameters that were (or would be) set now, each with the value before.
  type: dict
  returned: always
left:
  description: Parameters of O(where_writable) that this node may not set.
  type: list
  returned: always
"""

import os
import tempfile
from typing import Optional

from ansible.module_utils.basic import AnsibleModule

PROC = "/proc/sys"
HEADER = "# Written by railbed.\n"


def location(key: str) -> str:
    """The file of a parameter."""
    return os.path.join(PROC, *key.split("."))


def normal(value: str) -> str:
    """The kernel separates fields by tabs, people by blanks."""
    return " ".join(str(value).split())


def current(key: str) -> Optional[str]:
    """The value now, or None where the kernel has no such parameter."""
    try:
        with open(location(key)) as source:
            return normal(source.read())
    except OSError:
        return None


def text(values: dict[str, str]) -> str:
    """The file for the next boot; the leading ``-`` lets the boot go on where a key is refused."""
    return HEADER + "".join(f"-{key} = {normal(value)}\n" for key, value in sorted(values.items()))


def write(path: str, content: str) -> None:
    """Replaces the file atomically."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd, building = tempfile.mkstemp(prefix=".railbed-", dir=os.path.dirname(path))
    with os.fdopen(fd, "w") as sink:
        sink.write(content)
    os.chmod(building, 0o644)
    os.rename(building, path)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "values": {"type": "dict", "default": {}},
            "where_writable": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    left = sorted(key for key in given["where_writable"] if not os.access(location(key), os.W_OK))
    wanted = {**{k: v for k, v in given["where_writable"].items() if k not in left}, **given["values"]}
    changes = {}
    for key, value in sorted(wanted.items()):
        before = current(key)
        if before is None:
            module.fail_json(msg=f"this host has no parameter {key}")
        if before == normal(value):
            continue
        changes[key] = before
        if not module.check_mode:
            try:
                with open(location(key), "w") as sink:
                    sink.write(normal(value))
            except OSError as refused:
                module.fail_json(msg=f"{key} = {normal(value)} is refused: {refused.strerror}")
    content = text({**given["where_writable"], **given["values"]})
    try:
        with open(given["path"]) as source:
            kept = source.read()
    except OSError:
        kept = ""
    if kept != content and not module.check_mode:
        write(given["path"], content)
    before_lines = "".join(f"{key} = {value}\n" for key, value in changes.items())
    after_lines = "".join(f"{key} = {normal(wanted[key])}\n" for key in changes)
    diffs = [{"before_header": PROC, "after_header": PROC, "before": before_lines, "after": after_lines}]
    path = given["path"]
    diffs += [{"before_header": path, "after_header": path, "before": kept, "after": content}]
    changed = bool(changes) or kept != content
    module.exit_json(changed=changed, set=changes, left=left, diff=diffs if changed and module._diff else [])


if __name__ == "__main__":
    main()
