"""Recipes of machine images for Packer: one template a platform, over the playbook that bakes. Nothing of it runs here."""
