"""Volcengine: bare-metal GPU instances in an HPC cluster, scaling groups, vePFS."""
