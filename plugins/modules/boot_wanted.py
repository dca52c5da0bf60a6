#!/usr/bin/python
"""Says why a node must boot before its software is what is installed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_wanted
short_description: Say why a node must boot
description:
  - Reads only. A package may have asked for a boot, the loaded GPU driver may be another one than the installed, and the
    running kernel another one than the newest installed.
options:
  root:
    description: Where the node's files begin; another folder in tests.
    type: path
    default: /
  release:
    description: The running kernel; asked of the system where it is not given.
    type: str
    default: ""
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Ask whether it must boot
  boot_wanted:
  register: boot
"""

RETURN = r"""
reasons:
  description: Why; empty where the node need not boot.
  type: list
  elements: str
  returned: always
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def order(version: str) -> list[tuple[int, str]]:
    """A kernel's version in an order in which 6.10 follows 6.9."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"[.\-+_]", version)]


def asked(root: str) -> list[str]:
    """What a package asked for: Debian's and Ubuntu's file, kept by update-notifier and by packages themselves."""
    if not os.path.exists(os.path.join(root, "run/reboot-required")):
        return []
    by = sorted(set(_text(os.path.join(root, "run/reboot-required.pkgs")).split()))
    return [f"asked for by {', '.join(by) or 'a package'}"]


def newest(root: str, running: str) -> list[str]:
    """A newer kernel than the running one; a container has none of its own and boots none."""
    folder = os.path.join(root, "boot")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    kernels = [
        name[len("vmlinuz-") :] for name in names if name.startswith("vmlinuz-") and "rescue" not in name
    ]
    latest = max(kernels, key=order, default=running)
    return [f"kernel {running} runs, {latest} is installed"] if order(latest) > order(running) else []


def driver(module: AnsibleModule, root: str) -> list[str]:
    """A loaded NVIDIA module that is not the installed one: its library refuses to talk to it."""
    loaded = _text(os.path.join(root, "sys/module/nvidia/version"))
    modinfo = module.get_bin_path("modinfo")
    if not loaded or not modinfo:
        return []
    code, out, _ = module.run_command([modinfo, "-F", "version", "nvidia"])
    installed = out.strip()
    if code != 0 or not installed or installed == loaded:
        return []
    return [f"driver {loaded} is loaded, {installed} is installed"]


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={"root": {"type": "path", "default": "/"}, "release": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    root, running = module.params["root"], module.params["release"] or os.uname().release
    module.exit_json(changed=False, reasons=asked(root) + newest(root, running) + driver(module, root))


if __name__ == "__main__":
    main()
