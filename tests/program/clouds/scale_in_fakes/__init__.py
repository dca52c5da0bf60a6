"""One group of a pool at each provider, which ends what it is told to and nothing else. Answers are made by hand in the
provider's own form (its SDK's models, or its REST reference); nothing was recorded from an account.

Each fake: ``groups`` by name, ``ended`` ids in their order, ``refuse``: answers that come instead of the next actions.
"""

from tests.program.clouds.scale_in_fakes.alicloud import Alicloud
from tests.program.clouds.scale_in_fakes.azure import Azure
from tests.program.clouds.scale_in_fakes.base import BUSY, DENIED, SAID, Fake
from tests.program.clouds.scale_in_fakes.gcp import Gcp
from tests.program.clouds.scale_in_fakes.oci import Oci
from tests.program.clouds.scale_in_fakes.openstack import Openstack
from tests.program.clouds.scale_in_fakes.volcengine import Volcengine

__all__ = ["BUSY", "DENIED", "SAID", "Alicloud", "Azure", "Fake", "Gcp", "Oci", "Openstack", "Volcengine"]
