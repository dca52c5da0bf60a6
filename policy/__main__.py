"""The policy pack ``railbed``: run by ``pulumi preview|up --policy-pack policy``. Rules are in ``railbed_policy``."""

from railbed_policy.pack import pack

pack()
