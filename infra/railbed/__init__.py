"""railbed builds GPU training clusters and proves them."""

__version__ = "0.1.0"
