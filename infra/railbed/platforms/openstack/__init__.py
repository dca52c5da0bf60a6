"""OpenStack: a private cloud's flavours, virtual or bare metal, in groups that Heat counts. Importing this loads no SDK."""
