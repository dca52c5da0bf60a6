#!/usr/bin/python
"""Keeps the network interfaces of the rails up, with their MTU."""

from __future__ import annotations

DOCUMENTATION = r"""
module: links
short_description: Bring network interfaces up, with their MTU
options:
  links:
    description: Interface name to MTU in bytes.
    type: dict
    required: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Keep the rails up
  links:
    links: {rail0: 9000, rail1: 9000}
"""

RETURN = r"""
corrected:
  description: Interface to what was (or would be) corrected.
  type: dict
  returned: always
seen:
  description: Every interface that the call names.
  type: list
  returned: always
"""

import os
from typing import Optional

from ansible.module_utils.basic import AnsibleModule

NET = "/sys/class/net"
IFF_UP = 0x1


def read(name: str, field: str) -> Optional[str]:
    """A field of an interface, or None where there is no such interface."""
    try:
        with open(os.path.join(NET, name, field)) as source:
            return source.read().strip()
    except OSError:
        return None


def wrong(name: str, mtu: int) -> dict[str, str]:
    """What must be set (``mtu``, ``up``), each with what it is now. KeyError: there is no such interface."""
    now_mtu, flags = read(name, "mtu"), read(name, "flags")
    if now_mtu is None or flags is None:
        raise KeyError(name)
    found = {}
    if int(now_mtu) != mtu:
        found["mtu"] = now_mtu
    if not int(flags, 16) & IFF_UP:
        found["up"] = "down"
    return found


def main() -> None:
    """Entry point of the module."""
    spec = {"links": {"type": "dict", "required": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    corrected = {}
    for name, mtu in sorted(module.params["links"].items()):
        try:
            found = wrong(name, int(mtu))
        except KeyError:
            module.fail_json(msg=f"there is no interface {name}", corrected=corrected)
        if not found:
            continue
        corrected[name] = found
        if not module.check_mode:
            argv = ["ip", "link", "set", "dev", name, "mtu", str(mtu), "up"]
            module.run_command(argv, check_rc=True)
    lines = [f"{name} {what} {now}\n" for name, found in corrected.items() for what, now in found.items()]
    module.exit_json(
        changed=bool(corrected), corrected=corrected, seen=sorted(module.params["links"]),
        diff=[{"before": "".join(lines), "after": ""}] if corrected and module._diff else [],
    )  # fmt: skip


if __name__ == "__main__":
    main()
