"""The Heat template of a pool: a counted group of equal servers, with their rail ports. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

VERSION = "2018-08-31"
"""Rocky: the oldest that has every property below (docs.openstack.org/heat, template guide)."""
NODES_PER_STACK = 900
"""heat.conf: max_resources_per_stack is 1000 unless the cloud's owners changed it; a server is one, the group another."""
PARAMETERS = ("size", "image", "flavor", "zone", "network", "security_group", "server_group", "user_data")

REMOVAL = "removal"
"""Which nodes go when the size does (`scale_in`). Heat remembers them: afterwards the parameter may be empty again."""


def parts(size: int) -> list[int]:
    """Nodes of each stack that a pool of ``size`` nodes is made of."""
    full, rest = divmod(size, NODES_PER_STACK)
    return [NODES_PER_STACK] * full + ([rest] if rest else [])


def template(
    name: str, metadata: Mapping[str, str], rails: Sequence[Mapping[str, Any]], hints: Mapping[str, str]
) -> str:
    """The template as JSON (which is YAML). ``name``: names of servers, with ``%index%`` in it.

    Heat makes nodes anew for what cannot change in place. The boot script is left alone on purpose (`IGNORE`); the
    image is the caller's to hold.
    """
    server = {
        "type": "OS::Nova::Server",
        "properties": {
            "name": name,
            "image": {"get_param": "image"},
            "flavor": {"get_param": "flavor"},
            "availability_zone": {"get_param": "zone"},
            "config_drive": True,
            "user_data_format": "RAW",
            "user_data": {"get_param": "user_data"},
            "user_data_update_policy": "IGNORE",
            "security_groups": [{"get_param": "security_group"}],
            "scheduler_hints": {"group": {"get_param": "server_group"}, **hints},
            "metadata": dict(metadata),
            "networks": [{"network": {"get_param": "network"}}, *(dict(rail) for rail in rails)],
        },
    }
    return json.dumps(
        {
            "heat_template_version": VERSION,
            "parameters": {
                **{one: {"type": "number" if one == "size" else "string"} for one in PARAMETERS},
                REMOVAL: {"type": "json", "default": []},
            },
            "resources": {
                "nodes": {
                    "type": "OS::Heat::ResourceGroup",
                    "properties": {
                        "count": {"get_param": "size"},
                        "removal_policies": {"get_param": REMOVAL},
                        "resource_def": server,
                    },
                }
            },
            "outputs": {"servers": {"value": {"get_attr": ["nodes", "refs"]}}},
        },
        indent=1,
        sort_keys=True,
    )
