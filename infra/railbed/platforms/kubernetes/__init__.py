"""A Kubernetes cluster that is there already: what railbed keeps in it, and which of its nodes are the pools'."""
