"""Bare metal: machines that are there already, with their BMCs and switches."""
