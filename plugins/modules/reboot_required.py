#!/usr/bin/python
"""Says why a node must boot before its software is what is installed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reboot_required
short_description: Say why a node must boot
description:
  - Reads only. A package may have asked for a boot; the loaded driver of GPUs or network cards may be another one than the
    installed, the running kernel another one than the newest installed, or without a parameter that it must have; and an
    interface may not have the name yet that role rails gives its slot.
options:
  boot_line:
    description: Words that the running kernel's command line must have.
    type: list
    elements: str
    default: []
  kept:
    description: Words that it may have in the place of one of these.
    type: list
    elements: str
    default: []
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
  reboot_required:
  register: boot
"""

RETURN = r"""
reasons:
  description: Why; empty where the node need not boot.
  type: list
  elements: str
  returned: always
drivers:
  description: Those of the reasons that are a loaded driver; the next boot may find it in the initial ramdisk.
  type: list
  elements: str
  returned: always
names:
  description: Interfaces other than the card in the slot of role rails; a boot that is still to come gives names.
  type: list
  elements: str
  returned: always
"""

import fnmatch
import glob
import os
import re

from ansible.module_utils.basic import AnsibleModule

MODULES = (("nvidia", "version", "driver"), ("mlx5_core", "srcversion", "module mlx5_core, source"))
"""Module, the field of modinfo(8) and of /sys/module by which two builds differ, and what it is called."""
LINKS = "etc/systemd/network/05-railbed-*.link"
"""What role rails writes."""


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


def drivers(module: AnsibleModule, root: str) -> list[str]:
    """A loaded module that is not the installed one: the GPUs' library refuses to talk to it, the cards run the old one."""
    modinfo = module.get_bin_path("modinfo")
    found = []
    for name, field, what in MODULES:
        loaded = _text(os.path.join(root, "sys/module", name, field))
        if not loaded or not modinfo:
            continue
        code, out, _ = module.run_command([modinfo, "-F", field, name])
        installed = out.strip()
        if code == 0 and installed and installed != loaded:
            found.append(f"{what} {loaded} is loaded, {installed} is installed")
    return found


def without(root: str, wanted: list[str], kept: list[str]) -> list[str]:
    """Parameters that the running kernel was not booted with, nor with one of ``kept``; of two it takes the later."""
    given = {word.split("=", 1)[0]: word for word in _text(os.path.join(root, "proc/cmdline")).split()}
    lacking = [word for word in wanted if given.get(word.split("=", 1)[0]) not in (word, *kept)]
    return [f"the kernel was booted without {' '.join(lacking)}"] if lacking else []


def names(module: AnsibleModule, root: str) -> list[tuple[str, bool]]:
    """Files of role rails whose name is another card's or nobody's: what is wrong, and whether the next boot may mend it."""
    found = []
    stat = re.search(r"^btime (\d+)", _text(os.path.join(root, "proc/stat")), re.MULTILINE)
    for path in sorted(glob.glob(os.path.join(root, LINKS))):
        said = dict(line.split("=", 1) for line in _text(path).splitlines() if "=" in line)
        name, slot = said.get("Name", ""), said.get("Path", "")
        has = _slot(module, root, name)
        if not fnmatch.fnmatchcase(has, slot):
            # A boot that came after the file has done what it can: a card that is not there gets no name by another one.
            later = stat is None or os.stat(path).st_mtime >= int(stat[1])
            found.append((f"{name} is not the card in {slot}, but {has or 'nothing'}", later))
    return found


def _slot(module: AnsibleModule, root: str, name: str) -> str:
    """The slot of the interface that has this name, as udev calls it; empty where there is none."""
    if not os.path.exists(os.path.join(root, "sys/class/net", name)):
        return ""
    argv = ["udevadm", "info", "--query=property", f"--path=/sys/class/net/{name}"]
    _, out, _ = module.run_command(argv, check_rc=True)
    slot = re.search(r"^ID_PATH=(.+)$", out, re.MULTILINE)
    return slot[1] if slot else "a card without a slot"


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "boot_line": {"type": "list", "elements": "str", "default": []},
            "kept": {"type": "list", "elements": "str", "default": []},
            "root": {"type": "path", "default": "/"},
            "release": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    root, running = module.params["root"], module.params["release"] or os.uname().release
    loaded = drivers(module, root)
    reasons = asked(root) + newest(root, running) + loaded
    reasons += without(root, module.params["boot_line"], module.params["kept"])
    wrong = names(module, root)
    module.exit_json(
        changed=False,
        reasons=reasons + [what for what, later in wrong if later],
        drivers=loaded,
        names=[what for what, _ in wrong],
    )


if __name__ == "__main__":
    main()
