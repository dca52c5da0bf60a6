"""Nebius: virtual machines with eight GPUs in a GPU cluster on InfiniBand. Importing this loads no SDK."""
