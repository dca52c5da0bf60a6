"""Whether a release holds where its vendors publish it: keys, indexes, versions, hashes, and what apt makes of them."""

from railbed.toolbox.release_check.asking import check
from railbed.toolbox.release_check.items import Item, counts, exit_status

__all__ = ["Item", "check", "counts", "exit_status"]
