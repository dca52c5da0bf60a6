#!/usr/bin/python
"""Accounts without rights and the groups that they share, all of them in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: people
short_description: Give people accounts and groups
description:
  - Makes each group and each account where it is missing, and opens an account that was closed. Each account has a group of its
    own with the account's id.
  - A group that is there gets the members that are named and no others. Members whom this host does not know are passed over.
  - An account or a group that is there with another id is refused, and nothing is changed. Nothing is ever removed.
options:
  users:
    description: Login name to user id.
    type: dict
    required: true
  groups:
    description: >-
      Group name to V(gid), V(members) and V(group), a group whose members are members too, or an empty text.
    type: dict
    required: true
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Give people accounts
  people:
    users: {alice: 10017}
    groups: {acme: {gid: 70003, members: [alice], group: ""}}
"""

RETURN = r"""
made:
  description: What was (or would be) made or changed.
  type: list
  returned: always
"""

import grp
import pwd
from typing import Any, List, Optional

from ansible.module_utils.basic import AnsibleModule

SHELL = "/bin/bash"
SHADOW = "/etc/shadow"
EXPIRES = 7
"""Field of shadow(5)."""


class People:
    """What is to be changed, found before anything is."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.wrong: List[str] = []
        self.commands: List[List[str]] = []
        self.users = {name: int(uid) for name, uid in module.params["users"].items()}
        self.own = {one.pw_name: one for one in pwd.getpwall()}
        self.groups = {one.gr_name: one for one in grp.getgrall()}
        self.closed = self._closed()

    def _closed(self) -> List[str]:
        """Accounts that have expired by a day that somebody set."""
        with open(SHADOW) as source:
            rows = [line.rstrip("\n").split(":") for line in source]
        return [row[0] for row in rows if len(row) > EXPIRES and row[EXPIRES]]

    def user(self, name: str, uid: int) -> None:
        """One account with its own group."""
        self._group(name, uid)
        there = self.own.get(name)
        taken = next(
            (one.pw_name for one in self.own.values() if one.pw_uid == uid and one.pw_name != name), None
        )
        if there is not None and there.pw_uid != uid:
            self.wrong.append("%s has the user id %d here, not %d" % (name, there.pw_uid, uid))
        elif there is None and taken:
            self.wrong.append("%s is to have the user id %d, which is %s's here" % (name, uid, taken))
        elif there is None:
            self.commands.append(
                ["useradd", "--uid", str(uid), "--gid", name, "--create-home", "--shell", SHELL, name]
            )
        elif name in self.closed:
            self.commands.append(["usermod", "--expiredate", "", name])

    def group(self, name: str, wanted: Any) -> None:
        """One shared group with its members."""
        self._group(name, int(wanted["gid"]))
        there = self.groups.get(name)
        members = set(wanted["members"])
        if wanted.get("group"):
            theirs = self._found(wanted["group"])
            # While a directory is away its group is not found: who is a member then stays one.
            members |= set(theirs.gr_mem if theirs else there.gr_mem if there else [])
        known = sorted(one for one in members if one in self.users or self._knows(one))
        if there is None or sorted(there.gr_mem) != known:
            self.commands.append(["gpasswd", "--members", ",".join(known), name])

    def _group(self, name: str, gid: int) -> None:
        there = self.groups.get(name)
        taken = next(
            (one.gr_name for one in self.groups.values() if one.gr_gid == gid and one.gr_name != name), None
        )
        if there is not None and there.gr_gid != gid:
            self.wrong.append("group %s has the id %d here, not %d" % (name, there.gr_gid, gid))
        elif there is None and taken:
            self.wrong.append("group %s is to have the id %d, which is %s's here" % (name, gid, taken))
        elif there is None:
            self.commands.append(["groupadd", "--gid", str(gid), name])

    def _found(self, name: str) -> Optional[Any]:
        try:
            return grp.getgrnam(name)
        except KeyError:
            return None

    def _knows(self, name: str) -> bool:
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True


def main() -> None:
    """Finds what is missing, and makes it."""
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "dict", "required": True},
            "groups": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    people = People(module)
    for name, uid in sorted(people.users.items()):
        people.user(name, uid)
    for name, wanted in sorted(module.params["groups"].items()):
        people.group(name, wanted)
    if people.wrong:
        module.fail_json(msg="nothing was changed: " + "; ".join(people.wrong))
    if not module.check_mode:
        for command in people.commands:
            module.run_command(command, check_rc=True)
    made = [" ".join(command) for command in people.commands]
    module.exit_json(changed=bool(made), made=made)


if __name__ == "__main__":
    main()
