"""The lab: hosts, rails, images and packages on this machine. Only `platforms.lab` and the lab's own commands know it."""
