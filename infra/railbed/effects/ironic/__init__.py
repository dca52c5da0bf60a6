"""Ironic as installer of machines: one of railbed's own for a run, or the site's; and the course of one machine in it."""
