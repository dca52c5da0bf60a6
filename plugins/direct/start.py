"""Runs a module of railbed on a node with the part of Ansible's AnsibleModule that these modules use.

Action ``tree`` sends it (plugins/action/tree.py, docs/adr/0015-own-modules-start-without-ansibles-library.md). It runs as
``exec`` of this text with ``sent`` in its globals: the call's arguments, and the sources of the module and of its helpers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import types
from typing import Any, NoReturn, Optional

SENT: dict[str, Any] = globals().get("sent", {})
"""``asked``, ``check``, ``diff``, ``name`` and ``module`` (its source), ``helpers`` (name in ansible.module_utils → source)."""
TYPES: dict[str, tuple[type, ...]] = {
    "dict": (dict,), "list": (list,), "str": (str,), "path": (str,), "int": (int,), "float": (int, float), "bool": (bool,),
}  # fmt: skip


class AnsibleModule:
    """Arguments, check mode, programs and the answer, as a module expects them of ansible.module_utils.basic.

    Arguments have their type already, since templates keep it: one of another type is an error and is not converted.
    """

    def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool = False) -> None:
        self.check_mode: bool = SENT["check"]
        self._diff: bool = SENT["diff"]
        if self.check_mode and not supports_check_mode:
            self.exit_json(skipped=True, msg="the module does not support check mode")
        self.params = self._taken("", argument_spec, SENT["asked"])

    def _taken(self, where: str, spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(given) - set(spec))
        if unknown:
            self.fail_json(
                msg=f"unsupported parameters: {where}{', '.join(unknown)}; supported are {', '.join(sorted(spec))}"
            )
        return {name: self._value(f"{where}{name}", option, given.get(name)) for name, option in spec.items()}

    def _value(self, name: str, option: dict[str, Any], value: Any) -> Any:
        if value is None:
            if option.get("required"):
                self.fail_json(msg=f"missing required argument: {name}")
            return option.get("default")
        self._typed(name, option.get("type", "str"), value)
        if value not in option.get("choices", [value]):
            self.fail_json(msg=f"{name} must be one of {', '.join(option['choices'])}, got {value}")
        for item in value if "elements" in option else ():
            self._typed(name, option["elements"], item)
        if "options" in option:
            return [self._taken(f"{name}.", option["options"], item) for item in value]
        return value

    def _typed(self, name: str, kind: str, value: Any) -> None:
        if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "bool"):
            self.fail_json(msg=f"argument {name} must be {kind}, not {type(value).__name__}")

    def run_command(
        self, argv: list[str], check_rc: bool = False, data: Optional[str] = None,
        environ_update: Optional[dict[str, str]] = None,
    ) -> tuple[int, str, str]:  # fmt: skip
        """Exit status and what the program printed.

        Into files and not pipes: a service that the program left behind may hold a pipe open for good.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                done = subprocess.run(
                    argv, input=data.encode("utf-8", "surrogateescape") if data is not None else None, stdout=out,
                    stderr=err, stdin=subprocess.DEVNULL if data is None else None, check=False,
                    env={**os.environ, **(environ_update or {})},
                )  # fmt: skip
            except OSError as missing:
                self.fail_json(msg=f"{argv[0]}: {missing.strerror}", rc=missing.errno, cmd=argv[0])
            said = []
            for sink in (out, err):
                sink.seek(0)
                said.append(sink.read().decode("utf-8", "surrogateescape"))
        if check_rc and done.returncode != 0:
            self.fail_json(msg=(said[1] or said[0]).rstrip(), rc=done.returncode, cmd=argv[0])
        return done.returncode, said[0], said[1]

    def fail_json(self, msg: str, **more: Any) -> NoReturn:
        """Ends with a failure."""
        print(json.dumps({"failed": True, "msg": msg, **more}))
        sys.exit(1)

    def exit_json(self, **answer: Any) -> NoReturn:
        """Ends with the answer."""
        print(json.dumps(answer))
        sys.exit(0)


def provide(name: str, source: str) -> types.ModuleType:
    """A Python module of that name, made of source."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def main() -> None:
    """Puts the stand-in and the helpers where the module imports them from, and runs it."""
    for package in ("ansible", "ansible.module_utils"):
        provide(package, "")
    utils = sys.modules["ansible.module_utils"]
    vars(provide("ansible.module_utils.basic", ""))["AnsibleModule"] = AnsibleModule
    for name, source in SENT["helpers"].items():
        setattr(utils, name, provide(f"ansible.module_utils.{name}", source))
    vars(provide(f"railbed_module_{SENT['name']}", SENT["module"]))["main"]()


if SENT:
    main()
