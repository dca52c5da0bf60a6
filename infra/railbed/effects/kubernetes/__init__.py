"""A Kubernetes API: reached by a context of the operator's kubeconfig, with TLS verified; and its nodes as a scheduler's."""
