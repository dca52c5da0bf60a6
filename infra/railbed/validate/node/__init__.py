"""Checks that run on a node: standard library, pytest and testinfra only, Python ≥ 3.9."""
