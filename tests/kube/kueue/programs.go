//go:build programs

// Package programs names what the tier builds beside the control plane, so that go.mod keeps it. It has a module of its own:
// its libraries are of another version of Kubernetes.
package programs

import _ "sigs.k8s.io/kueue/cmd/kueue"
