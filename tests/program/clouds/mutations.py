"""Ways to spoil a recorded run, each of which its check must find. They know no provider: they change what was recorded."""

from __future__ import annotations

import base64
import copy
import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
from railbed_policy.facts import facts
from tests.program.clouds.checks import Case
from tests.program.clouds.recording import Declared, Run

from railbed.contract import Contract

Change = Callable[[Any], Any]
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----"


def walked(value: Any, change: Change) -> Any:
    """A copy of ``value`` in which ``change`` was tried on every part, inner ones first; templates that an input holds as
    JSON text too."""
    if isinstance(value, str) and value.startswith(('{"', "{\n")):
        parsed = json.loads(value)
        changed = walked(parsed, change)
        value = value if changed == parsed else json.dumps(changed)
    elif isinstance(value, dict):
        value = {key: walked(item, change) for key, item in value.items()}
    elif isinstance(value, list):
        value = [walked(item, change) for item in value]
    return change(value)


def on_inputs(case: Case, change: Change) -> Case:
    declared = [replace(one, inputs=walked(one.inputs, change)) for one in case.run.declared]
    return replace(case, run=replace(case.run, declared=declared))


def on_pairs(case: Case, change: Callable[[str, Any], Any]) -> Case:
    """``change`` gets every key and value of every map, and gives the value to stand there."""
    return on_inputs(
        case, lambda part: {k: change(k, v) for k, v in part.items()} if isinstance(part, dict) else part
    )


def without(case: Case, gone: list[Declared]) -> Case:
    declared = [one for one in case.run.declared if one not in gone]
    return replace(case, run=replace(case.run, declared=declared))


def one_card_less(case: Case) -> Case:
    """The last of every list that is as long as the pool's cards, or longer."""
    blocks = case.view.nics(case.run, case.plan.pools[0].name) or []
    rails = len([block for block in blocks if block.kind != "frontend"])
    return on_inputs(case, lambda part: part[:-1] if isinstance(part, list) and len(part) >= rails else part)


def cards_reversed(case: Case) -> Case:
    return on_inputs(case, lambda part: part[::-1] if isinstance(part, list) and len(part) > 1 else part)


def another_rate(case: Case) -> Case:
    def change(part: Any) -> Any:
        return (
            {**part, "rate_gbps": part["rate_gbps"] / 2}
            if isinstance(part, dict) and "rate_gbps" in part
            else part
        )

    return _contract(case, change)


def off_the_fabric(case: Case) -> Case:
    return without(case, case.view.rdma(case.run, case.plan.pools[0].name))


def scattered(case: Case) -> Case:
    pool = case.plan.pools[0].name
    spoilt = without(case, [*case.view.placement(case.run, pool), *case.view.rdma(case.run, pool)])
    return elsewhere(spoilt)


def elsewhere(case: Case) -> Case:
    """Another reservation; where the example buys by the hour, capacity that may be taken back."""
    held = getattr(case.plan.pools[0].capacity, "id", "")

    def change(part: Any) -> Any:
        if not isinstance(part, str):
            return part
        return part.replace(held, "another") if held else {"Regular": "Spot"}.get(part, part)

    return on_inputs(case, change)


def one_node_less(case: Case) -> Case:
    size = case.plan.pools[0].size

    def change(part: Any) -> Any:
        if isinstance(part, bool):
            return part
        if isinstance(part, list) and len(part) == size:
            return part[:-1]
        return (
            type(part)(size - 1)
            if part in (size, str(size)) and isinstance(part, int | float | str)
            else part
        )

    # Where each node is a resource of its own, there is no number to change.
    last = f"{case.plan.pools[0].name}-{size - 1}"
    return without(on_inputs(case, change), [one for one in case.run.declared if one.name == last])


def open_to_the_world(case: Case) -> Case:
    """Every network that the cluster's own rules name becomes everybody."""
    own = ipaddress.ip_network(case.plan.place.network_cidr)  # type: ignore[union-attr]
    named = [own, *(ipaddress.ip_network(one) for one in case.plan.ssh_from)]

    def change(part: Any) -> Any:
        try:
            network = ipaddress.ip_network(part) if isinstance(part, str) and "/" in part else None
        except ValueError:
            return part
        return "0.0.0.0/0" if network and any(network.subnet_of(one) for one in named) else part  # type: ignore[arg-type]

    return on_inputs(case, change)


def with_public_addresses(case: Case) -> Case:
    """Wherever the policies' tables say that a type gives a node a public address, it now does."""

    def change(one: Declared) -> Declared:
        inputs = copy.deepcopy(one.inputs)
        known = facts(one.typ)
        for path in known.public:
            _set(inputs, path.split("."), True)
        for path in known.private:
            _set(inputs, path.split("."), False)
        return replace(one, inputs=inputs)

    return replace(case, run=replace(case.run, declared=[change(one) for one in case.run.declared]))


def _set(value: Any, path: list[str], said: bool) -> None:
    """Says ``said`` at ``path``, in every item of lists on the way; maps on the way must be there."""
    if isinstance(value, list):
        for item in value:
            _set(item, path, said)
    elif isinstance(value, dict) and len(path) > 1:
        _set(value.get(path[0]), path[1:], said)
    elif isinstance(value, dict):
        value[path[0]] = (
            [{}] if path[0].endswith("Configs") else "true" if isinstance(value.get(path[0]), str) else said
        )


def in_clear(case: Case) -> Case:
    """Encryption is turned off wherever it is asked for."""

    def change(key: str, value: Any) -> Any:
        if not re.search(r"(?i)encrypt", key):
            return value
        return "false" if isinstance(value, str) else False if isinstance(value, bool) else None

    return on_pairs(case, change)


def untagged(case: Case) -> Case:
    def change(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: item for key, item in part.items() if key != "railbed-cluster"}
        if isinstance(part, list):
            return [item for item in part if not _is_tag(item)]
        return part

    return on_inputs(case, change)


def _is_tag(item: Any) -> bool:
    word = item.get("key") if isinstance(item, dict) else item
    return isinstance(word, str) and word.partition("=")[0] == "railbed-cluster"


def unprotected(case: Case) -> Case:
    return _options(case, protect=False)


def not_retained(case: Case) -> Case:
    return _options(case, retain_on_delete=False)


def _options(case: Case, **more: bool) -> Case:
    def change(one: Declared) -> Declared:
        return replace(one, options=pulumi.ResourceOptions.merge(one.options, pulumi.ResourceOptions(**more)))

    return replace(case, run=replace(case.run, declared=[change(one) for one in case.run.declared]))


def no_filesystem(case: Case) -> Case:
    return without(case, case.view.filesystems(case.run))


def tenants_joined(case: Case) -> Case:
    """The second tenant's nodes are put into the first one's groups."""
    first, second = (
        case.plan.pools[0],
        next(one for one in case.plan.pools if one.tenant != case.plan.pools[0].tenant),
    )
    theirs = sorted(case.view.groups(case.run, second.name))
    ours = sorted(case.view.groups(case.run, first.name))
    swaps = dict(zip(theirs, ours, strict=True))

    def change(part: Any) -> Any:
        for one, other in swaps.items():
            part = part.replace(f"{one}-id", f"{other}-id") if isinstance(part, str) else part
        return swaps.get(part, part) if isinstance(part, str) else part

    return on_inputs(case, change)


def secret_in_boot_script(case: Case) -> Case:
    def change(part: Any) -> Any:
        if not isinstance(part, str):
            return part
        if part.startswith("#cloud-config"):
            return _with_key(part)
        try:
            text = base64.b64decode(part, validate=True).decode()
        except ValueError:
            return part
        return (
            base64.b64encode(_with_key(text).encode()).decode() if text.startswith("#cloud-config") else part
        )

    return on_inputs(case, change)


def _with_key(script: str) -> str:
    head, _, body = script.partition("\n")
    return f"{head}\n{json.dumps({**json.loads(body), 'runcmd': [KEY]})}\n"


def stack_secret_in_input(case: Case) -> Case:
    first = case.run.declared[0]
    spoilt = replace(first, inputs={**first.inputs, "description": f"key {case.secrets[0]}"})
    return replace(case, run=replace(case.run, declared=[spoilt, *case.run.declared[1:]]))


def _contract(case: Case, change: Change) -> Case:
    """A contract that was changed and sealed again."""
    made = Contract.model_validate_json(json.dumps(walked(case.contract.as_json(), change))).sealed()
    return replace(case, run=Run(case.run.declared, case.run.calls, made.as_json()))


MUTATIONS: list[tuple[str, Callable[[Case], Case]]] = [
    ("rails", another_rate),
    ("cards", one_card_less),
    ("cards", cards_reversed),
    ("attached", off_the_fabric),
    ("placed", scattered),
    ("capacity", elsewhere),
    ("size", one_node_less),
    ("closed", open_to_the_world),
    ("private", with_public_addresses),
    ("encrypted", in_clear),
    ("tagged", untagged),
    ("kept", unprotected),
    ("kept", not_retained),
    ("kept", no_filesystem),
    ("apart", tenants_joined),
    ("secret_free", secret_in_boot_script),
    ("secret_free", stack_secret_in_input),
]
"""Check → what it must find."""
