#!/usr/bin/python
"""Makes sure that a Slurm reservation holds given nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reservation
short_description: Hold nodes in a Slurm reservation
description:
  - Adds nodes to a reservation, making it where there is none.
  - Nodes are never taken out of it, running jobs stay.
options:
  name:
    description: Name of the reservation.
    type: str
    required: true
  nodes:
    description: Nodes that it must hold.
    type: list
    elements: str
    required: true
  users:
    description: Who may use it.
    type: str
    default: root
  flags:
    description: Flags of a new reservation.
    type: str
    default: MAINT,IGNORE_JOBS
  wait_s:
    description: How long to wait for a controller that is only just starting, in seconds.
    type: int
    default: 30
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Hold new nodes
  reservation:
    name: railbed-acceptance
    nodes: [h100-0, h100-1]
"""

RETURN = r"""
nodes:
  description: Nodes that were (or would be) added.
  type: list
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule

POLL_S = 0.5


def scontrol(module: AnsibleModule, *argv: str) -> str:
    """Runs scontrol; fails with its words."""
    code, out, err = module.run_command(["timeout", "20", "scontrol", *argv])
    if code != 0:
        module.fail_json(msg=f"scontrol {' '.join(argv)}: {(err or out).strip()}", rc=code)
    return str(out)


def read_reservation(module: AnsibleModule, name: str) -> tuple[bool, set[str]]:
    """Whether the reservation exists, and the nodes in it."""
    for line in scontrol(module, "show", "reservation", "-o").splitlines():
        fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
        if fields.get("ReservationName") == name:
            nodes = fields.get("Nodes", "")
            return True, set(scontrol(module, "show", "hostnames", nodes).split()) if nodes else set()
    return False, set()


def wait(module: AnsibleModule) -> bool:
    """Whether the controller answers, in time."""
    deadline = time.monotonic() + module.params["wait_s"]
    while True:
        code, _, _ = module.run_command(["timeout", "10", "scontrol", "ping"])
        if code == 0:
            return True
        if time.monotonic() >= deadline or module.check_mode:
            return False
        time.sleep(POLL_S)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "nodes": {"type": "list", "elements": "str", "required": True},
            "users": {"type": "str", "default": "root"},
            "flags": {"type": "str", "default": "MAINT,IGNORE_JOBS"},
            "wait_s": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    given = module.params
    if wait(module):
        exists, before = read_reservation(module, given["name"])
    elif module.check_mode:
        exists, before = False, set()
    else:
        module.fail_json(msg=f"the scheduler's controller did not answer within {given['wait_s']} s")
    added = sorted(set(given["nodes"]) - before)
    nodes = ",".join(sorted(before | set(given["nodes"])))
    if added and not module.check_mode:
        if exists:
            scontrol(module, "update", f"ReservationName={given['name']}", f"Nodes={nodes}")
        else:
            scontrol(
                module, "create", f"ReservationName={given['name']}", "StartTime=now", "Duration=UNLIMITED",
                f"Users={given['users']}", f"Flags={given['flags']}", f"Nodes={nodes}",
            )  # fmt: skip
    lines = {"before": "".join(f"{n}\n" for n in sorted(before)), "after": nodes.replace(",", "\n") + "\n"}
    module.exit_json(changed=bool(added), nodes=added, diff=[lines] if added and module._diff else [])


if __name__ == "__main__":
    main()
