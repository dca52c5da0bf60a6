#!/usr/bin/python
"""Brings systemd units to their state in one call, and restarts those whose files are newer than they are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Enable, start and, where their files changed, restart systemd units in one call
description:
  - Unmasks, enables and starts the given units, in order.
  - A running unit is restarted (or reloaded) when one of its V(files) changed since the unit was started.
    That is told from the files themselves and not from this run, so a run that was interrupted between
    writing a file and restarting its service is made good by the next one.
options:
  units:
    description:
      - The units, in the order in which they are started.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {type: str, required: true, description: "Unit name with its suffix."}
      state: {type: str, choices: [started, stopped], default: started, description: "Wanted state."}
      enabled: {type: bool, default: true, description: "Whether it starts at boot."}
      files: {type: list, elements: path, default: [], description: "Files whose change calls for a restart."}
      on_change: {type: str, choices: [restart, reload], default: restart, description: "What a change asks."}
  timeout_s:
    description:
      - How long one start, restart or enabling may take, in seconds. A start that hangs is ended by systemd itself before (90 s).
    type: int
    default: 300
  settle_s:
    description: How long a unit that was just started must stay up before it counts as started, in seconds.
    type: float
    default: 0.5
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Run the time service
  units:
    units:
      - name: chrony.service
        files: [/etc/chrony/chrony.conf]
"""

RETURN = r"""
actions:
  description: What was (or would be) done, as arguments of systemctl.
  type: list
  returned: always
states:
  description: ActiveState of each unit afterwards.
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.railbed_units import ARGUMENTS, bring_all


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    actions, states = bring_all(module, [])
    lines = "".join(f"systemctl {' '.join(argv)}\n" for argv in actions)
    module.exit_json(
        changed=bool(actions), actions=actions, states=states,
        diff=[{"before": "", "after": lines}] if lines and module._diff else [],
    )  # fmt: skip


if __name__ == "__main__":
    main()
